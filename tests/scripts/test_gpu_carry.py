"""What ./scripts/gpu_carry takes along of llama-cpp-python's source."""

from __future__ import annotations

import importlib.util
import io
import subprocess
import tarfile
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

SCRIPTS = Path(__file__).resolve().parents[2] / "scripts"
ROOT = "llama_cpp_python-0.3.36"


@pytest.fixture(scope="module")
def carry() -> Any:
    spec = importlib.util.spec_from_file_location("gpu_carry", SCRIPTS / "gpu_carry.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    "name",
    [
        "CMakeLists.txt",
        "llama_cpp/llama_cpp.py",
        "vendor/llama.cpp",
        "vendor/llama.cpp/CMakeLists.txt",
        "vendor/llama.cpp/src/llama.cpp",
        "vendor/llama.cpp/src/models/llama.cpp",
        "vendor/llama.cpp/ggml/src/ggml-cuda/ggml-cuda.cu",
        "vendor/llama.cpp/ggml/src/ggml-cpu/ggml-cpu.c",
    ],
)
def test_what_is_compiled_is_carried(carry: Any, name: str) -> None:
    assert carry.is_needed(PurePosixPath(ROOT, name))


@pytest.mark.parametrize(
    "name",
    [
        ".git/modules/vendor/llama.cpp/index",
        "docs/index.md",
        "vendor/llama.cpp/models/ggml-vocab-gpt-2.gguf",
        "vendor/llama.cpp/docs/build.md",
        "vendor/llama.cpp/tools/server/public/index.html",
        "vendor/llama.cpp/ggml/src/ggml-vulkan/ggml-vulkan.cpp",
    ],
)
def test_models_documents_pages_and_other_makers_code_stay(carry: Any, name: str) -> None:
    assert not carry.is_needed(PurePosixPath(ROOT, name))


def test_the_source_is_the_same_but_for_what_stays(carry: Any, tmp_path: Path) -> None:
    archive, target = tmp_path / "source.tar.gz", tmp_path / "stripped.tar.gz"
    kept, left = f"{ROOT}/CMakeLists.txt", f"{ROOT}/vendor/llama.cpp/models/large.gguf"
    with tarfile.open(archive, "w:gz") as source:
        for name in (kept, left):
            member = tarfile.TarInfo(name)
            member.size = len(name)
            source.addfile(member, io.BytesIO(name.encode()))
    carry.strip(archive, target)
    with tarfile.open(target) as result:
        content = result.extractfile(kept)
        assert result.getnames() == [kept]
        assert content is not None
        assert content.read() == kept.encode()


def test_versions_are_those_of_the_constraints(carry: Any) -> None:
    assert carry.pinned("# a\nLlama_cpp-Python==1.2\ntorch==2\n") == {
        "llama-cpp-python": "1.2",
        "torch": "2",
    }


def test_the_script_tells_how_it_is_used() -> None:
    done = subprocess.run([SCRIPTS / "gpu_check", "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "--stand-in" in done.stdout
