"""An exit code becomes a sentence: what, why, and what to do."""

from __future__ import annotations

import signal

import pytest

from runners import autopsy

GIGABYTE = 10**9


def cause(exit_code, log="", available=8 * GIGABYTE, total=16 * GIGABYTE, peak=0) -> str:
    return autopsy.cause(exit_code, log, available, total, peak)


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (signal.SIGSEGV, "damaged file or a bug"),
        (signal.SIGABRT, "the file is invalid"),
        (signal.SIGILL, "reinstall it here"),
        (signal.SIGBUS, "became shorter"),
        (signal.SIGFPE, "divided by zero"),
        (signal.SIGTERM, "asked it to end"),
        (signal.SIGXCPU, "processor time"),
        (signal.SIGUSR2, "the reason is not known"),
    ],
)
def test_signals_have_their_name_and_likely_cause(number, words):
    sentence = cause(-number)
    assert number.name in sentence
    assert words in sentence
    assert sentence.endswith(".")


def test_a_kill_with_little_memory_left_is_the_memory_killer():
    sentence = cause(-signal.SIGKILL, available=GIGABYTE, peak=13 * GIGABYTE)
    assert "most likely by the system's memory killer" in sentence
    assert "it held 13.0 GB and only 1.0 GB was left" in sentence
    assert "smaller quantisation" in sentence


def test_a_kill_with_memory_left_is_someone():
    assert "someone or something killed it" in cause(-signal.SIGKILL)


@pytest.mark.parametrize("code", [0, 1, 3, 255])
def test_exit_codes(code):
    assert f"exited with code {code} before it had finished." in cause(code)


def test_no_exit_code_is_a_closed_channel():
    assert "closed its channel" in cause(None)


def test_a_signal_without_a_name():
    assert autopsy.signal_name(-50) == "signal 50"
    assert autopsy.signal_name(3) is None


@pytest.mark.parametrize(
    "line",
    [
        "ggml.c:12: GGML_ASSERT(n_layer > 0) failed",
        "CUDA error: out of memory",
        "llama_model_load: error loading model: missing tensor 'output.weight'",
        "terminate called after throwing an instance of 'std::bad_alloc'",
        "Fatal Python error: Segmentation fault",
    ],
)
def test_the_telling_line_of_a_log_is_quoted(line):
    log = f"llm_load: all well\n  {line}  \nsome other line\n\n"
    assert autopsy.telling_line(log) == line
    assert cause(-signal.SIGABRT, log).endswith(f" Its last words: {line}")


def test_a_log_that_says_nothing_is_not_quoted():
    assert autopsy.telling_line("all well\nreally\n") == ""
    assert "last words" not in cause(1, "all well")


def test_a_very_long_line_is_cut():
    assert len(autopsy.telling_line("GGML_ASSERT " + "x" * 10_000)) == 300
