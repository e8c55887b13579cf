"""A child keeps what it was given of open files, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from runners.child import descriptors

SCRIPT = """
import json, os
from runners.child import descriptors
first, second = os.pipe()
third = os.open(os.devnull, os.O_RDONLY)
closed = descriptors.close_all_but({second})
left = []
for number in range(64):
    try:
        os.fstat(number)
        left.append(number)
    except OSError:
        pass
print(json.dumps([first, second, third, closed, left]))
"""


@pytest.mark.process
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux lists them")
def test_all_others_are_closed() -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True, timeout=60
    )
    first, second, third, closed, left = json.loads(done.stdout)
    assert left == [0, 1, 2, second]
    assert {first, third} <= set(closed)
    assert second not in closed


def test_elsewhere_nothing_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """There the system has descriptors of its own, and some end the process that closes them."""
    monkeypatch.setattr(sys, "platform", "darwin")
    assert descriptors.close_all_but(set()) == []
