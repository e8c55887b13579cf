"""Measures how long the library takes to know models: headers, the cache, and the package gguf.

``python -m benchmarks.library_facts`` makes a header with a vocabulary of 150 000 tokens and
280 000 merges and a folder of 1000 small models, prints a table, and compares with the limits of
the project: 0.1 s for a large header, 0.2 s for 1000 entries from the cache.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import gguf

from comparator.core.models import ModelInfo, ModelType
from comparator.library import discovery
from comparator.library.facts.store import FactsStore, read_facts

TOKENS, MERGES, MODELS, ROUNDS = 150_000, 280_000, 1000, 5
LONGEST_HEADER_SECONDS, LONGEST_CACHE_SECONDS = 0.1, 0.2
_PEAK = """
import sys, tracemalloc
from pathlib import Path
from comparator.library.facts.gguf import facts_of_gguf
tracemalloc.start()
facts_of_gguf(Path(sys.argv[1]))
print(tracemalloc.get_traced_memory()[1] / 1e6)
"""


def write_header(path: Path, tokens: int, merges: int) -> ModelInfo:
    """Write a GGUF file with a vocabulary and no weights."""
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(32)
    writer.add_context_length(131_072)
    writer.add_token_list([f"token{number}" for number in range(tokens)])
    writer.add_token_types([1] * tokens)
    if merges:
        writer.add_token_merges([f"t{number} oken" for number in range(merges)])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return ModelInfo("", path.stem, str(path), ModelType.GGUF, path.stat().st_size)


def seconds(work: Callable[[], object]) -> float:
    """Return the median time of some rounds."""
    times = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        work()
        times.append(time.perf_counter() - begun)
    return statistics.median(times)


def read_all(path: Path, models: list[ModelInfo]) -> None:
    """Open the store anew and take all facts from it."""
    store = FactsStore(path)
    if any(store.known(model) is None for model in models):
        raise SystemExit("Some facts are not in the cache.")
    store.close()


def measure(folder: Path) -> list[tuple[str, float, float | None]]:
    """Return what was done, its seconds, and its limit."""
    large = write_header(folder / "large.gguf", TOKENS, MERGES)
    small = folder / "small"
    small.mkdir()
    for number in range(MODELS):
        write_header(small / f"{number:04}.gguf", 100, 0)
    cache = folder / "facts.sqlite3"
    begun = time.perf_counter()
    models = discovery.scan(small).models
    listed = time.perf_counter() - begun
    store = FactsStore(cache)
    begun = time.perf_counter()
    for model in models:
        store.facts_of(model)
    filled = time.perf_counter() - begun
    store.close()
    return [
        (
            f"header of {TOKENS} tokens and {MERGES} merges",
            seconds(lambda: read_facts(large)),
            LONGEST_HEADER_SECONDS,
        ),
        ("the same by gguf.GGUFReader", seconds(lambda: gguf.GGUFReader(large.path)), None),
        (f"list {MODELS} files", listed, 2.0),
        (f"read {MODELS} headers", filled, None),
        (
            f"{MODELS} entries from the cache, opened anew",
            seconds(lambda: read_all(cache, models)),
            LONGEST_CACHE_SECONDS,
        ),
    ]


def main() -> int:
    """Print the table; return 1 if a limit is passed."""
    with tempfile.TemporaryDirectory() as place:
        rows = measure(Path(place))
        command = [sys.executable, "-c", _PEAK, str(Path(place) / "large.gguf")]
        peak = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for what, took, limit in rows:
        told = "" if limit is None else f"  limit {limit} s"
        print(f"{what:55} {took:8.4f} s{told}")
    print(f"{'memory that the large header took':55} {float(peak):8.1f} MB")
    return int(any(limit is not None and took > limit for _what, took, limit in rows))


if __name__ == "__main__":
    raise SystemExit(main())
