"""Work beside the page's event loop."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from pathlib import Path

import pytest

import comparator.ui
from comparator.ui.threads import in_thread

VISITOR: contextvars.ContextVar[str] = contextvars.ContextVar("VISITOR", default="nobody")


def _in_the_servers_thread(work: object) -> None:
    """Run a coroutine as the page's server does: in a thread that ends with the program."""
    thread = threading.Thread(target=asyncio.run, args=(work,), daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()


def test_work_that_waits_does_not_hold_the_programs_end_up() -> None:
    found: list[bool] = []

    async def live() -> None:
        found.append(await in_thread(lambda: threading.current_thread().daemon))

    _in_the_servers_thread(live())
    assert found == [True]


def test_who_gives_up_does_not_wait_for_the_end_of_the_work() -> None:
    begun, let_go = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        let_go.wait(30)

    async def live() -> None:
        task = asyncio.create_task(in_thread(work))
        while not begun.is_set():
            await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    try:
        _in_the_servers_thread(live())
    finally:
        let_go.set()


def test_work_knows_whose_it_is_and_its_errors_come_out() -> None:
    async def live() -> None:
        VISITOR.set("anna")
        assert await in_thread(VISITOR.get) == "anna"
        with pytest.raises(ZeroDivisionError):
            await in_thread(lambda number: 1 / number, 0)

    asyncio.run(live())


def test_no_event_of_the_page_waits_in_a_thread_that_python_waits_for() -> None:
    folder = Path(comparator.ui.__file__).parent
    users = [
        path.name
        for path in folder.rglob("*.py")
        if "asyncio.to_thread(" in path.read_text("utf-8")
    ]
    assert users == []
