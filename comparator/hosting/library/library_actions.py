"""What a person may do with the library: compare, propose and make a ladder, remove.

All of it is checked here. On a page that others can reach nothing is made or removed, whatever
the page's widgets offer.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from comparator.core.exceptions import ConfigurationError
from comparator.core.limits import MOST_MODELS
from comparator.core.models import ModelInfo
from comparator.core.quiet import quiet
from comparator.core.text import with_controls_shown
from comparator.hosting.background_work import BackgroundWork, WorkStatus, WorkStopped
from comparator.hosting.library.library_table import LibraryTable
from comparator.library import families
from comparator.library.changes import quantising, removal
from comparator.library.shelf import Shelf


@dataclass(frozen=True)
class LadderProgress:
    """How far the making of a ladder is.

    Attributes:
        latest: the latest news of a file.
        made: names of the models that are finished.
    """

    latest: quantising.QuantisingProgress
    made: tuple[str, ...] = ()


LadderWork = BackgroundWork[LadderProgress]
LadderStatus = WorkStatus[LadderProgress]


def make_ladder(
    ladder: quantising.Ladder,
    on_made: Callable[[], object],
    report: Callable[[LadderProgress], None],
    is_stopping: Callable[[], bool],
) -> None:
    """Make a ladder as background work; what is finished stays, nothing half-made does.

    Raises:
        WorkStopped: it was asked to stop before the last file.
        MultiLLMError: it could not be made.
    """
    made: list[str] = []
    with quiet.background("quantising"):
        for latest in quantising.make(ladder, is_stopping):
            if latest.model is not None:
                made.append(latest.model.name)
            report(LadderProgress(latest, tuple(made)))
    on_made()
    if is_stopping() and len(made) < len(ladder.rungs):
        raise WorkStopped


class LibraryActions:
    """The library of one server.

    Args:
        table: what is shown of it.
        scan: looks for models.
        models_dir: the folder of our own, the only one that is written to.
        is_public: whether others than this machine's users can reach the page.
        most_models: of one comparison.
    """

    def __init__(
        self,
        table: LibraryTable,
        scan: Callable[[], Shelf],
        models_dir: Path,
        is_public: bool = False,
        most_models: int = MOST_MODELS,
    ) -> None:
        self.table, self.most_models = table, most_models
        self.work: LadderWork | None = None
        self._lock = threading.Lock()
        self._scan, self._models_dir, self._is_public = scan, models_dir, is_public

    def rescan(self) -> Shelf:
        """Look for models, show them, and return what was found. Reads folders."""
        shelf = self._scan()
        self.table.show(shelf)
        return shelf

    def names(self, model_ids: object) -> list[str]:
        """Return the names of models that something is to be made of.

        Raises:
            MultiLLMError: the page is public, or a model is not there.
        """
        self._refuse_where_public()
        return [model.name for model in self._models_of(model_ids)]

    def chosen(self, model_ids: object) -> list[str]:
        """Return the ids of models to be compared, when they can be.

        Raises:
            MultiLLMError: none, too many, or one that is not there.
        """
        models = self._models_of(model_ids)
        if len(models) > self.most_models:
            raise ConfigurationError(
                f"Up to {self.most_models} models are compared at once; {len(models)} are selected."
            )
        return [model.id for model in models]

    def ladder_of(self, model_ids: object) -> list[str]:
        """Return the ids of a proposal: quantisations of a model's family, most bits first.

        Raises:
            MultiLLMError: the model is not there, or it is the only one of its family.
        """
        first = self._models_of(model_ids)[0]
        for family in families.families(self.table.models()):
            if first.id in [member.id for member in family.members]:
                rungs = families.ladder(family, self.most_models)
                if len(rungs) > 1:
                    return [model.id for model in rungs]
        raise ConfigurationError(
            f"{with_controls_shown(first.name)} is the only one of its family here. Make further "
            "quantisations of it, or get them from the Hub."
        )

    def plan_ladder(self, model_ids: object, quantisations: object) -> quantising.Ladder:
        """Say what making quantisations of one model means. Starts a child process.

        Raises:
            MultiLLMError: it is not possible here, and why.
        """
        self._refuse_where_public()
        models = self._models_of(model_ids)
        if len(models) > 1:
            raise ConfigurationError("Select one model to make a ladder of.")
        return quantising.plan(models[0], _texts(quantisations), self._models_dir)

    def make(self, ladder: object) -> LadderWork:
        """Start making a planned ladder; one at a time, for whoever asked.

        Raises:
            ConfigurationError: the page is public, nothing was planned, or another is being made.
        """
        self._refuse_where_public()
        if not isinstance(ladder, quantising.Ladder):
            raise ConfigurationError("Check the sizes first; then the files can be made.")
        with self._lock:
            if self.work is not None and not self.work.status.is_over:
                raise ConfigurationError("A ladder is being made. Wait for its end, or cancel it.")
            self.work = BackgroundWork(
                "ladder", functools.partial(make_ladder, ladder, self.rescan)
            )
            self.work.start()
            return self.work

    def stop_making(self) -> None:
        """Stop the ladder that is being made.

        Raises:
            ConfigurationError: the page is public.
        """
        self._refuse_where_public()
        if self.work is not None:
            self.work.stop()

    def plan_removal(self, model_ids: object) -> list[removal.Removal]:
        """Say what removing models would delete; nothing is touched.

        Raises:
            MultiLLMError: the page is public, or a model is not ours to delete.
        """
        self._refuse_where_public()
        models = self._models_of(model_ids)
        return [removal.plan_removal(model, self._models_dir) for model in models]

    def remove(self, plans: Sequence[removal.Removal]) -> Shelf:
        """Delete what plans name, and return what is there then.

        Raises:
            MultiLLMError: the page is public, or something could not be deleted.
        """
        self._refuse_where_public()
        try:
            for plan in plans:
                removal.remove(plan)
        finally:
            shelf = self.rescan()
        return shelf

    def stop(self) -> None:
        """End what goes on behind; returns at once."""
        self.table.close()
        if self.work is not None:
            self.work.stop()

    def join(self, timeout_seconds: float) -> None:
        """Wait until no child of it is left."""
        if self.work is not None:
            self.work.join(timeout_seconds)

    def _models_of(self, model_ids: object) -> list[ModelInfo]:
        """Return the models of ids that came from a browser, which may send anything."""
        known = _texts(model_ids)
        if not known:
            raise ConfigurationError("Select a model first.")
        return [self.table.model(model_id) for model_id in known]

    def _refuse_where_public(self) -> None:
        if self._is_public:
            raise ConfigurationError(
                "Models are neither made nor removed through a page that others can reach. "
                "Use the page on the machine itself, without --share."
            )


def _texts(values: object) -> list[str]:
    """Return the texts of a list, each once; empty for anything else."""
    if not isinstance(values, list):
        return []
    return list(dict.fromkeys(value for value in values if isinstance(value, str)))
