"""What a throw-away child of an engine says: its sandbox, and its library; or how it ended."""

from __future__ import annotations

import importlib.util
import json
import queue
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from runners import protocol
from runners.process import Run
from runners.timeouts import Deadlines

DEADLINES = Deadlines(load_seconds=120.0, total_seconds=180.0)
_WAIT_SECONDS = DEADLINES.total_seconds or 180.0
_END_SECONDS = 5.0


@dataclass(frozen=True)
class ChildTold:
    """What one child told.

    Attributes:
        sandbox: in words what it may not do; empty where it never came to speak.
        described: what its library says of itself; empty where there is ``trouble``.
        trouble: why the library cannot be used, as a sentence; empty where it can.
    """

    sandbox: str = ""
    described: dict[str, Any] = field(default_factory=dict)
    trouble: str = ""


def ask(job: str, library: str, use_gpu: bool) -> ChildTold:
    """Start a child that loads one library, and return what it told.

    Args:
        job: its name in the registry.
        library: the import name of the library.
        use_gpu: whether it may touch an accelerator, as a run does where there is one.
    """
    work = protocol.Job(job, {"library": library}, use_gpu)
    received: queue.SimpleQueue[protocol.Message] = queue.SimpleQueue()
    run = Run(DEADLINES)
    assignment = protocol.Assignment(work, time.monotonic(), readable=_places(library))
    run.start(assignment, received.put)
    try:
        return _heard(received)
    finally:
        run.stop()
        run.join(_END_SECONDS)


def _places(library: str) -> tuple[str, ...]:
    """Return where a library lies; nothing is imported.

    A child may read what its fork server has imported, and the light one has imported none. So a
    library in a checkout, or in another folder that Python was told of, would seem to be damaged.
    """
    try:
        found = importlib.util.find_spec(library)
    except (ImportError, ValueError):
        return ()
    return tuple(found.submodule_search_locations or ()) if found else ()


def ask_all(questions: dict[str, tuple[str, str, bool]]) -> dict[str, ChildTold]:
    """Ask several children at once: each is at work for seconds, most of them reading files."""
    if not questions:
        return {}
    with ThreadPoolExecutor(len(questions)) as pool:
        asked = {key: pool.submit(ask, *question) for key, question in questions.items()}
        return {key: answer.result() for key, answer in asked.items()}


def _heard(received: queue.SimpleQueue[protocol.Message]) -> ChildTold:
    sandbox = ""
    while True:
        try:
            message = received.get(timeout=_WAIT_SECONDS)
        except queue.Empty:
            return ChildTold(sandbox, trouble="The model process did not end.")
        if isinstance(message, protocol.Hello):
            sandbox = message.sandbox
        elif isinstance(message, protocol.FINAL):
            return _end(sandbox, message)


def _end(sandbox: str, final: protocol.Message) -> ChildTold:
    if isinstance(final, protocol.Finished):
        try:
            return ChildTold(sandbox, json.loads(final.text))
        except (ValueError, RecursionError):
            return ChildTold(sandbox, trouble="The model process told something that is no answer.")
    if isinstance(final, protocol.Failed):
        return ChildTold(sandbox, trouble=_first_line(final.message))
    if isinstance(final, protocol.Crashed):
        return ChildTold(sandbox, trouble=_first_line(final.cause))
    return ChildTold(sandbox, trouble="The model process took too long to load its library.")


def _first_line(text: str) -> str:
    return " ".join(text.split("\n\n")[0].split()) or "No reason was told."
