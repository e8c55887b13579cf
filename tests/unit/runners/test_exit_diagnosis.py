"""An exit code becomes a sentence: what, why, and what to do."""

from __future__ import annotations

import signal

import pytest

from runners import exit_diagnosis

GIGABYTE = 10**9


def judge(exit_code, log="", available=8 * GIGABYTE, **fields) -> tuple[str, str]:
    return exit_diagnosis.judge(
        exit_diagnosis.Evidence(exit_code, log, available, 16 * GIGABYTE, **fields)
    )


def cause(*arguments, **fields) -> str:
    return judge(*arguments, **fields)[1]


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
        (signal.SIGXFSZ, "larger file"),
        (signal.SIGSYS, "may be hostile"),
        (signal.SIGUSR2, "the reason is not known"),
    ],
)
def test_signals_have_their_name_and_likely_cause(number, words):
    sentence = cause(-number)
    assert number.name in sentence
    assert words in sentence
    assert sentence.endswith(".")


def test_a_kill_with_little_memory_left_is_the_memory_killer():
    kind, sentence = judge(
        -signal.SIGKILL,
        available=GIGABYTE,
        peak_bytes=13 * GIGABYTE,
        needed_bytes=14 * GIGABYTE,
    )
    assert kind == "out_of_memory"
    assert "(SIGKILL), most likely by the system's memory killer" in sentence
    assert "it needs about 14.00 GB, it held 13.00 GB" in sentence
    assert "1.00 GB of 16.00 GB was left" in sentence
    assert "smaller quantisation" in sentence


def test_a_kill_that_the_system_counted_is_sure():
    kind, sentence = judge(-signal.SIGKILL, killed_for_memory=True)
    assert kind == "out_of_memory"
    assert "(SIGKILL) by the system's memory killer" in sentence
    assert "it held" not in sentence


def test_a_kill_with_memory_left_is_someone():
    assert "someone or something killed it" in cause(-signal.SIGKILL)


@pytest.mark.parametrize("code", [0, 1, 3, 255])
def test_exit_codes(code):
    assert f"exited with code {code} before it had finished." in cause(code)


def test_no_exit_code_is_a_closed_channel():
    assert "closed its channel" in cause(None)


def test_a_signal_without_a_name():
    assert exit_diagnosis.signal_name(-50) == "signal 50"
    assert exit_diagnosis.signal_name(3) is None


@pytest.mark.parametrize(
    "line",
    [
        "ggml.c:12: GGML_ASSERT(n_layer > 0) failed",
        "CUDA error: an illegal memory access was encountered",
        "llama_model_load: error loading model: missing tensor 'output.weight'",
        "terminate called after throwing an instance of 'std::runtime_error'",
        "Fatal Python error: Segmentation fault",
    ],
)
def test_the_telling_line_of_a_log_is_quoted(line):
    log = f"llm_load: all well\n  {line}  \nsome other line\n\n"
    assert exit_diagnosis.telling_line(log) == line
    assert f" Its last words: {line}" in cause(-signal.SIGABRT, log)


def test_a_log_that_says_nothing_is_not_quoted():
    assert exit_diagnosis.telling_line("all well\nreally\n") == ""
    assert "last words" not in cause(1, "all well")


def test_a_very_long_line_is_cut():
    assert len(exit_diagnosis.telling_line("GGML_ASSERT " + "x" * 10_000)) == 300


HOST, DEVICE = "since memory ran out", "since the GPU's memory ran out"
# The last words of native code -> whose memory it was.
MEMORY_LINES = {
    "terminate called after throwing an instance of 'std::bad_alloc'": HOST,
    "  what():  std::bad_alloc": HOST,
    "ggml_backend_cpu_buffer_type_alloc_buffer: failed to allocate buffer of size 6871": HOST,
    "llama_kv_cache: failed to allocate buffer for kv cache": HOST,
    "llama_model_load: unable to allocate CPU buffer": HOST,
    "DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes": HOST,
    "mmap failed: Cannot allocate memory": HOST,
    "CUDA error: out of memory": DEVICE,
    "ggml_backend_cuda_buffer_type_alloc_buffer: cudaMalloc failed: out of memory": DEVICE,
    "llama_model_load: error loading model: unable to allocate CUDA0 buffer": DEVICE,
    "ggml_vulkan: Device memory allocation failed: out of memory (Vulkan0)": DEVICE,
    "ggml_metal_init: error: failed to allocate Metal buffer": DEVICE,
}


@pytest.mark.parametrize("exit_code", [-signal.SIGABRT, -signal.SIGSEGV, 1])
@pytest.mark.parametrize("line", MEMORY_LINES)
def test_last_words_about_memory(line, exit_code):
    kind, sentence = judge(
        exit_code, f"all well\n{line}\nlater\n", needed_bytes=9 * GIGABYTE, limit_bytes=GIGABYTE
    )
    assert kind == "out_of_memory"
    assert MEMORY_LINES[line] in sentence
    assert line.strip() in sentence
    if MEMORY_LINES[line] == HOST:
        assert "needs about 9.00 GB, and 1.00 GB was available" in sentence
        assert "use_gpu" not in sentence
    else:
        assert "9.00 GB" not in sentence
        assert "use_gpu" in sentence
        assert "n_gpu_layers" in sentence
    assert sentence.endswith((").", "(n_ctx)."))


def test_what_is_no_memory_stays_a_crash():
    assert judge(-signal.SIGABRT, "GGML_ASSERT(n_layer > 0) failed")[0] == "crashed"
    assert judge(-signal.SIGKILL)[0] == "crashed"
    assert judge(None)[0] == "crashed"


class TestErrorsThatTheChildTold:
    LOG = "llama_kv_cache: failed to allocate buffer for kv cache\n"

    def told(self, kind, log):
        evidence = exit_diagnosis.Evidence(
            0, log, GIGABYTE, 16 * GIGABYTE, needed_bytes=9 * GIGABYTE
        )
        return exit_diagnosis.reconsidered(kind, "No context.", evidence)

    @pytest.mark.parametrize("kind", ["load", "inference"])
    def test_the_log_knows_better(self, kind):
        new_kind, sentence = self.told(kind, self.LOG)
        assert new_kind == "out_of_memory"
        assert sentence.startswith(
            "Not enough memory: it needs about 9.00 GB, and 1.00 GB was available. No context."
        )
        assert "smaller context" in sentence

    def test_on_a_device(self):
        _, sentence = self.told("load", "cudaMalloc failed: out of memory\n")
        assert sentence.startswith("Not enough memory on the GPU. No context.")

    @pytest.mark.parametrize("kind", ["refused", "configuration", "out_of_memory", "crashed"])
    def test_other_kinds_stay(self, kind):
        assert self.told(kind, self.LOG) == (kind, "No context.")

    def test_without_such_a_line_it_stays(self):
        assert self.told("load", "all well") == ("load", "No context.")


@pytest.mark.parametrize("name", ["SIGSEGV", "SIGILL", "SIGBUS", "SIGABRT"])
def test_a_death_of_compiled_code_is_known_by_its_signal(name):
    assert exit_diagnosis.native_death(-getattr(signal, name)) == name


@pytest.mark.parametrize("exit_code", [None, 0, 1, 255, -9, -15, -99])
def test_other_ends_are_no_death_of_compiled_code(exit_code):
    assert exit_diagnosis.native_death(exit_code) is None


def test_windows_tells_a_status_instead_of_a_signal():
    assert exit_diagnosis.native_death(0xC0000005) == "an access violation"
