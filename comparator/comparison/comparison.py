"""One conversation to several models: who runs when, and what has come so far.

Executors (``runners.executor``) deliver messages into one queue; whoever shows the comparison
drains it and reads snapshots. Starting the next model is done by the thread whose run ended,
so that no viewer, however slow, can hold the comparison up.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from comparator.comparison import file_cache, read_ahead
from comparator.comparison.assignments import assignment_of, decided, refusal
from comparator.comparison.disturbance import Beside
from comparator.comparison.request import Advice, Files, Lesson, Request, Slot
from comparator.comparison.results import ResultBuilder
from comparator.comparison.slot_checks import said_of
from comparator.comparison.written import Added, AnswerPart, ReadingPlace
from comparator.core.models import InferenceResult
from comparator.core.quiet import MeasuredRun, quiet
from runners import protocol
from runners.executor import Executor
from runners.process import executors_here

_log = logging.getLogger(__name__)

ExecutorFor = Callable[[protocol.Assignment], Executor]


@dataclass(frozen=True)
class News:
    """A message of one slot and when it came (``time.monotonic``).

    None says that its turn has come and its engine is not warm yet, an advice that its run begins.
    """

    slot: int
    message: protocol.Message | Advice | None
    at: float


def _ignore(_slot: int, _message: protocol.Message) -> None:
    """Take the place of one who wants to know how columns end."""


def _forget(_slot: Slot, _result: InferenceResult) -> None:
    """Take the place of one who keeps what runs have shown."""


def _no_advice(_slot: Slot, _should_stop: Callable[[], bool]) -> Advice:
    """Take the place of one who knows how engines do on this machine."""
    return Advice()


def _nothing() -> None:
    """Take the place of one who wants to know that no child will come any more."""


def _is_warm(_slot: Slot) -> bool:
    """Take the place of one who knows whether an engine has to be waited for."""
    return True


def _unlearned(_slot: Slot, _lesson: Lesson) -> None:
    """Take the place of one who keeps what engines learn."""


class Comparison:
    """A comparison under way. ``drain`` and ``results`` belong to one reader.

    ``on_final`` is called once for each column with its final message, from any thread;
    ``on_result`` once with its complete result, by the reader. ``advise`` is asked before each
    run, in a thread that may wait for its engine, and ``is_warm`` whether it will not have to;
    ``on_lesson`` is called after it in its own. ``on_end`` is called when no child is left.

    Args:
        request: what is asked.
        on_news: called after every message, from any thread.
        executor_for: makes the executor of an assignment; child processes here by default.

    Attributes:
        name: its id in the history; None where it is not kept.
    """

    def __init__(
        self,
        request: Request,
        on_news: Callable[[], None] | None = None,
        executor_for: ExecutorFor | None = None,
    ) -> None:
        self.request = request
        self.name: str | None = None
        self.on_final: Callable[[int, protocol.Message], None] = _ignore
        self.on_result: Callable[[Slot, InferenceResult], None] = _forget
        self.advise: Callable[[Slot, Callable[[], bool]], Advice] = _no_advice
        self.on_end: Callable[[], None] = _nothing
        self.is_warm: Callable[[Slot], bool] = _is_warm
        self.on_lesson: Callable[[Slot, Lesson], None] = _unlearned
        self._on_news = on_news or (lambda: None)
        # Made now: it knows the visitor whose GPU time it uses.
        self._executor_for = executor_for or executors_here(request.deadlines)
        self._configs = [slot.config.with_seed() for slot in request.slots]
        self._builders = [
            ResultBuilder(
                slot.model,
                config,
                " ".join(filter(None, (request.notice, slot.notice))) or None,
                slot.conversation or request.conversation,
                sources=slot.sources,
            )
            for slot, config in zip(request.slots, self._configs, strict=True)
        ]
        self._news: queue.SimpleQueue[News] = queue.SimpleQueue()
        self._runs: dict[int, Executor] = {}
        self._loaded: dict[int, protocol.Loaded] = {}
        self._measured: dict[int, MeasuredRun] = {}
        self._beside: dict[int, tuple[str, ...]] = {}
        self._waiting = list(range(len(request.slots)))
        self._lock = threading.Lock()
        self._reading = threading.Lock()  # its reader, or who settles it: one takes news at a time
        self._unseen: set[int] = set()  # slots that were settled before their reader saw it
        self._starter = threading.Thread(target=self._begin, name="comparator-start", daemon=True)
        self._stopped: set[int] = set()
        self._left = len(request.slots)
        self._ended = threading.Event()

    def start(self) -> Comparison:
        """Start the first model, or all of them where they run together; returns at once."""
        self._starter.start()
        return self

    def _begin(self) -> None:
        self._refuse_early()
        while self._start_next() and self.request.together:
            pass

    def _refuse_early(self) -> None:
        """Tell those that will not run, so that nobody waits for them behind the others."""
        with self._lock:
            refused = [n for n in self._waiting if self.request.slots[n].refusal]
            self._waiting = [number for number in self._waiting if number not in refused]
        for number in refused:
            why = refusal(self.request.slots[number])
            self._tell(number, why or protocol.Cancelled("start"))

    def drain(self, timeout_seconds: float = 0.0) -> set[int]:
        """Take in what has come and return the slots that changed, waiting for the first."""
        with self._reading:
            changed, self._unseen = self._unseen, set()
            return changed | self._taken_in(0 if changed else timeout_seconds)

    def _taken_in(self, timeout_seconds: float) -> set[int]:
        changed: set[int] = set()
        try:
            while True:
                news = self._news.get(timeout=0 if changed else timeout_seconds)
                self._fold(news)
                changed.add(news.slot)
        except queue.Empty:
            return changed

    def settle(self) -> None:
        """Take in what is left of a comparison that has ended; from any thread.

        Its reader, where there is one, is told of it by its next ``drain`` or ``take_one``.
        """
        with self._reading:
            self._unseen |= self._taken_in(0)

    def take_one(self, timeout_seconds: float) -> int | None:
        """Take in the next message alone and return its slot; None when nothing came."""
        with self._reading:
            if self._unseen:
                return self._unseen.pop()
            try:
                news = self._news.get(timeout=timeout_seconds)
            except queue.Empty:
                return None
            self._fold(news)
            return news.slot

    def result(self, slot: int) -> InferenceResult:
        """Return a snapshot of one column."""
        return self._builders[slot].snapshot()

    def results(self) -> list[InferenceResult]:
        """Return a snapshot of every column."""
        return [builder.snapshot() for builder in self._builders]

    def status(self, slot: int) -> InferenceResult:
        """Return a snapshot of one column without its text, at a cost that does not grow."""
        return self._builders[slot].snapshot(with_content=False)

    def written_since(self, slot: int, place: ReadingPlace) -> Added:
        """Return what a column has written since a reader's place."""
        return self._builders[slot].written.since(place)

    def samples(self, slot: int) -> dict[str, list[Any]]:
        """Return what a column's run has held of memory so far, as ``Receipt.samples``."""
        run = self._runs.get(slot)
        return run.samples if run is not None else {}

    def pieces(self, slot: int) -> list[AnswerPart]:
        """Return a column's answer by its tokens."""
        return self._builders[slot].written.pieces()

    def looks(self, slot: int) -> int:
        """Return how many looks at a column's memory there were, at hardly any cost."""
        run = self._runs.get(slot)
        return run.looks if run is not None else 0

    @property
    def is_complete(self) -> bool:
        """Whether every column has its final message, and the reader was told."""
        return not self._unseen and all(builder.is_complete for builder in self._builders)

    def stop(self, slot: int | None = None) -> None:
        """Stop one column, or all; returns at once and is harmless at any time."""
        slots = range(len(self._builders)) if slot is None else [slot]
        with self._lock:
            self._stopped.update(slots)
            runs = [self._runs[number] for number in slots if number in self._runs]
            waiting = [number for number in slots if number in self._waiting]
            self._waiting = [number for number in self._waiting if number not in waiting]
        for run in runs:
            run.stop()
        for number in waiting:
            self._tell(number, protocol.Cancelled("start"))

    def join(self, timeout_seconds: float) -> bool:
        """Wait until no child of this comparison is left; return whether that is so."""
        end = time.monotonic() + timeout_seconds
        began = self._starter.ident is not None
        if began and self._starter is not threading.current_thread():  # it may start a child yet
            self._starter.join(timeout_seconds)
        with self._lock:
            runs = list(self._runs.values())
        return all([run.join(max(0.0, end - time.monotonic())) for run in runs])

    def wait_until_ended(self, timeout_seconds: float | None = None) -> bool:
        """Wait until every column's child is reaped (or will never start), read or not."""
        return self._ended.wait(timeout_seconds)

    @property
    def has_ended(self) -> bool:
        """Whether no child is left and none will come; the news of it may still be unread."""
        return self._ended.is_set()

    def pids(self) -> list[int]:
        """Return the process ids of the children that run."""
        return [pid for _slot, pid in self.children()]

    def children(self) -> list[tuple[int, int]]:
        """Return slot and process id of every child that runs."""
        with self._lock:
            runs = list(self._runs.items())
        return [(slot, run.pid) for slot, run in runs if run.pid and not run.join(0)]

    def _fold(self, news: News) -> None:
        builder = self._builders[news.slot]
        if news.message is None:
            builder.wait_for_start()
            return
        if isinstance(news.message, Advice):
            builder.begin(news.at, news.message)
            return
        run = self._runs.get(news.slot)
        is_final = isinstance(news.message, protocol.FINAL)
        slot = self.request.slots[news.slot]
        if is_final and run is not None:
            beside = self._beside.get(news.slot, ())
            builder.keep_evidence(run.receipt, run.log_tail, _estimates_of(slot), beside)
            builder.judge(_beside_of(self._measured[news.slot], self.request.on_page))
        builder.take(news.message, news.at)
        if is_final:
            self.on_result(slot, builder.snapshot(with_content=False))

    def _start_next(self) -> bool:
        with self._lock:
            if not self._waiting:
                return False
            number = self._waiting.pop(0)
        slot = self.request.slots[number]
        refused = refusal(slot)
        if refused is not None:
            self._tell(number, refused)
            return self._start_next()
        advice = self._advice(number, slot)
        measured = self._measured[number] = quiet.begin_run(of=id(self))
        cached, notice = self._files(number, slot)
        advice = replace(
            advice,
            start_seconds=advice.start_seconds + measured.waited_seconds,
            files_cached=cached,
            notice=" ".join(filter(None, (notice, *said_of(slot)))),
            sent=decided(self.request, slot, self._configs[number]),
        )
        started = time.monotonic()
        self._news.put(News(number, advice, started))
        if advice.sentences:
            self._news.put(News(number, protocol.FellBack(advice.sentences), started))
        self._start_run(number, slot, started, advice.verdict)
        return True

    def _advice(self, number: int, slot: Slot) -> Advice:
        """Ask for advice; without it a run goes on as well, and its column never hangs."""
        try:
            if not self.is_warm(slot):
                self._news.put(News(number, None, time.monotonic()))
                self._on_news()
            return self.advise(slot, lambda: number in self._stopped)
        except Exception:
            _log.exception("There is no verdict for %s", slot.model.name)
            return Advice()

    def _files(self, number: int, slot: Slot) -> tuple[float | None, str]:
        """Make a model's files cold or warm where that is asked, and look how they are."""
        if self.request.files is not Files.AS_THEY_ARE:
            self._news.put(News(number, None, time.monotonic()))
            self._on_news()
        return file_cache.prepared(slot.model, self.request.files, lambda: number in self._stopped)

    def _start_run(
        self, number: int, slot: Slot, started: float, verdict: dict[str, Any] | None = None
    ) -> None:
        assignment = self._assignment(number, slot, started, verdict)
        run = self._executor_for(assignment)
        with self._lock:  # so that nobody joins a run that has not begun
            stopped = number in self._stopped
            if not stopped:
                self._runs[number] = run
                run.start(assignment, lambda message: self._delivered(number, message))
        if stopped:
            self._delivered(number, protocol.Cancelled("start"))

    def _assignment(
        self, number: int, slot: Slot, started: float, verdict: dict[str, Any] | None = None
    ) -> protocol.Assignment:
        return assignment_of(self.request, slot, self._configs[number], started, verdict)

    def _delivered(self, number: int, message: protocol.Message) -> None:
        """Pass a message on; called in the thread of that run's executor."""
        if isinstance(message, protocol.FINAL):
            self._beside[number] = quiet.end_run(self._measured[number])
        self._tell(number, message)
        if isinstance(message, protocol.Prompted):
            self._read_ahead(number)
        elif isinstance(message, protocol.Loaded):
            self._loaded[number] = message
        elif isinstance(message, protocol.FINAL):
            self._keep_lesson(number)
            if not self.request.together:
                self._start_next()

    def _keep_lesson(self, number: int) -> None:
        run, loaded = self._runs.get(number), self._loaded.get(number)
        if run is not None and ((loaded and loaded.learned) or run.evaded_crash):
            lesson = Lesson(run.verdict, loaded.learned if loaded else {}, run.evaded_crash)
            self.on_lesson(self.request.slots[number], lesson)

    def _read_ahead(self, number: int) -> None:
        with self._lock:
            following = next(iter(self._waiting), None)
        loaded, is_cold = self._loaded.get(number), self.request.files is Files.COLD
        if following is not None and loaded is not None and not is_cold:
            read_ahead.begin(self.request.slots[following].model, loaded.threads)

    def _tell(self, number: int, message: protocol.Message) -> None:
        self._news.put(News(number, message, time.monotonic()))
        if isinstance(message, protocol.FINAL):
            self.on_final(number, message)
            self._count_down()
        self._on_news()

    def _count_down(self) -> None:
        with self._lock:
            self._left -= 1
            has_ended = self._left == 0
        if has_ended:
            self.on_end()
            self._ended.set()


def _beside_of(measured: MeasuredRun, on_page: bool) -> Beside:
    """Return what of this program ran beside a run."""
    return Beside(measured.comparisons, len(measured.beside), measured.together, on_page)


def _estimates_of(slot: Slot) -> dict[str, int]:
    """Return what was expected before a run, for its receipt."""
    return {
        "estimated_bytes": slot.estimated_bytes,
        "estimated_device_bytes": slot.estimated_device_bytes,
    }
