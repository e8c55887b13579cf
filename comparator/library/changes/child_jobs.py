"""Work on model files in a child process, so that its memory is given back."""

from __future__ import annotations

import contextlib
import queue
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

from comparator.core.exceptions import ModelLoadError
from comparator.core.quiet import quiet
from runners import protocol
from runners.executor import Executor
from runners.process import Run
from runners.timeouts import Deadlines

_POLL_SECONDS = 0.1
_END_SECONDS = 5.0
# One tensor of a large model takes minutes; all of them may take hours.
_DEADLINES = Deadlines(load_seconds=1800.0, total_seconds=None)

ShouldStop = Callable[[], bool]


class Stopped(Exception):
    """The person who asked for the work does not want it any more."""


def never() -> bool:
    """Answer that the work should go on."""
    return False


def assignment(
    kind: str, sources: Sequence[Path], arguments: dict[str, Any], writable: Path | None = None
) -> protocol.Assignment:
    """Return what a child is started for.

    Args:
        kind: the job's name in the registry.
        sources: the files that it may read: one model, all its shards.
        arguments: what the job is told besides.
        writable: the one folder that it may write to.
    """
    paths = [str(path) for path in sources]
    return protocol.Assignment(
        protocol.Job(kind, {"source": paths[0], "shards": paths, **arguments}),
        started=time.monotonic(),
        readable=tuple(paths),
        writable=(str(writable),) if writable else (),
        is_background=quiet.is_background,
    )


def messages(
    assignment: protocol.Assignment,
    should_stop: ShouldStop = never,
    deadlines: Deadlines = _DEADLINES,
) -> Generator[protocol.Message, None, None]:
    """Yield what a child tells, its final message last; leaving the loop ends the child.

    In a thread that works in the background the child takes what runs leave of the processor.
    """
    received: queue.SimpleQueue[protocol.Message] = queue.SimpleQueue()
    run: Executor = Run(deadlines)
    message: protocol.Message | None = None
    with quiet.in_a_child():
        run.start(assignment, received.put)
        try:
            while not isinstance(message, protocol.FINAL):
                if should_stop():
                    run.stop()
                with contextlib.suppress(queue.Empty):
                    message = received.get(timeout=_POLL_SECONDS)
                    yield message
        finally:
            run.stop()
            run.join(_END_SECONDS)


def finished(final: protocol.Message, what: str) -> protocol.Finished:
    """Return the end of a good job.

    Args:
        final: the last of a child's messages.
        what: names what should have been made, as the beginning of a sentence.

    Raises:
        Stopped: the job was stopped.
        ModelLoadError: the job failed, and why.
    """
    if isinstance(final, protocol.Finished):
        return final
    if isinstance(final, protocol.Cancelled):
        raise Stopped
    if isinstance(final, protocol.Failed):
        raise ModelLoadError(final.message)
    cause = getattr(final, "cause", None) or "it stood still for too long."
    raise ModelLoadError(f"{what} was not made: {cause}")
