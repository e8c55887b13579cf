"""The command line as a user runs it: real processes, exit codes, clean standard output."""

from __future__ import annotations

import csv
import io
import json
import os
import pty
import signal
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import psutil
import pytest

from comparator.cli.main import COMMANDS

LIMIT_SECONDS = 280  # of a busy machine, for four models in turn


def comparator(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "comparator", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=LIMIT_SECONDS,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A models folder with echo models: one good, one slow, one that dies, one broken file."""
    scripts: dict[str, dict[str, Any]] = {
        "good": {},
        "slow": {"tokens": 5000, "tokens_per_second": 20},
        "dies": {"fault": "sigsegv", "fault_after": 2},
    }
    for name, script in scripts.items():
        (tmp_path / f"{name}.echo.json").write_text(json.dumps(script))
    (tmp_path / "empty.gguf").touch()
    return tmp_path


def test_help_explains_every_command() -> None:
    for command, known in COMMANDS.items():
        result = comparator(command, "--help")
        assert result.returncode == 0
        assert known.help in " ".join(result.stdout.split())


def test_the_version_is_that_of_the_installed_package() -> None:
    assert comparator("--version").stdout.strip() == version("multi-llm-comparator")


def test_models_lists_and_tells_what_cannot_be_loaded(folder: Path) -> None:
    result = comparator("models", "--models-dir", str(folder))
    assert result.returncode == 0
    assert "good" in result.stdout
    assert "0 bytes" in result.stdout
    records = json.loads(comparator("models", "--models-dir", str(folder), "--json").stdout)
    assert {r["name"]: r["problem"] is None for r in records} == {
        "dies": True,
        "good": True,
        "slow": True,
        "empty": False,
    }


def test_models_of_a_missing_folder_is_a_sentence(tmp_path: Path) -> None:
    result = comparator("models", "--models-dir", str(tmp_path / "nowhere"))
    assert result.returncode == 1
    assert "no models folder" in result.stderr
    assert "Traceback" not in result.stderr


def test_run_prints_only_records_on_standard_output(folder: Path) -> None:
    result = comparator(
        *("run", "-m", "good", "-m", "good", "-p", "a b c", "-o", "jsonl"),
        *("--models-dir", str(folder), "--set", "2.max_tokens=2", "--seed", "7"),
    )
    assert result.returncode == 0, result.stderr
    first, second = (json.loads(line) for line in result.stdout.splitlines())
    assert first["content"] == "a b c"
    assert second["content"] == "a b "
    assert second["stats"]["finish_reason"] == "length"
    assert second["model"]["id"] == first["model"]["id"] + "#2"
    assert first["config"]["seed"] == 7
    assert "good (echo): done" in result.stderr


def test_limits_may_be_left_out_by_a_word(folder: Path) -> None:
    result = comparator(
        *("run", "-m", "good", "-p", "a b c", "-o", "json", "--models-dir", str(folder)),
        *("--max-tokens", "none", "--ctx-size", "fit", "--sampling", "maker", "--temp", "0.7"),
    )
    (record,) = json.loads(result.stdout)
    assert [record["config"][name] for name in ("max_tokens", "n_ctx")] == [None, None]
    assert record["engine"]["context_length"] == 2048
    sources = record["config_sources"]
    assert {name for name, source in sources.items() if source == "given"} == {
        *("max_tokens", "n_ctx", "sampling", "temperature"),
    }
    assert "advise no sampling values" in record["notice"]


@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "md", "text"])
def test_every_format_has_the_answer(folder: Path, form: str) -> None:
    result = comparator("run", "-m", "good", "-p", "x, y", "-o", form, "--models-dir", str(folder))
    assert result.returncode == 0
    assert "x, y" in result.stdout
    if form == "json":
        assert json.loads(result.stdout)[0]["is_complete"] is True
    if form == "csv":
        assert next(csv.DictReader(io.StringIO(result.stdout)))["content"] == "x, y"


def test_prompt_from_standard_input(folder: Path) -> None:
    result = comparator(
        *("run", "-m", "good", "-p", "-", "-o", "jsonl", "--models-dir", str(folder)),
        stdin="用一句话介绍人工智能。",
    )
    assert json.loads(result.stdout)["content"] == "用一句话介绍人工智能。"


def test_a_failed_model_makes_the_exit_code_1_and_spares_the_others(folder: Path) -> None:
    result = comparator(
        *("run", "-m", "dies", "-m", "good", "-p", "a b c", "-o", "json"),
        *("--models-dir", str(folder)),
    )
    assert result.returncode == 1
    died, good = json.loads(result.stdout)
    assert died["error_kind"] == "crashed"
    assert "SIGSEGV" in died["error"]
    assert died["content"] == "a b "
    assert good["error"] is None
    assert good["content"] == "a b c"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-m", "nothing", "-p", "x"], "No model 'nothing'"),
        (["-m", "good", "-p", "  "], "Type a prompt first"),
        (["-m", "good", "-p", "x", "--temperature", "9"], "temperature must be"),
        (["-m", "good", "-p", "x", "--max-tokens", "0"], "max_tokens must be"),
        (["-m", "good", "-p", "x", "--set", "sed=1"], "Did you mean seed"),
        (["-m", "good", "-p", "x", "--set", "3.seed=1"], "model 3 of 1"),
        (["-m", "good"] * 5 + ["-p", "x"], "up to 4"),
        (["-m", "good", "-p", "x", "--max-tokens", "lots"], "or none to write until the model"),
        (["-m", "good", "-p", "x", "--ctx-size", "all"], "or fit for as much as fits"),
        (["-m", "good", "-p", "x", "--sampling", "mine"], "sampling must be one of given, maker"),
        (["-m", "good", "-p", "x", "--set", 'lora=["gone"]'], "No adapter 'gone'"),
    ],
)
def test_a_wrong_request_is_a_sentence(folder: Path, arguments: list[str], words: str) -> None:
    result = comparator("run", *arguments, "--models-dir", str(folder))
    assert result.returncode in (1, 2)
    assert words in result.stderr
    assert result.stdout == ""
    assert "Traceback" not in result.stderr


def test_interrupt_ends_everything_without_a_traceback(folder: Path) -> None:
    command = [sys.executable, "-m", "comparator", "run", "-m", "slow", "-p", "a b"]
    with subprocess.Popen(
        [*command, "--models-dir", str(folder)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert any("writing" in line for line in process.stderr)
        family = psutil.Process(process.pid).children(recursive=True)
        assert family
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait(LIMIT_SECONDS) == 130
    assert "Traceback" not in rest
    _gone, alive = psutil.wait_procs(family, timeout=30)
    assert not alive


def test_a_terminal_shows_columns_side_by_side(folder: Path) -> None:
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "30"}
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "comparator", "run", "-m", "good", "-m", "dies"),
            *("-p", "one two three", "--models-dir", str(folder)),
        ],
        stdin=subprocess.DEVNULL,
        stdout=theirs,
        stderr=theirs,
        env=environment,
    ) as process:
        os.close(theirs)
        shown = _read_all(ours)
        assert process.wait(LIMIT_SECONDS) == 1
    line = next(line for line in shown.splitlines() if "good (echo)" in line)
    assert "dies (echo)" in line  # the titles of both panels stand in one line
    assert "SIGSEGV" in shown


def _read_all(descriptor: int) -> str:
    data = b""
    end = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < end:
        try:
            part = os.read(descriptor, 65536)
        except OSError:  # Linux says EIO when the other side is closed
            break
        if not part:
            break
        data += part
    os.close(descriptor)
    return data.decode("utf-8", "replace")


@pytest.mark.native
@pytest.mark.slow
def test_four_starter_models_answer_and_repeat_themselves(starter_models_dir: Path) -> None:
    names = (
        "SmolLM2-135M-Instruct",
        "SmolLM2-135M-Instruct.Q4_1",
        "SmolLM2-135M-Instruct.Q8_0",
        "SmolLM2-135M-Instruct.Q2_K",
    )
    chosen = [word for name in names for word in ("-m", name)]
    command = [
        *("run", *chosen, "-p", "用一句话介绍人工智能。", "--seed", "1", "-o", "jsonl"),
        *("--max-tokens", "8", "--models-dir", str(starter_models_dir)),
        *("--threads", "1"),  # two that wait for each other beside busy neighbours take minutes
    ]
    answers = []
    for _ in range(2):
        result = comparator(*command)
        assert result.returncode == 0, result.stderr
        records = [json.loads(line) for line in result.stdout.splitlines()]
        assert [r["model"]["name"] for r in records] == list(names)
        assert all(r["is_complete"] and r["error"] is None and r["content"] for r in records)
        answers.append([r["content"] for r in records])
    assert answers[0] == answers[1]
