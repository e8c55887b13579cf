"""The library as rows of plain data, shown at once and filled in behind.

``LibraryTable`` takes what a scan found, has a row for each model at once (name, engine, size,
source), and reads the facts in a thread; whoever shows the table asks for it again until
nothing is missing. On a public page a row says nothing of places.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from comparator.core.exceptions import ModelNotFoundError
from comparator.core.models import ModelInfo
from comparator.core.quiet import quiet
from comparator.core.units import fine_size
from comparator.hosting.library.model_checks import mark_problems
from comparator.library import adapters, families
from comparator.library.facts import sampling
from comparator.library.facts.lookup import ModelFacts, facts_of
from comparator.library.facts.purposes import why_not_offered
from comparator.library.labels import quantisation_line
from comparator.library.shelf import Shelf
from comparator.services.memory_manager import MemoryManager
from comparator.storage.measurements import Measured, Measurements

CHECKED_AT_ONCE = 32


@dataclass(frozen=True)
class LibraryRow:
    """One model in the table; None and empty texts where nothing is known.

    Attributes:
        id: the model's.
        name: what a person calls it.
        engine: the engine's key, such as ``gguf``.
        source: key of the tool whose folder it was found in; empty on a public page.
        size: bytes of its weight files.
        family: which models have the same base.
        quantisation: as people call it; with what it really is where its name says another.
        maker: who quantised it.
        bits_per_weight: the true mean.
        parameters: how many weights.
        context_length: tokens that it was made for.
        licence: as its files say.
        kind: ``chat`` or ``base``.
        fit: ``fits``, ``tight`` or ``cannot``.
        fit_sentence: why, with numbers.
        last_used: seconds since the epoch.
        best_tokens_per_second: decode speed of its fastest run on this machine.
        has_facts: whether its files were read.
    """

    id: str
    name: str
    engine: str
    source: str
    size: int
    family: str = ""
    quantisation: str = ""
    maker: str = ""
    bits_per_weight: float | None = None
    parameters: int | None = None
    context_length: int | None = None
    licence: str = ""
    kind: str = ""
    fit: str = ""
    fit_sentence: str = ""
    last_used: float | None = None
    best_tokens_per_second: float | None = None
    has_facts: bool = False


@dataclass(frozen=True)
class Apart:
    """A file that is not offered.

    Attributes:
        name: the model's or the file's.
        place: its path; empty on a public page.
        reason: why.
        is_problem: whether it should be a model and cannot be loaded.
    """

    name: str
    place: str
    reason: str
    is_problem: bool = True


@dataclass(frozen=True)
class LibrarySnapshot:
    """The library at one moment.

    Attributes:
        rows: the models that can be asked, in the order of the scan.
        unusable: models that cannot be loaded.
        passed_over: what cannot be asked: adapters, projectors, embedding models.
        missing: how many rows wait for their facts.
        number: grows with every change.
    """

    rows: tuple[LibraryRow, ...] = ()
    unusable: tuple[Apart, ...] = ()
    passed_over: tuple[Apart, ...] = ()
    missing: int = 0
    number: int = 0


class LibraryTable:
    """The table, kept for all who look at it.

    Args:
        memory: says what fits.
        measurements: what earlier runs have shown.
        is_public: leave out every place and source.
    """

    def __init__(
        self, memory: MemoryManager, measurements: Measurements, is_public: bool = False
    ) -> None:
        self._memory, self._measurements, self._is_public = memory, measurements, is_public
        self._models: dict[str, ModelInfo] = {}
        self._rows: dict[str, LibraryRow] = {}
        self._shelf = Shelf()
        self._unusable: tuple[Apart, ...] = ()
        self._skipped: tuple[Apart, ...] = ()
        self._apart: dict[str, Apart] = {}
        self._waiting: set[str] = set()
        self._number = 0
        self._lock = threading.Lock()

    def show(self, shelf: Shelf) -> None:
        """Take what a scan found and read behind what is not known yet; returns at once."""
        models = {model.id: model for model in shelf.offered}
        with self._lock:
            if self._waiting and _sizes(models) == _sizes(self._models):
                return  # the same is being read already
            before, self._shelf = self._rows, shelf
            self._models, self._waiting, self._apart = models, set(models), {}
            self._rows = {key: self._first_row(m, before.get(key)) for key, m in models.items()}
            self._unusable = tuple(
                self._put_apart(m.path, m.problem or "", m) for m in shelf.unusable
            )
            self._skipped = tuple(
                self._put_apart(s.path, s.reason, name=s.name) for s in shelf.skipped
            )
            self._number += 1
        name = "comparator-library"
        threading.Thread(target=self._fill, args=(models,), name=name, daemon=True).start()

    def snapshot(self) -> LibrarySnapshot:
        """Return the library as far as it is known."""
        with self._lock:
            rows = tuple(row for key, row in self._rows.items() if key not in self._apart)
            problems = (apart for apart in self._apart.values() if apart.is_problem)
            others = (apart for apart in self._apart.values() if not apart.is_problem)
            return LibrarySnapshot(
                rows,
                (*self._unusable, *problems),
                (*self._skipped, *others),
                len(self._waiting),
                self._number,
            )

    def models(self) -> list[ModelInfo]:
        """Return the models of the table that can be asked, as far as it is known."""
        with self._lock:
            return [model for key, model in self._models.items() if key not in self._apart]

    def model(self, model_id: str) -> ModelInfo:
        """Return the model of a row.

        Raises:
            ModelNotFoundError: there is no such row, or not any more.
        """
        with self._lock:
            model = self._models.get(model_id)
        if model is None:
            raise ModelNotFoundError("That model is not in the library any more. Press Rescan.")
        return model

    def details(self, model_id: str) -> list[tuple[str, str]]:
        """Return everything known of a model as pairs of a label and a text. Reads its files.

        Raises:
            ModelNotFoundError: there is no such row, or not any more.
        """
        model = self.model(model_id)
        with self._lock:
            row = self._rows[model_id]
            shelf = self._shelf
        found = adapters.adapters_among(shelf.offered, shelf.skipped)
        advised = [*sampling.details(model), *adapters.details(model, found)]
        pairs = [*_said(facts_of(model)), *advised, ("Fit", row.fit_sentence)]
        if not self._is_public:
            pairs += [("Place", place) for place in _places(model)]
        return [(label, text) for label, text in pairs if text]

    def close(self) -> None:
        """Let the thread that reads facts end after the file at hand."""
        with self._lock:
            self._models, self._waiting = {}, set()

    def _fill(self, models: Mapping[str, ModelInfo]) -> None:
        try:
            with quiet.background("reading facts of models"):
                self._fill_rows(models)
        finally:
            with self._lock:
                if self._models is models:
                    self._waiting, self._number = set(), self._number + 1

    def _fill_rows(self, models: Mapping[str, ModelInfo]) -> None:
        measured = self._measurements.of_all(models.values())
        for some in _pieces(list(models.values())):
            mark_problems(some)
            for model in some:
                quiet.rest()
                facts = facts_of(model)
                row = self._full_row(model, facts, measured.get(model.id))
                if not self._put(models, row, self._reason_apart(model, facts)):
                    return  # a newer scan has a thread of its own
        self._name_families(models)

    def _put(self, models: Mapping[str, ModelInfo], row: LibraryRow, apart: Apart | None) -> bool:
        with self._lock:
            if self._models is not models:
                return False
            self._rows[row.id] = row
            if apart is not None:
                self._apart[row.id] = apart
            if len(self._waiting) > 1:  # the last one waits until relatives are called alike
                self._waiting.discard(row.id)
            self._number += 1
            return True

    def _name_families(self, models: Mapping[str, ModelInfo]) -> None:
        """Call relatives alike: what their files say may differ, what they are does not."""
        found = families.families(self.models())
        with self._lock:
            if self._models is not models:
                return
            for family in found:
                for member in family.members:
                    row = self._rows[member.id]
                    self._rows[member.id] = replace(row, family=family.name)

    def _first_row(self, model: ModelInfo, before: LibraryRow | None) -> LibraryRow:
        """Return what is known without reading: a row of an earlier scan where it is the same."""
        source = "" if self._is_public else model.source
        row = LibraryRow(model.id, model.name, model.model_type.value, source, model.size)
        if before is None or before.size != model.size:
            return row
        return replace(before, name=row.name, source=row.source)

    def _full_row(
        self, model: ModelInfo, facts: ModelFacts, measured: Measured | None
    ) -> LibraryRow:
        fit = self._memory.fit(model)
        return replace(
            self._first_row(model, None),
            family=facts.family or "",
            quantisation=quantisation_line(facts),
            maker=facts.maker or "",
            bits_per_weight=facts.bits_per_weight,
            parameters=facts.parameters,
            context_length=facts.context_length,
            licence=facts.licence or "",
            kind=facts.kind or "",
            fit=fit.name,
            fit_sentence=fit.sentence,
            last_used=measured.last_used if measured else None,
            best_tokens_per_second=measured.best_tokens_per_second if measured else None,
            has_facts=True,
        )

    def _reason_apart(self, model: ModelInfo, facts: ModelFacts) -> Apart | None:
        reason = why_not_offered(facts.purpose)
        if reason:
            return replace(self._put_apart(model.path, reason, model), is_problem=False)
        if model.problem:
            return self._put_apart(model.path, model.problem, model)
        return None

    def _put_apart(
        self, path: str, reason: str, model: ModelInfo | None = None, name: str = ""
    ) -> Apart:
        name = model.name if model else name or os.path.basename(path)
        if not self._is_public:
            return Apart(name, path, reason, model is not None)
        hidden = reason.replace(path, name).replace(os.path.dirname(path), "…")
        return Apart(name, "", hidden, model is not None)


def _sizes(models: Mapping[str, ModelInfo]) -> dict[str, int]:
    return {key: model.size for key, model in models.items()}


def _pieces(models: Sequence[ModelInfo]) -> Iterator[Sequence[ModelInfo]]:
    for start in range(0, len(models), CHECKED_AT_ONCE):
        yield models[start : start + CHECKED_AT_ONCE]


def _places(model: ModelInfo) -> Sequence[str]:
    return [place.path for place in model.places]


def _said(facts: ModelFacts) -> list[tuple[str, str]]:
    """Return the facts that have no column of their own, and the exact ones of those that have."""
    cache = facts.cache_bytes(4096)
    return [
        ("Architecture", facts.architecture or ""),
        ("Quantised by", facts.maker or ""),
        ("Doubtful", facts.quantisation_warning or ""),
        ("Parameters", _grouped(facts.parameters)),
        ("Tensors", _mix(facts.tensor_types or {})),
        ("Layers", _grouped(facts.layers)),
        ("Heads", _heads(facts)),
        ("Width", _grouped(facts.embedding_length)),
        ("Vocabulary", _grouped(facts.vocabulary_size)),
        ("KV cache", f"{fine_size(cache)} for 4096 tokens" if cache else ""),
        ("Chat template", {True: "yes", False: "none", None: ""}[facts.has_chat_template]),
        ("Base model", facts.base_model or ""),
        ("Own code", "needed" if facts.needs_remote_code else ""),
    ]


def _heads(facts: ModelFacts) -> str:
    if not facts.heads:
        return ""
    shared = facts.key_value_heads
    return f"{facts.heads}, {shared} for keys and values" if shared else str(facts.heads)


def _mix(types: Mapping[str, Any]) -> str:
    shares = sorted(((n, s) for n, s in types.items() if s >= 0.005), key=lambda pair: -pair[1])
    return ", ".join(f"{name} {share:.0%}".replace("%", " %") for name, share in shares)


def _grouped(number: int | None) -> str:
    return f"{number:,}".replace(",", " ") if number else ""
