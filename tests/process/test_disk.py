"""A full temporary folder and a home that cannot be written stop no model that needs no disk."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

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
