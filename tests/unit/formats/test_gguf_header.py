"""The bounded reader of GGUF headers, over real small files and hostile ones."""

from __future__ import annotations

import contextlib
import os
import struct
import time
import tracemalloc

import pytest
from gguf import GGUFWriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from comparator.core.exceptions import ModelLoadError
from comparator.core.models import ModelInfo, ModelType
from comparator.formats import gguf_header
from comparator.library.facts.lookup import facts_of

LONGEST_REFUSAL_SECONDS = 0.5
MOST_REFUSAL_BYTES = 50_000_000


@pytest.fixture
def written(tmp_path):
    """A small header with every type of value."""
    path = tmp_path / "small.gguf"
    writer = GGUFWriter(path, "llama")
    writer.add_name("Small 模型")
    writer.add_file_type(15)
    writer.add_block_count(2)
    writer.add_context_length(4096)
    writer.add_embedding_length(64)
    writer.add_head_count(4)
    writer.add_head_count_kv(2)
    writer.add_chat_template("{{ messages }}")
    writer.add_token_list([f"token{number}" for number in range(2000)])
    writer.add_array("some.floats", [0.5] * 100)
    writer.add_bool("some.flag", True)
    writer.add_float32("some.float", 0.5)
    writer.add_int64("some.int", -5)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.close()
    return path


def test_metadata_is_read_and_long_arrays_are_counted(written):
    found = gguf_header.read_metadata(written)
    assert found["general.name"] == "Small 模型"
    assert found["llama.context_length"] == 4096
    assert found["tokenizer.ggml.tokens"] == 2000
    assert isinstance(found["tokenizer.ggml.tokens"], gguf_header.ArrayLength)
    assert found["some.floats"] == [0.5] * 100
    assert (found["some.flag"], found["some.float"], found["some.int"]) == (True, 0.5, -5)


def test_facts_of_a_file(written):
    facts = facts_of(ModelInfo("", "s", str(written), ModelType.GGUF, 1))
    assert (facts.architecture, facts.quantisation) == ("llama", "Q4_K_M")
    assert (facts.context_length, facts.layers) == (4096, 2)
    assert facts.cache_bytes(1) == 2 * 2 * 2 * 16 * 2
    assert facts.has_chat_template is True


def test_every_file_type_of_the_library_is_known_or_newer():
    from gguf import LlamaFileType

    names = {kind.name: gguf_header.FILE_TYPES.get(int(kind)) for kind in LlamaFileType}
    known = {kind: name for kind, name in names.items() if name is not None}
    assert all(name in kind for kind, name in known.items()), known
    assert len(known) > len(names) / 2


def test_every_tensor_type_of_the_library_has_its_size():
    from gguf import GGML_QUANT_SIZES

    assert {int(kind): size for kind, size in GGML_QUANT_SIZES.items()} == gguf_header.TENSOR_TYPES


@pytest.fixture
def with_tensors(tmp_path):
    """A file with two tensors, the second one behind a gap of the alignment."""
    import numpy

    path = tmp_path / "tensors.gguf"
    writer = GGUFWriter(path, "llama")
    writer.add_custom_alignment(64)
    writer.add_tensor("first", numpy.zeros((3, 5), dtype=numpy.float32))
    writer.add_tensor("last", numpy.zeros((2, 32), dtype=numpy.float16))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_a_whole_file_is_complete_and_one_without_its_last_byte_is_not(with_tensors):
    gguf_header.check_complete(with_tensors)
    size = with_tensors.stat().st_size
    os.truncate(with_tensors, size - 1)
    with pytest.raises(ModelLoadError, match=rf"before tensor 'last' does \({size - 1} of {size}"):
        gguf_header.check_complete(with_tensors)
    os.truncate(with_tensors, size - 150)
    with pytest.raises(ModelLoadError, match="before tensor 'first' does"):
        gguf_header.check_complete(with_tensors)


def header(version: int = 3, tensors: int = 0, entries: int = 1, rest: bytes = b"") -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, entries) + rest


def entry(key: bytes, kind: int, value: bytes) -> bytes:
    return struct.pack("<Q", len(key)) + key + struct.pack("<I", kind) + value


def number(value: int) -> bytes:
    return struct.pack("<Q", value)


