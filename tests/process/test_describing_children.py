"""Children that say what their libraries are, for ``comparator doctor``."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
from pathlib import Path

import pytest

from comparator.diagnosis import children


@pytest.mark.parametrize(
    ("job", "library", "words"),
    [
        ("describe_gguf", "llama_cpp", "llama-cpp-python"),
        ("describe_gguf", "xllamacpp", "xllamacpp"),
        ("describe_pytorch", "torch", "2."),
    ],
)
def test_each_library_describes_itself_in_a_child(job: str, library: str, words: str) -> None:
    told = children.ask(job, library, use_gpu=False)
    assert told.trouble == ""
    assert told.sandbox
    assert words in told.described["version"]
    assert told.described["built_with"]
    assert json.dumps(told.described)


@pytest.mark.native
@pytest.mark.skipif(sys.platform != "linux", reason="Only there a child is kept from folders.")
def test_a_library_in_a_folder_that_python_was_told_of_describes_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that was built in its checkout; a model runs on it as well."""
    spec = importlib.util.find_spec("llama_cpp")
    assert spec is not None
    (source,) = spec.submodule_search_locations or ()
    shutil.copytree(source, tmp_path / "llama_cpp", copy_function=os.symlink)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in [name for name in sys.modules if name.partition(".")[0] == "llama_cpp"]:
        monkeypatch.delitem(sys.modules, name)
    told = children.ask("describe_gguf", "llama_cpp", use_gpu=False)
    assert told.trouble == ""
    assert "llama-cpp-python" in told.described["version"]


def test_a_job_that_fails_is_trouble_in_one_line() -> None:
    told = children.ask("quantize", "llama_cpp", use_gpu=False)
    assert told.described == {}
    assert told.trouble
    assert "\n" not in told.trouble
