"""When the program ends, however it ends, no process of it lives on."""

from __future__ import annotations

import json
import os
import signal
import time

import psutil
import pytest

GONE_SECONDS = 5.0
PATIENCE_SECONDS = 120.0

SCRIPT = """
import json, signal, sys
signal.signal(signal.SIGHUP, signal.SIG_DFL)  # who runs the tests by nohup hands on that it is not
from comparator.core.models import ModelInfo, ModelType
from comparator.services.inference_engine import InferenceEngine

model = ModelInfo("", "echo", sys.argv[1], ModelType.ECHO, 1)
for results in InferenceEngine().run_inference("one two three", [model]):
    print(results[model.id].state.value, flush=True)
"""

CHILDREN = {
    "streaming": ({"tokens": 4000, "tokens_per_second": 20}, "writing"),
    "loading": ({"load_seconds": 100}, "loading"),
    "stopped": ({"fault": "sigstop", "fault_after": 1}, "writing"),
    "holding the interpreter": ({"fault": "hold_interpreter", "fault_after": 1}, "writing"),
}
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL)


def family_of(pid: int) -> list[int]:
    return [process.pid for process in psutil.Process(pid).children(recursive=True)]


@pytest.mark.parametrize("number", SIGNALS, ids=lambda number: number.name)
@pytest.mark.parametrize("child", CHILDREN)
def test_all_processes_end_with_the_program(
    tmp_path, script, wait_until, gone, bounds, child, number
):
    keys, state = CHILDREN[child]
    model = tmp_path / "m.echo.json"
    model.write_text(json.dumps(keys))
    parent = script(SCRIPT, str(model))
    try:
        assert wait_until(lambda: state in (tmp_path / "out").read_text()), (
            tmp_path / "err"
        ).read_text()
        time.sleep(0.1)  # the fault follows the token
        assert wait_until(lambda: len(family_of(parent.pid)) >= 2), "a fork server and a child"
        family = family_of(parent.pid)
        os.kill(parent.pid, number)
        killed = time.monotonic()
        parent.wait(PATIENCE_SECONDS)
        assert wait_until(lambda: all(map(gone, family))), family
        assert bounds.under(time.monotonic() - killed, GONE_SECONDS)
    finally:
        parent.kill()
        parent.wait()


def test_a_spawned_child_ends_with_the_program(tmp_path, script, wait_until, gone):
    model = tmp_path / "m.echo.json"
    model.write_text(json.dumps({"fault": "sigstop", "fault_after": 1}))
    source = (
        "import runners.process\nrunners.process.fork_is_safe = lambda: False\n"
        "from runners.supervision import fork_server\nfork_server.fork_is_safe = lambda: False\n"
        + SCRIPT
    )
    parent = script(source, str(model))
    try:
        assert wait_until(lambda: "writing" in (tmp_path / "out").read_text())
        time.sleep(0.1)
        family = [
            p.pid
            for p in psutil.Process(parent.pid).children(recursive=True)
            if "resource_tracker" not in " ".join(p.cmdline())
        ]
        assert family
        parent.kill()
        parent.wait()
        assert wait_until(lambda: all(map(gone, family)))
    finally:
        parent.kill()
        parent.wait()


def test_a_normal_end_leaves_nothing_and_prints_nothing(tmp_path, script, wait_until):
    model = tmp_path / "m.echo.json"
    model.write_text("{}")
    parent = script(SCRIPT, str(model))
    assert wait_until(lambda: (tmp_path / "out").read_text().endswith("done\n"))
    family = [p.pid for p in psutil.Process(parent.pid).children(recursive=True)]
    assert parent.wait(PATIENCE_SECONDS) == 0
    assert wait_until(lambda: not any(map(psutil.pid_exists, family)))
    assert (tmp_path / "err").read_text() == ""
