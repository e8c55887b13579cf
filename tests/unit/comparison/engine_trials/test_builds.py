"""What makes a build another build: its native files, its versions, its machine."""

from __future__ import annotations

import importlib
import sys

import pytest

from comparator.comparison.engine_trials import builds
from comparator.storage.digests import Digests
from runners.registry import Engine

ENGINE = Engine("x:Y", requires=("a_library",), trial=({"threads": None},))


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A library with two native files, that nobody has imported."""
    folder = tmp_path / "site" / "a_library"
    (folder / "lib").mkdir(parents=True)
    (folder / "__init__.py").write_text("raise RuntimeError('imported')\n")
    (folder / "lib" / "liba.so").write_bytes(b"a" * 100)
    (folder / "lib" / "liba.so.1").write_bytes(b"b" * 100)
    (folder / "lib" / "readme.txt").write_text("no library")
    monkeypatch.syspath_prepend(folder.parent)
    importlib.invalidate_caches()
    yield folder / "lib"
    assert "a_library" not in sys.modules


@pytest.fixture
def digests(tmp_path):
    found = Digests(tmp_path / "digests.sqlite3")
    yield found
    found.close()


def test_its_native_files_are_found_without_an_import(library):
    assert [path.name for path in builds.native_files("a_library")] == ["liba.so", "liba.so.1"]
    assert builds.native_files("no_such_library") == []
    assert [(name.rpartition("/")[2], size) for name, size, _ in builds.stamps_of("a_library")] == [
        ("liba.so", 100),
        ("liba.so.1", 100),
    ]


def test_one_other_byte_is_another_build(library, digests):
    first = builds.build_of("gguf", ENGINE, digests)
    assert builds.build_of("gguf", ENGINE, digests) == first
    (library / "liba.so.1").write_bytes(b"c" + b"b" * 99)
    second = builds.build_of("gguf", ENGINE, digests)
    assert second.native != first.native
    assert second.key != first.key


def test_a_file_is_read_once(library, digests, monkeypatch, tmp_path):
    first = builds.build_of("gguf", ENGINE, digests)
    digests.close()
    monkeypatch.setattr("comparator.storage.digests._sha256", lambda _path: pytest.fail("read"))
    again = Digests(tmp_path / "digests.sqlite3")
    assert builds.build_of("gguf", ENGINE, again) == first
    again.close()


def test_a_truncated_file_and_a_missing_one_are_other_builds(library, digests):
    whole = builds.build_of("gguf", ENGINE, digests).key
    (library / "liba.so").write_bytes(b"a" * 50)
    cut = builds.build_of("gguf", ENGINE, digests).key
    (library / "liba.so").unlink()
    assert len({whole, cut, builds.build_of("gguf", ENGINE, digests).key}) == 3


def test_a_large_file_is_known_by_its_size_and_samples(library, monkeypatch, digests):
    monkeypatch.setattr(builds, "READ_WHOLE_BYTES", 1000)
    large = bytearray(5_000_000)
    (library / "liba.so").write_bytes(large)
    first = builds.build_of("gguf", ENGINE, digests).native
    for change in (0, len(large) - 1):
        changed = bytearray(large)
        changed[change] = 1
        (library / "liba.so").write_bytes(changed)
        assert builds.build_of("gguf", ENGINE, digests).native != first
    (library / "liba.so").write_bytes(large + b"\0")
    assert builds.build_of("gguf", ENGINE, digests).native != first


def test_other_levels_are_another_build(library, digests):
    other = Engine("x:Y", requires=("a_library",), trial=({"threads": 1},))
    first = builds.build_of("gguf", ENGINE, digests)
    assert builds.build_of("gguf", other, digests).key != first.key


def test_of_torch_little_is_read(monkeypatch, digests):
    """The library has hundreds of megabytes; a trial may take half a second in all."""
    pytest.importorskip("torch")
    names = {path.name.removeprefix("lib").split(".")[0] for path in builds.native_files("torch")}
    assert names == {"torch_cpu", "c10"}
    read = []
    original = builds.sampled
    monkeypatch.setattr(builds, "sampled", lambda p, s: read.append(s) or original(p, s))
    engine = Engine("x:Y", requires=("torch",))
    assert builds.build_of("pytorch", engine, digests).version
    assert [size > builds.READ_WHOLE_BYTES for size in read] == [True]
