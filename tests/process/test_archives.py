"""What the wheel and the sdist hold. ``tests/package`` installs them, which takes minutes."""

from __future__ import annotations

import os
import sys
import tarfile
import zipfile
from pathlib import Path

import archives


def test_both_archives_hold_the_program_and_nothing_private(tmp_path: Path) -> None:
    tools = tmp_path / "tools"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    archives.done([*pip, "--target", str(tools), "hatchling"], tmp_path)
    environment = {**os.environ, "PYTHONPATH": str(tools)}
    paths = archives.built([sys.executable, "-m", "hatchling"], tmp_path, environment)
    with zipfile.ZipFile(paths[0]) as wheel, tarfile.open(paths[1]) as sdist:
        in_wheel = {name for name in wheel.namelist() if ".dist-info/" not in name}
        in_sdist = {name.partition("/")[2] for name in sdist.getnames()}
    assert {"comparator/ui/static/page.css", "runners/child/life.py"} <= in_wheel
    # What a checkout has outside of the packages lies in the wheel under names of ours.
    of_ours = {name for name in in_wheel if not name.startswith("comparator/_")}
    assert of_ours <= in_sdist
    assert {name.partition("/")[0] for name in in_wheel} == {
        "comparator", "runners", "multi_llm_comparator",
    }  # fmt: skip
    assert not [name for name in in_sdist if name.endswith((".gguf", ".safetensors", ".env"))]
