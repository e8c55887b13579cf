"""Real copies of llama.cpp's binaries, damaged: each is a sentence that names the command."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from wide_gguf import write_wide_gguf

REPOSITORY = Path(__file__).resolve().parents[2]
CHECK = """
from comparator.core.exceptions import EngineMissingError
from runners.engines.gguf import library
try:
    library.of_name({name!r})
except EngineMissingError as error:
    print(error)
else:
    print("nothing is wrong")
"""
WITHOUT_SYMBOLS = "int llama_nothing(void) { return 0; }"


def truncated(file: Path) -> None:
    """Leave three quarters: the headers are whole, the last pages are not."""
    size = file.stat().st_size
    with file.open("r+b") as content:
        content.truncate(size * 3 // 4)


def cut_in_its_header(file: Path) -> None:
    with file.open("r+b") as content:
        content.truncate(40)


def of_another_processor(file: Path) -> None:
    with file.open("r+b") as content:
        content.seek(18)  # e_machine
        content.write((22).to_bytes(2, "little"))


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def no_library(file: Path) -> None:
    file.write_bytes(b"<!doctype html><p>404" + bytes(100))


def without_symbols(file: Path) -> None:
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        pytest.skip("A library without symbols is made by a compiler.")
    source = file.with_suffix(".c")
    source.write_text(WITHOUT_SYMBOLS)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", file, source], check=True)


def missing(file: Path) -> None:
    file.unlink()


DAMAGES = {
    truncated: "is cut off after",
    cut_in_its_header: "is cut off after 40 bytes",
    of_another_processor: "is made for another processor",
    emptied: "is empty",
    no_library: "is no library",
    without_symbols: "",
    missing: "",
}
BINARIES = {"llama_cpp": "lib/libllama.so", "xllamacpp": "xllamacpp.abi3.so"}
NAMES = {"llama_cpp": "llama-cpp-python", "xllamacpp": "xllamacpp"}


def damaged_copy(folder: Path, package: str, damage) -> Path:
    """Return a folder for sys.path with a copy of a package whose binary is damaged."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"{package} is not installed.")
    source = Path(spec.submodule_search_locations[0])
    file = source / BINARIES[package]
    if not file.exists():
        pytest.skip(f"{package} has no {file.name} here.")
    shutil.copytree(source, folder / package, copy_function=os.symlink)
    copy = folder / package / BINARIES[package]
    copy.unlink()
    shutil.copy(file.resolve(), copy)
    damage(copy)
    return folder


def run(command, place: Path, **environment):
    return subprocess.run(
        command,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONPATH": str(place), **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.skipif(sys.platform != "linux", reason="The binaries of Linux are damaged here.")
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.__name__)
@pytest.mark.parametrize("package", BINARIES)
def test_a_damaged_library_is_a_sentence(tmp_path, package, damage):
    place = damaged_copy(tmp_path, package, damage)
    done = run([sys.executable, "-c", CHECK.format(name=package)], place)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert DAMAGES[damage] in done.stdout
    assert NAMES[package] in done.stdout
    assert "pip install" in done.stdout


@pytest.mark.skipif(sys.platform != "linux", reason="The binaries of Linux are damaged here.")
@pytest.mark.parametrize("damage", [truncated, without_symbols], ids=lambda d: d.__name__)
def test_a_run_tells_the_sentence_and_no_traceback(tmp_path, damage):
    """The fork server outlives what it imports, and the child tells what is wrong."""
    models = tmp_path / "models"
    models.mkdir()
    model = write_wide_gguf(models / "wide.gguf")
    place = damaged_copy(tmp_path / "place", "llama_cpp", damage)
    done = run(
        [sys.executable, "-m", "comparator", "run", "-m", str(model), "-p", "a", "-o", "json"],
        place,
        COMPARATOR_GGUF_ENGINE="llama_cpp",
        COMPARATOR_DATA_DIR=str(tmp_path / "data"),
        COMPARATOR_CACHE_DIR=str(tmp_path / "cache"),
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr + done.stdout
    assert "llama-cpp-python" in done.stdout
    assert "pip install --force-reinstall" in done.stdout
