"""Which files a load reads."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from comparator.formats.weights import left_over, weight_files, weights_of


def names(model) -> list[str]:
    return [path.name for path in weight_files(model)]


def test_of_a_folder_the_safetensors_else_the_older_kinds(tmp_path):
    for name in ("config.json", "b.safetensors.index.json", "pytorch_model.bin"):
        (tmp_path / name).touch()
    assert names(tmp_path) == ["pytorch_model.bin"]
    for name in ("model-00002-of-00002.safetensors", "model-00001-of-00002.safetensors"):
        (tmp_path / name).touch()
    assert names(tmp_path) == [
        "model-00001-of-00002.safetensors",
        "model-00002-of-00002.safetensors",
    ]


def test_of_a_gguf_model_all_shards(tmp_path):
    assert names(tmp_path / "m-00001-of-00002.gguf") == [
        "m-00001-of-00002.gguf",
        "m-00002-of-00002.gguf",
    ]
    assert names(tmp_path / "m.gguf") == ["m.gguf"]


def test_a_folder_without_weights_has_none(tmp_path):
    (tmp_path / "config.json").touch()
    assert weight_files(tmp_path) == []


def put(folder: Path, *found: str, index: dict[str, list[str]] | None = None) -> set[str]:
    """Write empty files and indexes, each with the files that it names; return all names."""
    for name in found:
        (folder / name).touch()
    for name, named in (index or {}).items():
        (folder / name).write_text(json.dumps({"weight_map": {str(n): n for n in named}}))
    return {*found, *(index or {})}


SAFE, BIN = "model.safetensors.index.json", "pytorch_model.bin.index.json"


@pytest.mark.parametrize(
    ("found", "index", "read"),
    [
        (["model.safetensors", "consolidated.safetensors"], {}, ["model.safetensors"]),
        (["a.safetensors", "b.safetensors", "old.safetensors"], {SAFE: ["a.safetensors",
         "b.safetensors"]}, ["a.safetensors", "b.safetensors"]),
        # an index of files that nobody downloaded is no part of what is read
        (["model.safetensors"], {BIN: ["pytorch_model-1.bin"]}, ["model.safetensors"]),
        (["a.bin", "b.bin"], {BIN: ["a.bin"]}, ["a.bin"]),
        # transformers takes the single file, whatever lies beside it
        (["model.safetensors", "a.safetensors"], {SAFE: ["a.safetensors"]}, ["model.safetensors"]),
        (["model.safetensors", "a.safetensors"], {SAFE: ["a.safetensors", "model.safetensors"]},
         ["a.safetensors", "model.safetensors"]),
        (["pytorch_model.bin", "tokens.bin"], {}, ["pytorch_model.bin"]),
        # left over from before its shards were joined
        (["model.safetensors"], {SAFE: ["model-00001-of-00002.safetensors"]},
         ["model.safetensors"]),
    ],
)  # fmt: skip
def test_what_transformers_reads_is_the_model(tmp_path, found, index, read):
    all_names = put(tmp_path, *found, index=index)
    chosen = weights_of(tmp_path, all_names)
    assert (list(chosen.names), chosen.problem) == (read, None)
    assert left_over(tmp_path, all_names) == sorted(set(found) - set(read))
    assert names(tmp_path) == read


def test_shards_of_another_count_are_left_over(tmp_path):
    new = [f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]
    old = [f"model-0000{n}-of-00003.safetensors" for n in (1, 2, 3)]
    assert left_over(tmp_path, put(tmp_path, *new, *old, index={SAFE: new})) == sorted(old)


def test_a_copy_beside_half_of_the_shards_does_not_make_them_whole(tmp_path):
    there = ("model-00001-of-00002.safetensors", "consolidated.safetensors")
    named = [there[0], "model-00002-of-00002.safetensors"]
    found = weights_of(tmp_path, put(tmp_path, *there, index={SAFE: named}))
    assert found.names == tuple(named)
    assert str(found.problem).startswith(f"{named[1]} is missing")


def test_the_index_of_one_whole_set_is_not_read(tmp_path):
    shards = [f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]
    found = weights_of(tmp_path, {*shards, SAFE})  # there is none to be read
    assert (list(found.names), found.index, found.problem) == (shards, SAFE, None)


def test_an_index_is_read_anew_when_it_changes(tmp_path):
    found = put(tmp_path, "a.safetensors", "b.safetensors", index={SAFE: ["a.safetensors"]})
    assert weights_of(tmp_path, found).names == ("a.safetensors",)
    put(tmp_path, index={SAFE: ["a.safetensors", "b.safetensors"]})
    assert weights_of(tmp_path, found).names == ("a.safetensors", "b.safetensors")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no valid index"),
        (b"[]", "no valid index"),
        (b"{}", "no valid index"),
        (b"\xff\xfe", "no valid index"),
        (b"[" * 200_000, "no valid index"),
        (b'{"weight_map": {}}', "no valid index"),
        (b'{"weight_map": {"a": ["b"]}}', "no valid index"),
        (b'{"weight_map": {"a": 7}}', "leaves the folder"),
        (b'{"weight_map": {"a": ".."}}', "leaves the folder"),
        (b'{"weight_map": {"a": "/etc/passwd"}}', "leaves the folder"),
        (b'{"weight_map": {"a": "../b.safetensors"}}', "outside the folder"),
        (b'{"weight_map": {"a": "b\\u0000.safetensors"}}', "is missing (1 of 1 shards)"),
        (b'{"weight_map": {"a": "gone.safetensors"}}', "is missing (1 of 1 shards)"),
    ],
)
def test_an_index_that_is_none_is_a_problem_with_its_name(tmp_path, content, words):
    (tmp_path / SAFE).write_bytes(content)
    found = weights_of(tmp_path, put(tmp_path, "a.safetensors") | {SAFE})
    assert words in (found.problem or "")
    assert SAFE in (found.problem or "")


def test_an_index_that_is_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / SAFE)
    found = weights_of(tmp_path, put(tmp_path, "a.safetensors") | {SAFE})
    assert "no valid index" in (found.problem or "")
