"""What a build of llama.cpp says of itself."""

from __future__ import annotations

from runners.engines.gguf import describe


def test_the_line_of_features_is_taken_apart() -> None:
    line = "CUDA : ARCHS = 500,610 | USE_GRAPHS = 1 | CPU : SSE3 = 1 | AVX = 0 | REPACK = 1 | "
    assert describe.features(line) == {
        "ARCHS": "500,610", "USE_GRAPHS": "1", "SSE3": "1", "AVX": "0", "REPACK": "1",
    }  # fmt: skip
    assert describe.features("") == {}
