"""Following one comparison: an asynchronous stream of views for the browser's board.

Every view is whole, texts included. What goes to the browser is the difference from the view
before, which Gradio makes (for a text that has grown, what was appended) and the browser applies
to the view that it holds. So a view cannot lack what an earlier one had, and the last message of
a comparison carries all of it once more.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Mapping, Sequence

import msgspec

from comparator.comparison.kept import KeptComparison, new_id
from comparator.hosting.session import Session
from comparator.ui.compare.badges import badges
from comparator.ui.compare.blind import Ballot, covered
from comparator.ui.compare.columns import AnyColumn, Column, KeptColumn, View
from comparator.ui.compare.fair_play import FairPlayPanel
from comparator.ui.compare.machine import MachinePanel
from comparator.ui.threads import in_thread
from comparator.ui.wakeup import Wakeup

UPDATE_SECONDS = 0.05  # between two at least; tokens come every 0.12 s (runners/protocol.py)
YIELD_SECONDS = 0.25  # a closed tab is noticed at a yield and not before
KEPT_SECONDS = 20.0  # until it is in the history, where another program holds the file

_numbers = itertools.count(1)


class Board:
    """The views of one comparison and of its columns' retries; only what changed is made anew.

    Args:
        session: what fills it; None for a comparison that is over and kept (``reopened``).
        places: which columns of the board its slots fill, in their order; all from the first.
        others: further columns, by place.
        kept: the comparison that it goes on from, or reopens.
        ballot: what may be said of the answers, and whether their names are hidden until then.
        asked_on: whether the question was asked on the board, and does not stand in the form.
    """

    def __init__(
        self,
        session: Session | None,
        places: Sequence[int] | None = None,
        others: Mapping[int, AnyColumn] | None = None,
        kept: KeptComparison | None = None,
        ballot: Ballot | None = None,
        asked_on: bool = False,
    ) -> None:
        self.ballot = ballot or Ballot()
        columns = dict(others or {})
        if session is not None:
            slots = range(len(session.comparison.request.slots))
            columns |= {
                place: Column(session, slot, asked_on=asked_on)
                for slot, place in enumerate(places or slots)
            }
        self._number = next(_numbers)
        self._latest = session
        self._kept = kept
        self._kept_before = kept.id if kept and session is None else None
        self._columns = [columns[place] for place in sorted(columns)]
        self._positions = {session: session.position} if session else {}
        self._fair_play, self._machine = FairPlayPanel(), MachinePanel()
        self.view = self._assembled()

    @classmethod
    def reopened(cls, kept: KeptComparison, ballot: Ballot | None = None) -> Board:
        """Return the board of a comparison that is over and kept; it can be asked on."""
        columns = {place: KeptColumn(place, one) for place, one in enumerate(kept.records)}
        return cls(None, others=columns, kept=kept, ballot=ballot)

    @property
    def is_blind(self) -> bool:
        """Whether it hides whose answers it shows."""
        return self.ballot.is_blind

    @property
    def session(self) -> Session | None:
        """Return what fills it, or did last; None for one of the history."""
        return self._latest

    def column(self, number: int) -> AnyColumn | None:
        """Return one column, if there is one of that number."""
        return self._columns[number] if 0 <= number < len(self._columns) else None

    def retry(self, number: int, session: Session) -> None:
        """Let a comparison of one model fill a column anew; the others stay as they are."""
        self._kept_before = self.view["comparison"]
        self.ballot = Ballot()
        before = self._columns[number]
        self._columns[number] = Column(session, 0, before.attempt + 1, before.asked_on)
        self._columns[number].shows_tokens = before.shows_tokens
        self._latest = session
        live = (column.session for column in self._columns)
        self._positions = {one: -1 for one in live if one is not None}
        self.view = self._assembled()

    def show_tokens(self) -> None:
        """Let the views tell the tokens of answers that are over."""
        for column in self._columns:
            column.shows_tokens = True
            column.redraw()
        self.view = self._assembled()

    def kept(self) -> KeptComparison:
        """Return it as it would be kept, with its columns as they stand."""
        request = self._latest.comparison.request if self._latest else None
        before = self._kept or KeptComparison(id=new_id(), created=time.time())
        return msgspec.structs.replace(
            before,
            id=self.view["comparison"] or before.id,
            together=request.wants_together if request else before.together,
            files=request.files.value if request else before.files,
            date=None if request else before.date,
            records=[column.record() for column in self._columns],
        )

    def update(self) -> bool:
        """Take in what has come; return whether the view is a new one."""
        changed = [column for session in self._positions for column in self._changed(session)]
        for column in changed:
            column.redraw()
        if changed:
            self.view = self._assembled()
        return bool(changed)

    def _changed(self, session: Session) -> list[AnyColumn]:
        slots, position = session.comparison.drain(), session.position
        moved = position != self._positions[session]
        self._positions[session] = position
        own = [column for column in self._columns if column.session is session]
        return [column for column in own if moved or column.slot in slots]

    def _assembled(self) -> View:
        latest = self._latest
        running = not all(session.is_complete for session in self._positions)
        vote = self.ballot.view(self._columns, running, latest is None or latest.is_to_be_kept)
        if self.ballot.is_blind:
            return self._covered(running, vote)
        return {
            "run": self._number,
            "running": running,
            "badges": [] if running else self._badges(),
            "note": (latest.trouble or latest.waits_for if latest else None) or "",
            "position": latest.position if latest else 0,
            "columns": [column.view for column in self._columns],
            "fair_play": self._fair_play.view(self._columns),
            "machine": self._machine.view(self._columns),
            "comparison": self._kept_as,
            "vote": vote,
        }

    @property
    def _kept_as(self) -> str | None:
        return (self._latest.kept_as if self._latest else None) or self._kept_before

    def _covered(self, running: bool, vote: View | None) -> View:
        """Return what is told while the names are hidden; nothing else goes to the browser."""
        return {
            "run": self._number,
            "running": running,
            "badges": [],
            "note": self._latest.waits_for if self._latest else "",
            "position": self._latest.position if self._latest else 0,
            "columns": [
                covered(column.view, place, not running)
                for place, column in enumerate(self._columns)
            ],
            "fair_play": None,
            "machine": None,
            "comparison": self._kept_as,
            "vote": vote,
        }

    def redraw(self) -> None:
        """Make the view anew, for what was said of the answers."""
        self.view = self._assembled()

    def _badges(self) -> list[View]:
        """Return what is to be said of columns that were asked twice alike."""
        now = [n for n, column in enumerate(self._columns) if column.session is not None]
        return badges([column.record() for column in self._columns], self._kept, now)

    def note_kept(self) -> None:
        """Put the id into the view by which the comparison is in the history now."""
        self.view = self._assembled()


async def follow(board: Board, session: Session, wakeup: Wakeup) -> AsyncIterator[View]:
    """Yield views until the comparison is complete, the same one again when nothing came."""
    yield board.view
    while not session.is_complete:
        started = time.monotonic()
        if board.is_blind:  # at one pace, so that no time tells who writes
            await asyncio.sleep(YIELD_SECONDS)
        else:
            await wakeup.wait(YIELD_SECONDS)
        board.update()
        yield board.view
        if not session.is_complete:
            await asyncio.sleep(max(0.0, UPDATE_SECONDS - (time.monotonic() - started)))
    if board.update():  # whoever keeps it may have taken its end in before
        yield board.view
    if session.is_to_be_kept and await in_thread(session.join, KEPT_SECONDS):
        board.note_kept()
        yield board.view
