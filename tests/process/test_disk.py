"""A full temporary folder, a home that cannot be written and no network stop no model."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from one_core import on_one_core

REPOSITORY = Path(__file__).resolve().parents[2]

SCRIPT = """
import os, sys
from pathlib import Path

small, model = Path(sys.argv[1]), sys.argv[2]
os.environ.update(TMPDIR=str(small), HOME=str(small / "nowhere"), TEMP=str(small), TMP=str(small))
with open(small / "filler", "wb", buffering=0) as filler:
    try:
        while True:
            filler.write(b"x" * 4096)
    except OSError:
        pass
from comparator.core.models import ModelInfo, ModelType
from comparator.services.inference_engine import InferenceEngine

models = [ModelInfo("", "e", model, ModelType.ECHO, 1)]
for results in InferenceEngine().run_inference("hello", models):
    pass
(result,) = results.values()
print(result.content or result.error)
print(sorted(path.name for path in small.iterdir() if path.name.startswith("comparator-run")))
"""


def test_a_run_on_a_full_disk_answers_or_says_why(tmp_path, echo_model):
    small = tmp_path / "small"
    small.mkdir()
    mount = 'mount -t tmpfs -o size=64k none "$1" && exec "$2" -c "$3" "$1" "$4"'
    command = ["unshare", "-Urm", "sh", "-c", mount, "sh", str(small), sys.executable, SCRIPT]
    if not shutil.which("unshare") or subprocess.run(["unshare", "-Urm", "true"]).returncode:
        pytest.skip("no file system of its own can be mounted here without being root")
    done = subprocess.run(
        [*command, echo_model().path], capture_output=True, text=True, cwd=REPOSITORY, timeout=60
    )
    assert done.stderr == ""
    answer, left = done.stdout.splitlines()
    assert answer == "hello"
    assert left.count("comparator-run") <= 1, "the fork server's folder alone"


READ_ONLY = """
mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" || exit 77
export HOME="$1"
unset XDG_CACHE_HOME XDG_DATA_HOME XDG_CONFIG_HOME COMPARATOR_CACHE_DIR COMPARATOR_DATA_DIR
touch "$1/x" 2> /dev/null && exit 78
shift
exec "$@"
"""


def test_both_engines_answer_in_a_read_only_home_without_a_network(tmp_path, starter_models):
    """From the command line; neither the home nor a network may be missed.

    The network is one of its own with nothing in it, not even loopback.
    """
    home = tmp_path / "home"
    home.mkdir()
    if not shutil.which("unshare") or subprocess.run(["unshare", "-Urmn", "true"]).returncode:
        pytest.skip("no folder can be made read-only here without being root")
    environment = {k: v for k, v in os.environ.items() if "OFFLINE" not in k}  # nobody asks for it
    wanted = ["-m", starter_models["gguf_q4_1"], "-m", starter_models["pytorch"]]
    command = [sys.executable, "-m", "comparator", "run", *wanted, "-p", "hi", "--max-tokens", "3"]
    done = subprocess.run(
        ["unshare", "-Urmn", "sh", "-c", READ_ONLY, "sh", str(home), *command, "-o", "jsonl"],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        timeout=240,
        env=environment,
        preexec_fn=on_one_core,
    )
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in done.stdout.splitlines()]
    assert [record["error"] for record in records] == [None, None]
    assert [record["stats"]["token_count"] for record in records] == [3, 3]
    assert "Traceback" not in done.stderr
    assert list(home.iterdir()) == []
