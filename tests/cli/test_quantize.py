"""``comparator quantize``: the issue's own line, and every way to end it early."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from cases import slow
from wide_gguf import write_wide_gguf

from comparator.library import discovery

pytest.importorskip("llama_cpp")
COMMAND = [sys.executable, "-m", "comparator", "quantize"]


def quantize(*words: str, models_dir: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *words, "--models-dir", str(models_dir)],
        capture_output=True,
        text=True,
        timeout=240,
    )


@pytest.fixture
def own(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    (folder / "gguf").mkdir(parents=True)
    write_wide_gguf(folder / "gguf" / "wide.F32.gguf")
    return folder


def made(own: Path) -> list[str]:
    return [Path(model.path).name for model in discovery.scan(own).models]


LADDER = ["wide.F32.gguf", "wide.Q2_K.gguf", "wide.Q4_K_M.gguf", "wide.Q8_0.gguf"]


@pytest.mark.parametrize(
    "words",
    [
        ["wide.F32", "--to", "Q8_0", "Q4_K_M", "Q2_K"],
        ["wide.F32", "--to", "Q8_0", "--to", "Q4_K_M", "--to", "Q2_K"],
        ["--to", "q8_0,q4_k_m,q2_k", "wide.F32"],
        ["--to", "Q8_0", "Q4_K_M", "Q2_K", "wide.F32"],
    ],
    ids=["the issue's line", "repeated", "with commas", "before the model"],
)
def test_a_ladder_is_made_however_it_is_asked_for(own: Path, words: list[str]) -> None:
    done = quantize(*words, models_dir=own)
    assert done.returncode == 0, done.stderr
    assert made(own) == LADDER
    for name in ("wide.Q8_0", "wide.Q4_K_M", "wide.Q2_K"):
        assert name in done.stdout
    assert "bits per weight" in done.stderr
    assert "note:" not in done.stderr


def test_what_it_says_goes_to_standard_error_and_the_table_to_standard_output(own: Path) -> None:
    quantize("wide.F32", "--to", "Q8_0", models_dir=own)
    done = quantize("wide.Q8_0", "--to", "Q4_0", models_dir=own)
    assert done.returncode == 0, done.stderr
    assert "note: wide.Q8_0 is itself quantised (Q8_0)" in done.stderr
    assert "note" not in done.stdout
    assert "wide.Q4_0" in done.stdout


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["wide.F32"], "Say which quantisations"),
        (["wide.F32", "--to", "Q9_9"], "no quantisation 'Q9_9'"),
        (["wide.F32", "--to", "Q8_0", "Q9_9"], "no quantisation 'Q9_9'"),
        (["wide.F32", "--to", "IQ1_S"], "importance matrix"),
        (["wide.F32", "--to", "F32"], "already"),
        (["Q8_0", "--to", "Q4_0"], "Name the model to quantise"),
    ],
)
def test_a_wrong_request_is_one_sentence_and_makes_nothing(
    own: Path, words: list[str], reason: str
) -> None:
    done = quantize(*words, models_dir=own)
    assert done.returncode == 2
    assert reason in done.stderr
    assert "Traceback" not in done.stderr
    assert made(own) == ["wide.F32.gguf"]


def test_a_model_that_is_not_there_is_told(own: Path) -> None:
    done = quantize("nobody", "--to", "Q8_0", models_dir=own)
    assert done.returncode == 1
    assert "No model 'nobody'. There are: wide.F32." in done.stderr


def begin(source: str, own: Path, **options: object) -> subprocess.Popen[bytes]:
    """Start a job of seconds and return when its second file is being written."""
    words = [source, "--to", "Q8_0", "IQ4_NL", "--models-dir", str(own)]
    process = subprocess.Popen([*COMMAND, *words], **options)  # type: ignore[call-overload]
    end = time.monotonic() + 120
    while not (
        (own / "gguf" / "SmolLM2-135M-Instruct.Q8_0.gguf").exists()
        and list((own / "gguf").glob(".quantise-*/whole.gguf"))
    ):
        assert time.monotonic() < end, "the second file was never begun"
        assert process.poll() is None, "it ended before the second file was begun"
        time.sleep(0.005)
    return process


def children_of(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def test_ctrl_c_in_a_terminal_leaves_nothing_half_made(
    starter_models: dict[str, str], tmp_path: Path
) -> None:
    ours, theirs = pty.openpty()
    try:
        process = begin(
            starter_models["gguf_q4_1"],
            tmp_path,
            stdin=theirs,
            stdout=theirs,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        children = children_of(process)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(timeout=60) == 130
    finally:
        os.close(ours)
        os.close(theirs)
    assert not [child for child in children if child.is_running()]
    assert made(tmp_path) == ["SmolLM2-135M-Instruct.Q8_0.gguf"]
    assert not list((tmp_path / "gguf").glob(".quantise-*"))


@pytest.mark.parametrize("number", [signal.SIGKILL, slow(signal.SIGTERM)])
def test_killed_it_lists_nothing_half_made_and_the_next_run_clears_up(
    starter_models: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = begin(starter_models["gguf_q4_1"], tmp_path, **quiet)
    children = children_of(process)
    process.send_signal(number)
    assert process.wait(timeout=60) != 0
    psutil.wait_procs(children, timeout=60)
    assert not [child for child in children if child.is_running()]
    assert made(tmp_path) == ["SmolLM2-135M-Instruct.Q8_0.gguf"]
    done = quantize(starter_models["gguf_q4_1"], "--to", "Q2_K", models_dir=tmp_path)
    assert done.returncode == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "gguf").iterdir()) == [
        "SmolLM2-135M-Instruct.Q2_K.gguf",
        "SmolLM2-135M-Instruct.Q8_0.gguf",
    ]
