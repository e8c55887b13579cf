"""What a model's process may not do, probed from inside; and that models still run in it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from comparator.services.inference_engine import InferenceEngine

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Landlock is Linux's")

PROBE = """
import json, os, socket, subprocess, sys
import psutil
from runners import protocol
from runners.child import sandbox
model, secret, parent = sys.argv[1:4]
sys.path.insert(0, os.path.dirname(secret))  # as the folder of a script would be
assignment = protocol.Assignment(protocol.Job("measure"), 0.0, readable=(model,))
state = sandbox.enter_sandbox(assignment)

def tried(action):
    try:
        action()
        return "allowed"
    except PermissionError:
        return "refused"

def write_beside_the_model():
    open(os.path.join(os.path.dirname(model), "written"), "w")

def privileges():
    with open("/proc/self/status") as file:
        lines = dict(line.split(":", 1) for line in file)
    for kind in ("CapEff", "CapPrm", "CapInh", "CapAmb"):
        if int(lines[kind], 16) & ~0b110:  # reading and writing others' files stays
            return
    raise PermissionError

def core_dumps():
    import resource
    if resource.getrlimit(resource.RLIMIT_CORE)[1] > 1:
        return
    raise PermissionError

def measure_share():
    from runners.machine import processor_share
    now = processor_share.reading()
    if not now.threads or now.busy is None or now.stolen is None:
        raise PermissionError

print(json.dumps({
    "state": state,
    "read the model": tried(lambda: open(model).read()),
    "measure its own memory": tried(lambda: psutil.Process().memory_full_info()),
    "measure its share of the processor": tried(measure_share),
    "import a library": tried(lambda: __import__("wave")),
    "read a secret": tried(lambda: open(secret).read()),
    "list a folder": tried(lambda: os.listdir(os.path.dirname(secret))),
    "read the parent's environment": tried(lambda: open(f"/proc/{parent}/environ").read()),
    "open the parent's memory": tried(lambda: open(f"/proc/{parent}/mem", "rb")),
    "write a file": tried(write_beside_the_model),
    "start a program": tried(lambda: subprocess.run(["/bin/true"])),
    "open a TCP socket": tried(lambda: socket.socket()),
    "open a UDP socket": tried(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM)),
    "signal the parent": tried(lambda: os.kill(int(parent), 0)),
    "trace the parent": tried(lambda: trace(int(parent))),
    "use privileges of root": tried(privileges),
    "dump core": tried(core_dumps),
}))
"""
TRACE = """
import ctypes
def trace(pid):
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.ptrace(16, pid, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "ptrace")
"""
ALLOWED = {
    "read the model",
    "measure its own memory",
    "measure its share of the processor",
    "import a library",
}


@pytest.fixture
def probed(tmp_path: Path) -> dict[str, str]:
    """What a sandboxed process could do."""
    for name in ("models", "private"):
        (tmp_path / name).mkdir()
    model, secret = tmp_path / "models" / "x.gguf", tmp_path / "private" / "secret"
    model.write_text("weights")
    secret.write_text("password")
    code = TRACE + PROBE
    arguments = [str(model), str(secret), str(os.getpid())]
    output = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found: dict[str, str] = json.loads(output.stdout)
    if not found["state"].startswith("on"):
        pytest.skip(f"this kernel gives no full sandbox: {found['state']}")
    return found


def test_a_model_process_reaches_its_model_and_nothing_else(probed: dict[str, str]) -> None:
    probed.pop("state")
    assert {name for name, answer in probed.items() if answer == "allowed"} == ALLOWED
    assert {answer for name, answer in probed.items() if name not in ALLOWED} == {"refused"}


def test_both_engines_answer_inside_it(starter_models_dir: Path, probed: dict[str, str]) -> None:
    from comparator.core.config import ModelConfig
    from comparator.library.changes import starter

    models = starter.install(starter_models_dir, lambda progress: None)
    chosen = [models[0], models[3]]
    configs = {model.id: ModelConfig(max_tokens=4, use_gpu=False) for model in chosen}
    *_, results = InferenceEngine().run_inference("Hello", chosen, configs)
    assert [result.error for result in results.values()] == [None, None]
    assert {r.engine["sandbox"] for r in results.values()} == {probed["state"]}
