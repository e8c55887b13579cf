"""Who is measured, by name, with what is asked of all of them."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .programs import Contender, PeerError, Program, Round, quiet_environment
from .record import Record
from .web import ServedPage

PAGE = "comparator, page"
PAGE_BUSY = "comparator, page, all cores busy"
LIBRARY = "comparator, library"
BY_HAND = "by hand, one process"
SPAWNED = "by hand, spawned child"
BARE_LOOP = "bare llama.cpp loop"
SERVER = "llama.cpp server"
MEMORY = "reading memory"
PROGRAMS = {
    LIBRARY: "comparator_engine",
    BY_HAND: "by_hand",
    SPAWNED: "spawned",
    BARE_LOOP: "bare_loop",
    SERVER: "llama_server",
    MEMORY: "memory_read",
}
MODELS = {
    "PyTorch": "pytorch/SmolLM2-135M-Instruct",
    "GGUF Q4_1": "gguf/SmolLM2-135M-Instruct.Q4_1.gguf",
    "GGUF Q8_0": "gguf/SmolLM2-135M-Instruct.Q8_0.gguf",
}
# Every starter model writes more than 256 tokens to it, so that nobody ends early; a round in
# which one does is noted in the result.
PROMPT = "Write a long story about a lighthouse keeper and the sea."


@dataclass(frozen=True)
class Amounts:
    """How much is measured.

    Attributes:
        repeats: rounds that count, of what takes long.
        short_repeats: rounds that count, of what takes seconds.
        decode_repeats: rounds that count, of writing beside llama.cpp, where a hundredth decides.
        tokens: written by each model.
        short_tokens: written where only memory or a warm-up matters.
        page_repeats: rounds that count, of the page's four columns.
        page_tokens: written by each of the page's four columns.
        page_rate: tokens a second of each of those columns.
        batch_answers: written one by one and several at once.
        batch_tokens: of each of them.
    """

    repeats: int = 3
    short_repeats: int = 5
    decode_repeats: int = 24
    tokens: int = 128
    short_tokens: int = 16
    page_repeats: int = 2
    page_tokens: int = 2048
    page_rate: int = 50
    batch_answers: int = 16
    batch_tokens: int = 64


QUICK = Amounts(
    repeats=1,
    short_repeats=1,
    decode_repeats=1,
    tokens=16,
    short_tokens=4,
    page_repeats=1,
    page_tokens=128,
    batch_answers=8,
    batch_tokens=16,
)


class Company:
    """The contenders of one run: each is started when it is first asked for, and ended with all.

    Attributes:
        record: where everything measured goes; within a round, that round's own.
        is_disturbed: whether a model of ours was disturbed in this round.
        amounts: how much is measured.
        models_dir: the folder of the starter models.
        tell: called with what is done now.
    """

    def __init__(
        self, models_dir: Path, amounts: Amounts, record: Record, tell: Callable[[str], None]
    ) -> None:
        self.models_dir = models_dir.absolute()
        self.amounts = amounts
        self.record = record
        self.is_disturbed = False
        self.tell = tell
        self._folder = tempfile.TemporaryDirectory(prefix="comparator-bench-")
        self.places = Path(self._folder.name)
        self.environment = quiet_environment(self.places)
        self._started: dict[str, Contender] = {}

    def __enter__(self) -> Company:
        return self

    def __exit__(self, *_error: object) -> None:
        for contender in self._started.values():
            contender.close()
        self._folder.cleanup()

    def path(self, label: str) -> Path:
        """Return the place of one of MODELS."""
        return self.models_dir / MODELS[label]

    def there(self, names: Sequence[str]) -> dict[str, Contender]:
        """Return those contenders that can be had; the others are noted as missing."""
        for name in names:
            if name not in self._started and name not in self.record.missing:
                self._start(name)
        return {name: self._started[name] for name in names if name in self._started}

    def retire(self) -> None:
        """End all contenders, so that the next ones are fresh."""
        for contender in self._started.values():
            contender.close()
        self._started.clear()

    @contextmanager
    def page_of(
        self,
        models_dir: Path,
        options: Sequence[str] = (),
        environment: Mapping[str, str] | None = None,
    ) -> Iterator[ServedPage]:
        """Serve a page over another folder, or with other options or variables, for a while."""
        page = ServedPage(models_dir, environment or self.environment, options)
        try:
            yield page
        finally:
            page.close()

    def _start(self, name: str) -> None:
        self.tell(f"starting: {name}")
        try:
            if name == PAGE:
                self._started[name] = ServedPage(self.models_dir, self.environment)
            else:
                self._started[name] = Program(PROGRAMS[name], self.environment)
        except PeerError as error:
            if name in (PAGE, LIBRARY):
                raise
            self.record.miss(name, str(error))


MOST_REPEATED = 3  # rounds in all that are thrown away of what is measured in turn
Work = Callable[[str, Any], None]


def in_turn(company: Company, names: Sequence[str], repeats: int, work: Work, what: str) -> None:
    """Let the contenders work in turn, each round beginning with another one.

    ``work`` is called with a contender's name and the contender. Who fails is noted as missing
    and not asked again; if that is the comparator itself, the run ends. A round in which ours was
    disturbed (``note_disturbed``) is thrown away, of all contenders, and repeated.
    """
    contenders = company.there(names)
    whole, left = company.record, MOST_REPEATED
    for number in range(repeats):
        while True:
            company.tell(f"{what}: round {number + 1} of {repeats}")
            company.record, company.is_disturbed = Record(), False
            try:
                _round(company, contenders, number, work)
            finally:
                part, company.record = company.record, whole
            if not company.is_disturbed or not left:
                break
            left -= 1
            whole.throw_away(what)
            for contender, reason in part.missing.items():
                whole.miss(contender, reason)
        whole.keep(part)
        if company.is_disturbed:
            whole.note(f"{what}: a round was kept though something else had the processor.")


def _round(company: Company, contenders: dict[str, Contender], number: int, work: Work) -> None:
    order = list(contenders)
    turn = number % max(1, len(order))
    for name in order[turn:] + order[:turn]:
        try:
            work(name, contenders[name])
        except PeerError as error:
            if name in (PAGE, LIBRARY):
                raise
            company.record.miss(name, str(error))
            del contenders[name]


def note_disturbed(company: Company, taken: Round) -> Round:
    """Note whether a model of ours was disturbed in a round, as its record tells, and return it.

    Peers do not tell. They run in the same minute, so that a round is judged by ours.
    """
    if any(figures.get("disturbed") for figures in taken["models"]):
        company.is_disturbed = True
    return taken


def note_round(
    company: Company, scenario: str, name: str, labels: Sequence[str], taken: Round, tokens: int
) -> None:
    """Put the figures of every column of one round into the record, by the column's model."""
    note_disturbed(company, taken)
    for label, figures in zip(labels, taken["models"], strict=True):
        for measure, key in _KEYS.items():
            if figures.get(key) is not None:
                company.record.add(scenario, measure, name, figures[key], label)
        if figures["tokens"] != tokens:
            company.record.note(
                f"{scenario}: {name} wrote {figures['tokens']} tokens instead of {tokens} "
                f"with {label}."
            )


_KEYS = {
    "load": "load_seconds",
    "first_token": "first_token_seconds",
    "decode": "tokens_per_second",
    "tokens": "tokens",
}
