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
from collections.abc import AsyncIterator
from typing import Any

from comparator.comparison.written import Place
from comparator.core.text import with_controls_shown
from comparator.hosting.session import Session
from comparator.ui.compare import render
from comparator.ui.threads import in_thread
from comparator.ui.wakeup import Wakeup

UPDATE_SECONDS = 0.05  # between two at least; tokens come every 0.12 s (runners/protocol.py)
YIELD_SECONDS = 0.25  # a closed tab is noticed at a yield and not before
KEPT_SECONDS = 20.0  # until it is in the history, where another program holds the file

View = dict[str, Any]
_numbers = itertools.count(1)


class Column:
    """One column: which comparison fills it, and its text as far as it has been taken in."""

    def __init__(self, session: Session, slot: int, attempt: int = 0) -> None:
        self.session = session
        self.slot = slot
        self.attempt = attempt
        self._text = self._thought = ""
        self._place = Place()
        self.view: View = {}
        self.redraw()

    def redraw(self) -> None:
        """Take in what is new and make the view anew."""
        comparison = self.session.comparison
        added = comparison.written_since(self.slot, self._place)
        if added.is_anew:
            self._text = self._thought = ""
        self._place = added.place
        self._text += with_controls_shown(added.answer) if added.answer else ""
        self._thought += with_controls_shown(added.thought) if added.thought else ""
        result, label = comparison.status(self.slot), comparison.request.slots[self.slot].label
        column = render.column(result, self._text, label, self.session.position, self._thought)
        self.view = {**column, "attempt": self.attempt}


class Board:
    """The views of one comparison and of its columns' retries; only what changed is made anew."""

    def __init__(self, session: Session) -> None:
        self._number = next(_numbers)
        self._latest = session
        self._kept_before: str | None = None
        self._columns = [
            Column(session, slot) for slot in range(len(session.comparison.request.slots))
        ]
        self._positions = {session: session.position}
        self.view = self._assembled()

    def column(self, number: int) -> Column | None:
        """Return one column, if there is one of that number."""
        return self._columns[number] if 0 <= number < len(self._columns) else None

    def retry(self, number: int, session: Session) -> None:
        """Let a comparison of one model fill a column anew; the others stay as they are."""
        self._kept_before = self.view["comparison"]
        self._columns[number] = Column(session, 0, self._columns[number].attempt + 1)
        self._latest = session
        self._positions = {column.session: -1 for column in self._columns}
        self.view = self._assembled()

    def update(self) -> bool:
        """Take in what has come; return whether the view is a new one."""
        changed = [column for session in self._positions for column in self._changed(session)]
        for column in changed:
            column.redraw()
        if changed:
            self.view = self._assembled()
        return bool(changed)

    def _changed(self, session: Session) -> list[Column]:
        slots, position = session.comparison.drain(), session.position
        moved = position != self._positions[session]
        self._positions[session] = position
        own = [column for column in self._columns if column.session is session]
        return [column for column in own if moved or column.slot in slots]

    def _assembled(self) -> View:
        position = self._latest.position
        note = f"You are number {position} in line." if position else ""
        return {
            "run": self._number,
            "running": not all(session.is_complete for session in self._positions),
            "note": self._latest.trouble or note,
            "columns": [column.view for column in self._columns],
            "comparison": self._latest.kept_as or self._kept_before,
        }

    def note_kept(self) -> None:
        """Put the id into the view by which the comparison is in the history now."""
        self.view = self._assembled()


async def follow(board: Board, session: Session, wakeup: Wakeup) -> AsyncIterator[View]:
    """Yield views until the comparison is complete, the same one again when nothing came."""
    yield board.view
    while not session.is_complete:
        started = time.monotonic()
        await wakeup.wait(YIELD_SECONDS)
        board.update()
        yield board.view
        if not session.is_complete:
            await asyncio.sleep(max(0.0, UPDATE_SECONDS - (time.monotonic() - started)))
    if session.is_to_be_kept and await in_thread(session.join, KEPT_SECONDS):
        board.note_kept()
        yield board.view
