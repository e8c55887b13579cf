"""Where a child stands, and what it got of the processor from one stage to the next."""

from __future__ import annotations

from dataclasses import asdict

from runners import protocol
from runners.machine.processor_share import ShareReader


class Stage:
    """Where the child stands, for the words of a failure, and what its stages got."""

    name = "start"

    def __init__(self) -> None:
        self._reader = ShareReader()

    def got(self) -> protocol.ProcessorTime:
        """Return what this process got of the processor since the last call.

        A call takes some tenths of a millisecond: at the borders of stages, never between tokens.
        """
        told = asdict(self._reader.since_last())
        del told["share"]  # it follows from the others
        return protocol.ProcessorTime(**told)
