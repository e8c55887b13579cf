"""The process of one download: ``python -m comparator.hub.worker``.

It reads one plan as a line of JSON, and writes one report a line. A process and not a thread:
``huggingface_hub`` waits for a slow or busy hub in places that nothing can interrupt, and a
cancelled download must end at once. It ends when its standard input does, so that nothing is
left of a program that was killed.
"""

from __future__ import annotations

import os
import sys
import threading

import msgspec

from comparator.core import priority
from comparator.hub import adapter, transfer

# The hub's client hands on bytes in pieces of 10 MB, which a killed process would lose.
PIECE_BYTES = 512 * 1024


def main() -> None:
    """Carry out the plan on standard input."""
    priority.become_idle()  # checksums take time that a model may be measured in
    plan = msgspec.json.decode(sys.stdin.buffer.readline(), type=transfer.FetchPlan)
    threading.Thread(target=_end_with_the_parent, daemon=True).start()
    adapter.keep_small_pieces(PIECE_BYTES)
    transfer.run(plan, _tell)


def _tell(report: transfer.TransferReport) -> None:
    try:
        sys.stdout.buffer.write(msgspec.json.encode(report) + b"\n")
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        os._exit(1)


def _end_with_the_parent() -> None:
    while os.read(0, 1):  # the parent writes nothing more: this waits for its end
        continue
    os._exit(1)


if __name__ == "__main__":
    main()
