"""How fast this machine reads memory: each round reads a buffer far beyond any cache.

Takes the lines of ``lines.py`` and answers for each model ``bytes_per_second`` of one pass.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import lines
import numpy as np
import psutil

BUFFER_BYTES = 512 * 1024 * 1024


def main() -> None:
    """Fill the buffer and answer rounds."""
    threads = psutil.cpu_count(logical=False) or 1
    pieces = np.array_split(np.ones(BUFFER_BYTES // 8), threads)
    with ThreadPoolExecutor(threads) as pool:

        def round_of(models: list[str], prompt: str, tokens: int) -> list[lines.Figures]:
            return [{"bytes_per_second": BUFFER_BYTES / _seconds(pool, pieces)} for _ in models]

        lines.serve(round_of, {"numpy": np.__version__})


def _seconds(pool: ThreadPoolExecutor, pieces: list[np.ndarray]) -> float:
    began = time.perf_counter()
    list(pool.map(np.sum, pieces))
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
