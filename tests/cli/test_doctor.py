"""``comparator doctor`` on this machine, and on machines that were crippled on purpose."""

from __future__ import annotations

import getpass
import importlib.util
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from cases import slow

from runners.registry import ENGINES

LIMIT_SECONDS = 240
TOKEN = "hf_never_to_be_seen_by_anybody"
PASSWORD = "opensesame"
PEOPLE = "zacharias"
# Runs at the start of each Python, also in model processes: as if a library were not installed.
WITHOUT = """
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: (
    None if name.split(".")[0] in {missing!r} else found(name, package)
)
"""


def doctor(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "comparator", "doctor", *words],
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
        env={**os.environ, **variables},
    )


@pytest.fixture
def models(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "one.echo.json").write_text("{}")
    return folder


def report_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert "Traceback" not in done.stderr, done.stderr
    record: dict[str, Any] = json.loads(done.stdout)
    return record


def mends(record: Mapping[str, Any], severity: str) -> list[str]:
    return [f["mend"] for f in record["findings"] if f["severity"] == severity]


def test_this_machine_is_healthy_and_told_whole_without_a_private_word(
    models: Path, tmp_path: Path
) -> None:
    home = tmp_path / PEOPLE
    home.mkdir()
    done = doctor(
        "--json", "--models-dir", str(models), "--page",
        HOME=str(home), USER=PEOPLE, LOGNAME=PEOPLE, HF_TOKEN=TOKEN,
        COMPARATOR_AUTH=f"{PEOPLE}:{PASSWORD}", COMPARATOR_CACHE_DIR=str(home / "cache"),
    )  # fmt: skip
    record = report_of(done)
    assert done.returncode == 0, done.stdout
    assert record["healthy"] is True
    assert {b["library"]: b["usable"] for b in record["engines"]} == {
        "llama_cpp": True, "xllamacpp": True, "torch": True,
    }  # fmt: skip
    assert all(entry["state"] for entry in record["sandbox"])
    assert {"HF_TOKEN", "COMPARATOR_AUTH"} <= {entry["name"] for entry in record["environment"]}
    assert str(models) in done.stdout
    for private in (PEOPLE, TOKEN, PASSWORD, str(home), str(Path.home()), *_names()):
        assert not re.search(rf"(?<!\w){re.escape(private)}(?!\w)", done.stdout)


def _names() -> set[str]:
    return {socket.gethostname(), getpass.getuser()} - {"root", "localhost", "user"}


@pytest.mark.slow
def test_people_read_tables_and_only_them_on_standard_output(models: Path) -> None:
    done = doctor("--models-dir", str(models), "--no-trial")
    assert done.stdout.startswith("Every engine can answer")
    for word in ("Processor", "Engines", "llama-cpp-python", "Sandbox", "Folders", "Versions"):
        assert word in done.stdout
    assert "Asking the engines" in done.stderr


def test_a_library_that_is_missing_is_named_with_the_command(models: Path, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(WITHOUT.format(missing={"llama_cpp", "xllamacpp"}))
    done = doctor(
        "--json", "--no-trial", "--models-dir", str(models), PYTHONPATH=str(tmp_path)
    )  # fmt: skip
    record = report_of(done)
    assert done.returncode == 1
    assert mends(record, "prevents") == [ENGINES["gguf"].install]


@pytest.mark.parametrize(
    "damage",
    [
        "without symbols",
        slow("truncated"),
        slow("of another machine"),
    ],
)
def test_a_damaged_library_is_named_and_the_other_build_answers(
    models: Path, tmp_path: Path, damage: str
) -> None:
    stub = _damaged_copy(tmp_path / "stub", damage)
    done = doctor("--json", "--models-dir", str(models), PYTHONPATH=str(stub))
    record = report_of(done)
    (build,) = (b for b in record["engines"] if b["library"] == "llama_cpp")
    assert build["usable"] is False
    assert build["trouble"]
    assert str(tmp_path) not in done.stdout.replace(str(models), "")
    (trial,) = (trial for trial in record["trials"] if trial["engine"] == "gguf")
    assert (trial["library"], record["healthy"], done.returncode) == ("xllamacpp", True, 0)
    assert any(mend.startswith("./scripts/start --rebuild") for mend in mends(record, "limits"))


def _damaged_copy(folder: Path, damage: str) -> Path:
    """Copy llama-cpp-python, damage its native files, and return the folder to import it from."""
    spec = importlib.util.find_spec("llama_cpp")
    assert spec is not None
    assert spec.origin is not None
    copy = folder / "llama_cpp"
    shutil.copytree(Path(spec.origin).parent, copy, ignore=shutil.ignore_patterns("__pycache__"))
    for file in (copy / "lib").glob("*"):
        if damage == "truncated":
            os.truncate(file, 1000)
            continue
        code = bytearray(file.read_bytes())
        if damage == "of another machine":
            code[18:20] = b"\xf3\x00" if code[18] != 0xF3 else b"\x3e\x00"  # e_machine of ELF
        else:
            code = bytearray(bytes(code).replace(b"llama_", b"lamaa_"))
        file.write_bytes(code)
    return folder


def test_everything_that_is_set_wrongly_is_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = doctor(
        "--json", "--no-trial", "--models-dir", str(tmp_path / "gone"),
        COMPARATOR_GGUF_ENGINE="lama", COMPARATOR_SOURCES="olama",
        COMPARATOR_CACHE_DIR=str(tmp_path / "file" / "cache"),
        COMPARATOR_DATA_DIR=str(tmp_path / "file" / "data"),
    )  # fmt: skip
    record = report_of(done)
    assert done.returncode == 1
    assert set(mends(record, "prevents")) == {
        "unset COMPARATOR_GGUF_ENGINE", "unset COMPARATOR_SOURCES", "comparator starter",
    }  # fmt: skip
    told = " ".join(mends(record, "limits"))
    assert "export COMPARATOR_CACHE_DIR=" in told
    assert "export COMPARATOR_DATA_DIR=" in told


def test_a_source_that_does_not_exist_on_the_command_line_is_a_wrong_request() -> None:
    done = doctor("--no-source", "olama")
    assert (done.returncode, done.stdout) == (2, "")
    assert "No source is called 'olama'" in done.stderr
