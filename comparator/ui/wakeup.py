"""Waking a coroutine when another thread has news for it."""

from __future__ import annotations

import asyncio


class Wakeup:
    """Wakes a coroutine from other threads, at the price of one call until it has woken."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._event = asyncio.Event()
        self._is_woken = False

    def wake(self) -> None:
        """Wake the coroutine; called from any thread, cheap when it was woken already."""
        if self._is_woken:
            return
        self._is_woken = True
        try:
            self._loop.call_soon_threadsafe(self._event.set)
        except RuntimeError:  # the loop is closed: nobody waits any more
            return

    async def wait(self, timeout_seconds: float) -> None:
        """Wait until somebody wakes it, or until the time is over."""
        try:
            await asyncio.wait_for(self._event.wait(), timeout_seconds)
        except TimeoutError:
            return
        self._event.clear()
        self._is_woken = False
