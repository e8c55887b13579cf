"""Make a folder for a machine that has a GPU and no network: under 60 MB, for Python 3.12.

Wheels of what such a machine lacks, llama-cpp-python's source without what is not compiled, and
the starter model's tokenizer, chat template and header. ``scripts/gpu_check`` takes it.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

from benchmarks.gpu import models  # noqa: E402  # of the checkout
from comparator.library.changes import starter  # noqa: E402

LARGEST_BYTES = 60_000_000
PYTHON_VERSION = "3.12"
# What a machine with PyTorch and transformers lacks of what the library and its tests import.
PACKAGES = ("choix", "dill", "diskcache", "gguf", "jsonschema", "jsonschema-specifications",
            "llama-cpp-python", "msgspec", "multiprocess", "platformdirs", "referencing",
            "rpds-py")  # fmt: skip
SOURCE = "llama-cpp-python"
PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_27_x86_64", "manylinux_2_17_x86_64",
             "manylinux2014_x86_64", "manylinux1_x86_64")  # fmt: skip
# Of the source: nothing of it is compiled, or only by what is switched off.
LEFT_OUT = ("models", "docs", "media", "benches", "examples", "tests", "ci", ".github", ".devops",
            "pocs", "gguf-py", "grammars", "tools")  # fmt: skip
_LLAMA = "vendor/llama.cpp"
_OTHER_BACKENDS = ("ggml-vulkan", "ggml-sycl", "ggml-opencl", "ggml-metal", "ggml-cann",
                   "ggml-hexagon", "ggml-webgpu", "ggml-zdnn", "ggml-openvino")  # fmt: skip


def main() -> int:
    """Make the folder and say how large it is; 1 where it is larger than it may be."""
    parser = argparse.ArgumentParser(prog="gpu_carry", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", default=REPOSITORY / ".gpu")
    folder = parser.parse_args().folder
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "wheels").mkdir(parents=True)
    versions = pinned((REPOSITORY / "constraints.txt").read_text("utf-8"))
    for name in PACKAGES:
        if name != SOURCE:
            _download_wheel(folder / "wheels", name, versions.get(name))
    _carry_source(folder, versions[SOURCE])
    _carry_starter(folder / "starter")
    size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    print(f"{folder}: {size / 1e6:.1f} MB")
    if size > LARGEST_BYTES:
        print(f"That is more than {LARGEST_BYTES / 1e6:.0f} MB.", file=sys.stderr)
        return 1
    return 0


def pinned(constraints: str) -> dict[str, str]:
    """Return the version of each package of a constraints file."""
    lines = [line.partition("==") for line in constraints.splitlines() if "==" in line]
    return {name.lower().replace("_", "-"): version for name, _, version in lines}


def _download_wheel(folder: Path, name: str, version: str | None) -> None:
    wanted = f"{name}=={version}" if version else name
    platforms = [word for name in PLATFORMS for word in ("--platform", name)]
    _pip("download", "--only-binary=:all:", "--python-version", PYTHON_VERSION,
         "--implementation", "cp", *platforms, "-d", str(folder), wanted)  # fmt: skip


def _carry_source(folder: Path, version: str) -> None:
    with tempfile.TemporaryDirectory(prefix="carry-") as place:
        _pip("download", "--no-binary", SOURCE, "-d", place, f"{SOURCE}=={version}")
        (archive,) = Path(place).glob("llama_cpp_python-*.tar.gz")
        strip(archive, folder / archive.name)


def _pip(*words: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "pip", words[0], "-q", "--disable-pip-version-check", "--no-deps",
         *words[1:]],
        check=True,
    )  # fmt: skip


def strip(archive: Path, target: Path) -> None:
    """Write a source archive anew, without what is not compiled."""
    with tarfile.open(archive) as source, tarfile.open(target, "w:gz", compresslevel=9) as result:
        for member in source:
            if is_needed(PurePosixPath(member.name)):
                content = source.extractfile(member) if member.isfile() else None
                result.addfile(member, content)


def is_needed(name: PurePosixPath) -> bool:
    """Return whether a file of the archive is compiled, or asked for by what builds."""
    inside = str(PurePosixPath(*name.parts[1:]))
    if not inside.startswith(_LLAMA):
        return not inside.startswith((".git/", "docs", "examples", "tests", "docker"))
    parts = PurePosixPath(inside).relative_to(_LLAMA).parts
    if not parts:
        return True
    if parts[:2] == ("ggml", "src") and len(parts) > 2:
        return parts[2] not in _OTHER_BACKENDS
    return parts[0] not in LEFT_OUT


def _carry_starter(folder: Path) -> None:
    """Copy the starter model's small files, and its GGUF without the tensors."""
    folder.mkdir()
    models_dir = REPOSITORY / "models"
    starter.install(models_dir, lambda _progress: None)
    _copy(models_dir / starter.PLACES["pytorch"], folder, models.SMALL_FILES)
    models.write_header(models_dir / starter.PLACES["gguf_q8_0"], folder / models.HEADER)


def _copy(source: Path, target: Path, names: Iterable[str]) -> None:
    for name in names:
        if (source / name).exists():
            shutil.copy(source / name, target / name)


if __name__ == "__main__":
    sys.exit(main())
