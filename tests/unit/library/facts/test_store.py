"""Facts come from the cache until a file changes, whatever state the cache is in."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from bounds import Bounds
from model_files import as_model, write_gguf

from comparator.core.models import ModelInfo, ModelType
from comparator.library.facts.store import FactsStore
from comparator.library.facts.values import ModelFacts


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "facts.sqlite3"


@pytest.fixture
def store(path: Path) -> Iterator[FactsStore]:
    store = FactsStore(path)
    yield store
    store.close()


@pytest.fixture
def model(tmp_path: Path) -> ModelInfo:
    return as_model(write_gguf(tmp_path / "a\n😀.gguf"))


def test_a_second_program_needs_no_file(store: FactsStore, path: Path, model: ModelInfo) -> None:
    assert store.known(model) is None
    facts = store.facts_of(model)
    assert facts.architecture == "llama"
    status = os.stat(model.path)
    Path(model.path).write_bytes(bytes(status.st_size))
    os.utime(model.path, ns=(0, status.st_mtime_ns))
    other = FactsStore(path)
    assert other.known(model) == facts, "read from the cache: the file is zeros now"
    other.close()


def test_a_changed_file_is_read_again(store: FactsStore, model: ModelInfo) -> None:
    store.facts_of(model)
    write_gguf(Path(model.path), block_count=7)
    assert store.known(model) is None
    assert store.facts_of(model).layers == 7


def test_a_vanished_file_has_no_facts(store: FactsStore, model: ModelInfo) -> None:
    store.facts_of(model)
    os.unlink(model.path)
    assert store.facts_of(model) == ModelFacts()


@pytest.mark.parametrize("content", [b"damaged" * 1000, b"SQLite format 3\0" + b"?" * 5000])
def test_a_broken_store_costs_nothing_but_time(
    path: Path, model: ModelInfo, content: bytes
) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    store = FactsStore(path)
    assert store.facts_of(model).architecture == "llama"
    store.close()
    assert [aside.read_bytes() for aside in path.parent.glob("*.broken-*")] == [content]


def test_a_place_that_cannot_be_written(tmp_path: Path, model: ModelInfo) -> None:
    (tmp_path / "file").touch()
    store = FactsStore(tmp_path / "file" / "facts.sqlite3")
    assert store.facts_of(model).architecture == "llama"
    assert store.known(model) is not None
    store.close()


WRITER = """
import sys
from pathlib import Path
from comparator.core.models import ModelInfo, ModelType
from comparator.library.facts.store import FactsStore
store = FactsStore(Path(sys.argv[1]))
for path in sys.argv[2:]:
    assert store.facts_of(ModelInfo("", "m", path, ModelType.GGUF, 1)).layers, path
store.close()
"""


@pytest.mark.process
def test_two_programs_at_once(path: Path, store: FactsStore, tmp_path: Path) -> None:
    models = [as_model(write_gguf(tmp_path / f"{n}.gguf")) for n in range(30)]
    paths = [model.path for model in models]
    command = [sys.executable, "-c", WRITER, str(path), *paths]
    both = [subprocess.Popen(command) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]
    assert all(store.known(model) for model in models)


def test_a_thousand_entries_are_read_at_once(path: Path, tmp_path: Path, bounds: Bounds) -> None:
    models = []
    for number in range(1000):
        (tmp_path / f"{number}.gguf").write_bytes(b"x")
        models.append(ModelInfo("", "m", str(tmp_path / f"{number}.gguf"), ModelType.GGUF, 1))
    first = FactsStore(path)
    for model in models:
        first.facts_of(model)
    first.close()
    begun = time.monotonic()
    second = FactsStore(path)
    assert all(second.known(model) is not None for model in models)
    assert bounds.under(
        time.monotonic() - begun, 2
    )  # 0.2 s on an idle machine: benchmarks/library_facts.py
    second.close()
