"""Following one comparison: an asynchronous stream of views for the browser's board."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from typing import Any

from comparator.services.hosting import Sitting
from comparator.ui import render

UPDATE_SECONDS = 0.1  # at most ten updates a second
YIELD_SECONDS = 0.25  # a closed tab is noticed at a yield and not before

View = dict[str, Any]
_numbers = itertools.count(1)


class Bell:
    """Wakes a coroutine from other threads, at the price of one call until it has woken."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()
        self._rung = False

    def ring(self) -> None:
        """Wake the coroutine; called from any thread, cheap when it was woken already."""
        if self._rung:
            return
        self._rung = True
        try:
            self._loop.call_soon_threadsafe(self._event.set)
        except RuntimeError:  # the loop is closed: nobody waits any more
            return

    async def wait(self, timeout_seconds: float) -> None:
        """Wait until somebody rings, or until the time is over."""
        try:
            await asyncio.wait_for(self._event.wait(), timeout_seconds)
        except asyncio.TimeoutError:
            return
        self._event.clear()
        self._rung = False


class Board:
    """The views of one comparison; only what changed is made anew."""

    def __init__(self, sitting: Sitting) -> None:
        self._sitting = sitting
        self._comparison = sitting.comparison
        slots = range(len(self._comparison.request.slots))
        self._number = next(_numbers)
        self._texts = [render.TextBlocks() for _ in slots]
        self._parts = [0 for _ in slots]
        self._columns: list[View] = [{} for _ in slots]
        self._position = sitting.position
        for slot in slots:
            self._redraw(slot)
        self.view = self._assembled()

    def update(self) -> bool:
        """Take in what has come; return whether the view is a new one."""
        changed = self._comparison.drain()
        position = self._sitting.position
        if position != self._position:
            self._position = position
            changed = set(range(len(self._columns)))
        if not changed:
            return False
        for slot in changed:
            self._redraw(slot)
        self.view = self._assembled()
        return True

    def full_texts(self) -> View:
        """Return every column's whole text, for a browser that has missed a part."""
        texts = [self._comparison.text_since(slot, 0)[0] for slot in range(len(self._columns))]
        return {"run": self._number, "blocks": [render.blocks(text) for text in texts]}

    def _redraw(self, slot: int) -> None:
        text, self._parts[slot] = self._comparison.text_since(slot, self._parts[slot])
        self._texts[slot].add(text)
        result = self._comparison.standing(slot)
        self._columns[slot] = render.column(result, self._texts[slot].view(), self._position)

    def _assembled(self) -> View:
        running = not self._comparison.is_complete
        note = f"You are number {self._position} in line." if self._position else ""
        return {
            "run": self._number,
            "running": running,
            "note": self._sitting.trouble or note,
            "columns": list(self._columns),
        }


async def follow(board: Board, sitting: Sitting, bell: Bell) -> AsyncIterator[View]:
    """Yield views until the comparison is complete, the same one again when nothing came."""
    yield board.view
    while not sitting.is_complete:
        started = time.monotonic()
        await bell.wait(YIELD_SECONDS)
        board.update()
        yield board.view
        if sitting.is_complete:
            return
        await asyncio.sleep(max(0.0, UPDATE_SECONDS - (time.monotonic() - started)))
