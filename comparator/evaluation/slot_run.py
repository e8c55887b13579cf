"""One child that answers many cells of a suite by one model, and what to do where it dies.

A comparison of one slot with more to ask: it is admitted, warmed, measured and ended as any other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import msgspec

from comparator.comparison.comparison import Comparison, News
from comparator.comparison.disturbance import Beside
from comparator.comparison.request import Advice, Request, Slot
from comparator.core.models import InferenceResult
from comparator.evaluation.cells import AskedCell, CellFold
from comparator.services.inference_engine import InferenceEngine
from comparator.storage.kept_suite import Cell
from runners import protocol
from runners.executor import Receipt

LOOK_SECONDS = 0.2  # between two looks whether to stop, while nothing comes

ShouldStop = Callable[[], bool]
OnCell = Callable[[Cell], None]


@dataclass(frozen=True)
class AnswerBatch:
    """How many answers a child decodes at once, and with which context for each."""

    size: int = 1
    context_tokens: int | None = None


@dataclass
class SlotFacts:
    """What the children of a slot have shown that no cell has.

    Attributes:
        load_seconds: of the last load.
        peak_bytes: the most that one of them held of RAM.
        peak_device_bytes: the same of accelerators.
        children: how many there were.
    """

    load_seconds: float | None = None
    peak_bytes: int = 0
    peak_device_bytes: int = 0
    children: int = 0

    def note(self, result: InferenceResult, receipt: Receipt | None) -> None:
        """Take in how a child ended."""
        self.children += 1
        if result.stats.load_seconds is not None:
            self.load_seconds = result.stats.load_seconds
        if receipt is not None:
            self.peak_bytes = max(self.peak_bytes, receipt.peak_bytes)
            self.peak_device_bytes = max(self.peak_device_bytes, receipt.peak_device_bytes)


class _Child(Comparison):
    """A run of one slot that is asked several conversations; ``on_cell`` gets each as it ends."""

    def __init__(
        self,
        request: Request,
        asked: Sequence[AskedCell],
        batch: AnswerBatch,
        on_cell: OnCell,
        on_loaded: Callable[[], None],
    ) -> None:
        super().__init__(request)
        self.batch = batch
        self.final: protocol.Message | None = None
        self.ended_at = 0.0
        self.fold = CellFold(request.slots[0], asked, batch.size > 1)
        self._asked, self._on_cell, self._on_loaded = asked, on_cell, on_loaded

    @property
    def receipt(self) -> Receipt | None:
        """What it took of this machine; None before its end, and where it never began."""
        run = self._runs.get(0)
        return run.receipt if run is not None else None

    def _assignment(
        self,
        number: int,
        slot: Slot,
        started: float,
        verdict: dict[str, object] | None = None,
    ) -> protocol.Assignment:
        assignment = super()._assignment(number, slot, started, verdict)
        work = assignment.work
        assert isinstance(work, protocol.Answer)
        config = work.config
        if self.batch.context_tokens is not None:
            config = replace(config, n_ctx=self.batch.context_tokens)
        system = slot.config.system_prompt
        conversations = tuple(one.conversation.with_system(system) for one in self._asked)
        seeds = tuple(one.seed for one in self._asked)
        work = replace(
            work, config=config, conversations=conversations, seeds=seeds, batch=self.batch.size
        )
        return msgspec.structs.replace(assignment, work=work)

    def _fold(self, news: News) -> None:
        super()._fold(news)
        message = news.message
        if isinstance(message, Advice):
            self.fold.slot = self.request.slots[0]
            self.fold.begin(news.at, self._as_sent(message))
        elif isinstance(message, protocol.FINAL):
            self.final, self.ended_at = message, news.at
        elif message is not None:
            if isinstance(message, protocol.Loaded):
                self._on_loaded()
            cell = self.fold.take(message, self._beside_now())
            if cell is not None:
                self._on_cell(cell)

    def _as_sent(self, advice: Advice) -> Advice:
        """Return what is known of the start, with the context that was chosen for a batch."""
        context = self.batch.context_tokens
        if context in (None, self.request.slots[0].config.n_ctx):
            return advice
        return replace(advice, sent={**advice.sent, "n_ctx": context})

    def _beside_now(self) -> Beside:
        measured = self._measured.get(0)
        if measured is None:
            return Beside()
        return Beside(measured.comparisons, len(measured.beside), measured.together)


@dataclass
class SlotRun:
    """Asks the cells of one slot: one load for all, and a fresh child where one dies.

    What a child was answering when it died fails; a prompt is never asked again that killed its
    child alone. Of several at once nobody knows which it was: these are asked once more, one by
    one.

    Attributes:
        engine: who runs models.
        request: the slot with what all its runs have in common.
        batch: how many are answered at once.
        on_cell: gets each cell as it ends.
        on_loaded: called when the model is ready, by each child.
        should_stop: asked a few times a second.
        facts: what its children have shown.
        was_stopped: whether somebody ended a child before it had answered all.
    """

    engine: InferenceEngine
    request: Request
    batch: AnswerBatch
    on_cell: OnCell
    on_loaded: Callable[[], None]
    should_stop: ShouldStop
    facts: SlotFacts = field(default_factory=SlotFacts)
    was_stopped: bool = False

    def ask(self, asked: Sequence[AskedCell]) -> None:
        """Ask these cells until each has ended, or a stop is asked."""
        left, suspects = list(asked), list[AskedCell]()
        while (left or suspects) and not self._is_over:
            if suspects:
                suspects = self._ask_some(suspects, AnswerBatch(1, self.batch.context_tokens))[1]
                continue
            dubious, left = self._ask_some(left, self.batch)
            suspects = dubious

    @property
    def _is_over(self) -> bool:
        return self.was_stopped or self.should_stop()

    def _ask_some(
        self, asked: Sequence[AskedCell], batch: AnswerBatch
    ) -> tuple[list[AskedCell], list[AskedCell]]:
        """Ask cells of one child; return what has to be asked alone, and what remains to be asked.

        Both are empty where all is done; what was stopped remains.
        """
        child = self._run(asked, batch)
        fold, final = child.fold, child.final
        if isinstance(final, protocol.Cancelled) or final is None:  # by us, or as the engine ends
            self.was_stopped = True
        if isinstance(final, protocol.Finished) and fold.left:  # it was told to end by a signal
            self.was_stopped = True
        if self._is_over:
            return [], [asked[number] for number in fold.left]
        if isinstance(final, protocol.Finished):
            self.engine.cooldown.note(self.request.slots[0].model, None)
            return [], []
        if not fold.is_loaded:
            self._fail(child, fold.left)
            return [], []
        if fold.ended:  # it is no model that fails again and again
            self.engine.cooldown.note(self.request.slots[0].model, None)
        culprits = fold.under_way or fold.left[:1]
        rest = [number for number in fold.left if number not in culprits]
        if len(culprits) == 1:
            self._fail(child, culprits)
            return [], [asked[number] for number in rest]
        return [asked[n] for n in culprits], [asked[n] for n in rest]

    def _fail(self, child: _Child, numbers: Sequence[int]) -> None:
        final = child.final or protocol.Cancelled("start")
        for number in numbers:
            self.on_cell(child.fold.failed(number, final, child.ended_at))

    def _run(self, asked: Sequence[AskedCell], batch: AnswerBatch) -> _Child:
        """Run one child to its end."""
        child = _Child(self._request(asked), asked, batch, self.on_cell, self.on_loaded)
        self.engine.start(child)
        if batch.size > 1:  # what it holds and how fast it is says nothing of one answer
            child.on_result = lambda _slot, _result: None
        try:
            while not child.is_complete:
                child.drain(LOOK_SECONDS)
                if self.should_stop():
                    child.stop()
        finally:
            self.engine.finish(child)
        self.facts.note(child.result(0), child.receipt)
        return child

    def _request(self, asked: Sequence[AskedCell]) -> Request:
        """Return what one child is admitted by: its longest question that is not too long."""
        request = self.request
        by_length = sorted(
            (one.conversation for one in asked), key=lambda it: len(it.as_text()), reverse=True
        )
        requests = (replace(request, conversation=conversation) for conversation in by_length)
        found = next((one for one in requests if self._may_fit(one)), request)
        limit = request.deadlines.total_seconds  # of one answer's run, as a comparison has it
        together = limit * len(asked) if limit else None
        return replace(found, deadlines=replace(request.deadlines, total_seconds=together))

    def _may_fit(self, request: Request) -> bool:
        (size,) = self.engine.token_counts.known(request)
        return not (size and size.refusal)
