"""Two programs and one suite: one of them runs it, and the system takes that back with its end."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from suite_cells import cell, kept_suite

from comparator.core.exceptions import ConfigurationError
from comparator.storage.suites import Suites

# Holds a claim until it is killed, and says when it has it.
HOLDER = """
import sys, time
from pathlib import Path
from comparator.storage.suites import Suites
claim = Suites(Path(sys.argv[1])).claim(sys.argv[2])
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture
def suites(tmp_path: Path) -> Iterator[Suites]:
    suites = Suites(tmp_path / "suites.sqlite3")
    suites.begin(kept_suite(cell(0, 0)))
    yield suites
    suites.close()


@pytest.fixture
def holder(suites: Suites) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLDER, str(suites.path), kept_suite().id]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def test_who_runs_a_suite_is_told_by_process_and_machine(suites, holder):
    told = f"by process {holder.pid} on .* since"
    with pytest.raises(ConfigurationError, match=told):
        suites.claim(kept_suite().id)
    with pytest.raises(ConfigurationError, match=told):
        suites.remove(kept_suite().id)
    assert [one.state for one in suites.find()] == ["running"]


def test_a_killed_program_gives_back_what_it_held(suites, holder):
    holder.kill()
    holder.wait()
    assert [(one.state, one.done) for one in suites.find()] == [("interrupted", 1)]
    suites.claim(kept_suite().id).release()
    assert suites.remove(kept_suite().id)
    assert suites.get(kept_suite().id) is None
