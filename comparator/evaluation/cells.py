"""From the messages of a run of many conversations to the cells of a suite: a fold, nothing else.

The times of a cell count from when its own answer was begun: the model is loaded once for all, and
``load_seconds`` is told in each record.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import msgspec

from comparator.comparison.disturbance import Beside
from comparator.comparison.request import Advice, Slot
from comparator.comparison.results import ResultBuilder
from comparator.core.conversation import Conversation
from comparator.services.inference_engine import REPLACED
from comparator.storage.kept_suite import Cell, CellKey, CellState
from runners import protocol


@dataclass(frozen=True)
class AskedCell:
    """A cell that is to be asked: what, and with which seed."""

    key: CellKey
    conversation: Conversation
    seed: int


@dataclass
class _Begun:
    """An answer that is under way; ``since`` is its begin in seconds of the run."""

    builder: ResultBuilder
    since: float


@dataclass
class CellFold:
    """Takes the messages of one child, and hands out each cell when its answer ends.

    Attributes:
        slot: who is asked.
        asked: the cells, in the order of the conversations that the child was given.
        is_batched: whether several are answered at once.
        is_loaded: whether the model has been ready.
        ended: the numbers of the answers that have ended.
    """

    slot: Slot
    asked: Sequence[AskedCell]
    is_batched: bool = False
    is_loaded: bool = False
    ended: set[int] = field(default_factory=set)
    _advice: Advice = field(default_factory=Advice)
    _began: float = 0.0  # the run, on the clock of ``time.monotonic``
    _free_since: float = 0.0  # seconds of the run when the model could begin with another answer
    _common: list[protocol.Message] = field(default_factory=list)
    _begun: dict[int, _Begun] = field(default_factory=dict)

    def begin(self, at: float, advice: Advice) -> None:
        """Take in when the run begins, and what is known of its start."""
        self._began, self._advice = at, advice

    @property
    def under_way(self) -> list[int]:
        """The numbers of the answers that have begun and not ended."""
        return sorted(self._begun)

    @property
    def left(self) -> list[int]:
        """The numbers of the answers that have not ended."""
        return [number for number in range(len(self.asked)) if number not in self.ended]

    def take(self, message: protocol.Message, beside: Beside) -> Cell | None:
        """Take in a message, and return the cell that ends with it, if one does.

        Args:
            message: of the child, in its order.
            beside: what of this program runs at the same time.
        """
        if isinstance(message, protocol.Hello):  # a second one after a child that died early
            self._begun, self._common = {}, [message]
        elif isinstance(message, (protocol.FellBack, protocol.Loaded)):
            self._common.append(message)
            if isinstance(message, protocol.Loaded):
                self.is_loaded, self._free_since = True, message.seconds
        elif isinstance(message, (protocol.Prompted, protocol.Token, protocol.Answered)):
            return self._take_answer(message, beside)
        return None

    def failed(self, number: int, final: protocol.Message, at: float) -> Cell:
        """Return the cell of an answer that the end of the whole run has ended."""
        begun = self._begun.pop(number, None) or self._begin(number, at - self._began)
        begun.builder.take(final, at)
        self.ended.add(number)
        return self._cell(number, begun.builder, 1)

    def _take_answer(
        self, message: protocol.Prompted | protocol.Token | protocol.Answered, beside: Beside
    ) -> Cell | None:
        number = message.answer
        if number in self.ended or number >= len(self.asked):
            return None
        if number not in self._begun:
            since = message.seconds if self.is_batched else self._free_since
            self._begun[number] = self._begin(number, since)
        begun = self._begun[number]
        seconds = max(0.0, message.seconds - begun.since)
        begun.builder.take(msgspec.structs.replace(message, seconds=seconds), 0.0)
        if isinstance(message, protocol.Answered):
            return self._end(number, message, beside)
        return None

    def _begin(self, number: int, since: float) -> _Begun:
        asked, slot = self.asked[number], self.slot
        replaced = REPLACED if asked.conversation.has_replacements else ""
        notice = " ".join(filter(None, (replaced, slot.notice))) or None
        config = replace(slot.config, seed=asked.seed)
        builder = ResultBuilder(
            slot.model, config, notice, asked.conversation, number, sources=slot.sources
        )
        is_first = not self.ended and not self._begun
        advice = self._advice if is_first else replace(self._advice, start_seconds=0.0)
        builder.begin(self._began + max(0.0, since), advice)
        for message in self._common:
            builder.take(message, self._began)
        return _Begun(builder, since)

    def _end(self, number: int, message: protocol.Answered, beside: Beside) -> Cell | None:
        builder = self._begun.pop(number).builder
        self._free_since = message.seconds
        if message.reason == "cancelled":  # asked again when the suite goes on
            return None
        builder.judge(beside)
        builder.take(protocol.Finished(message.seconds), self._began + message.seconds)
        self.ended.add(number)
        return self._cell(number, builder, max(1, message.batch))

    def _cell(self, number: int, builder: ResultBuilder, batch: int) -> Cell:
        result = builder.snapshot()
        state: CellState = "failed" if result.error else "done"
        record = result.to_record()
        if batch > 1:
            record = {**record, "batch": batch}
        return Cell(*self.asked[number].key, state=state, batch=batch, record=record)
