"""Waking a coroutine from other threads."""

from __future__ import annotations

import asyncio
import threading

from comparator.ui.wakeup import Wakeup


def test_another_thread_wakes_it_before_its_time_is_over() -> None:
    async def live() -> None:
        wakeup = Wakeup()
        threading.Thread(target=wakeup.wake).start()
        await asyncio.wait_for(wakeup.wait(3600), 10)

    asyncio.run(live())


def test_what_comes_between_two_waits_is_not_lost_and_wakes_once() -> None:
    async def live() -> None:
        wakeup = Wakeup()
        wakeup.wake()
        wakeup.wake()
        await asyncio.wait_for(wakeup.wait(3600), 10)
        second = asyncio.create_task(wakeup.wait(3600))
        done, _pending = await asyncio.wait({second}, timeout=0.05)
        assert not done
        wakeup.wake()
        await asyncio.wait_for(second, 10)

    asyncio.run(live())


def test_nobody_is_woken_when_the_loop_is_closed() -> None:
    async def make() -> Wakeup:
        return Wakeup()

    asyncio.run(make()).wake()  # a thread that outlives its visitor
