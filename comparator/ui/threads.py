"""Work of an event that may wait: in a thread that does not hold the program's end up.

``asyncio.to_thread`` would: Python waits for its threads before it exits, however long they
wait for a hub or a disk. These are of the server's kind, which end with the program.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeVar

import anyio.to_thread

T = TypeVar("T")


async def in_thread(work: Callable[..., T], *arguments: object) -> T:
    """Do work beside the event loop and return what it returns; who gives up leaves it to end."""
    call = functools.partial(work, *arguments)
    return await anyio.to_thread.run_sync(call, abandon_on_cancel=True)