HOSTILE = {
    "2^60 entries": (header(entries=2**60), "damaged"),
    "2^60 tensors": (header(tensors=2**60), "damaged"),
    "a key of 4 GB": (header(rest=number(2**32) + b"x"), "damaged"),
    "a text of 4 GB": (header(rest=entry(b"k", 8, number(2**32) + b"x")), "damaged"),
    "a text of 2^62": (header(rest=entry(b"k", 8, number(2**62))), "damaged"),
    "an array of 2^60 numbers": (
        header(entries=2, rest=entry(b"k", 9, struct.pack("<IQ", 4, 2**60)) + entry(b"l", 0, b"1")),
        "damaged",
    ),
    "an array of 2^60 texts": (
        header(rest=entry(b"k", 9, struct.pack("<IQ", 8, 2**60))),
        "damaged",
    ),
    "an array with a text of 2^60": (
        header(
            entries=2,
            rest=entry(b"k", 9, struct.pack("<IQ", 8, 2) + number(2**60) + number(1) + b"x"),
        ),
        "damaged",
    ),
    "an array of arrays": (header(rest=entry(b"k", 9, struct.pack("<IQ", 9, 2))), "damaged"),
    "an unknown type": (header(rest=entry(b"k", 99, b"")), "damaged"),
    "version 99": (header(version=99), "GGUF version 99; this build reads 2 to 3"),
    "version 1": (header(version=1), "GGUF version 1;"),
    "version 0": (header(version=0), "GGUF version 0;"),
    "big-endian": (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "big-endian"),
    "another magic": (b"ggjt" + bytes(40), "not a GGUF file"),
    "a cut magic": (b"GG", "incomplete"),
    "nothing": (b"", "incomplete"),
    "fewer entries than told": (header(entries=5, rest=entry(b"k", 0, b"1")), "incomplete"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_header_is_refused_at_once(tmp_path, case, bounds):
    content, words = HOSTILE[case]
    path = tmp_path / "bad.gguf"
    path.write_bytes(content)
    begun = time.monotonic()
    with pytest.raises(ModelLoadError, match=words):
        gguf_header.read_metadata(path)
    assert bounds.under(time.monotonic() - begun, LONGEST_REFUSAL_SECONDS)
    facts = facts_of(ModelInfo("", "s", str(path), ModelType.GGUF, 1))
    assert facts.architecture is None, "listing it goes on without facts"


@pytest.mark.parametrize("kept", [5, 10, 23, 30, 60, 200, 900])
def test_a_truncated_header_says_so(written, tmp_path, kept):
    path = tmp_path / "cut.gguf"
    path.write_bytes(written.read_bytes()[:kept])
    with pytest.raises(ModelLoadError, match="incomplete: it ends inside its header"):
        gguf_header.read_metadata(path)


def test_a_sparse_file_of_zeros_costs_a_bounded_time(tmp_path, bounds):
    """A claim of many empty texts over a hole of 4 GB, which costs an attacker nothing."""
    path = tmp_path / "sparse.gguf"
    path.write_bytes(header(rest=entry(b"k", 9, struct.pack("<IQ", 8, 60_000_000))))
    os.truncate(path, 4 * 1024**3)
    begun = time.monotonic()
    with pytest.raises(ModelLoadError, match="damaged"):
        gguf_header.read_metadata(path)
    assert bounds.under(time.monotonic() - begun, LONGEST_REFUSAL_SECONDS)


def test_many_large_texts_cost_a_bounded_memory(tmp_path):
    """Each under its own limit, over a hole in the file."""
    path, size = tmp_path / "texts.gguf", 8 * 1024 * 1024
    with open(path, "wb") as file:
        file.write(header(entries=100))
        for index in range(100):
            file.write(entry(f"k{index:03}".encode(), 8, number(size)))
            file.seek(size, os.SEEK_CUR)
        file.truncate()
    tracemalloc.start()
    try:
        with pytest.raises(ModelLoadError, match="damaged"):
            gguf_header.read_metadata(path)
        assert tracemalloc.get_traced_memory()[1] < MOST_REFUSAL_BYTES
    finally:
        tracemalloc.stop()


def test_a_pipe_and_a_missing_file_are_sentences(tmp_path):
    os.mkfifo(tmp_path / "pipe.gguf")
    with pytest.raises(ModelLoadError, match="not a regular file"):
        gguf_header.read_metadata(tmp_path / "pipe.gguf")
    with pytest.raises(ModelLoadError, match="Cannot read"):
        gguf_header.read_metadata(tmp_path / "nowhere.gguf")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
@given(data=st.data())
def test_any_damage_is_read_or_refused(written, tmp_path, data):
    content = bytearray(written.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, 400))] = data.draw(st.integers(0, 255))
    path = tmp_path / "damaged.gguf"
    path.write_bytes(content)
    with contextlib.suppress(ModelLoadError):
        assert isinstance(gguf_header.read_metadata(path), dict)
    facts_of(ModelInfo("", "s", str(path), ModelType.GGUF, 1))
