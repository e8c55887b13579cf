"""What the page on limits is made of: sizes of weights, and the reading of a profile."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.profile_decode import shares_of
from benchmarks.scenario_limits import weight_bytes

REPORT = """
# Overhead;Shared Object;Symbol
    60.50%;libggml-cpu.so.0;[.] ggml_vec_dot_q4_1_q8_1
     9.25%;libgomp.so.1;[.] 0x000000000001f7da
     1.75%;libgomp.so.1;[.] 0x000000000001f622
     0.60%;libggml-cpu.so.0;[.] ggml_vec_swiglu_f32
     0.50%;libggml-cpu.so.0;[.] quantize_row_q8_1
     0.20%;libc.so.6;[.] memmove
"""


def test_small_shares_and_nameless_functions_are_added_up_by_library() -> None:
    assert shares_of(REPORT) == {
        "libggml-cpu.so.0: ggml_vec_dot_q4_1_q8_1": pytest.approx(0.605),
        "libgomp.so.1": pytest.approx(0.11),
        "libggml-cpu.so.0": pytest.approx(0.011),
    }


def test_the_weights_of_a_folder_are_its_safetensors(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    for name, size in (("a.safetensors", 10), ("b.safetensors", 5), ("optimizer.bin", 100)):
        (tmp_path / name).write_bytes(bytes(size))
    assert weight_bytes(tmp_path) == 15
    assert weight_bytes(tmp_path / "a.safetensors") == 10
