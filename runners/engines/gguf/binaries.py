"""Whether a library's binaries are whole and for this processor, before anything runs them.

A truncated binary is mapped without complaint and kills the process at its first missing page.
The layout is that of ELF (elf.h, Elf64_Ehdr and Elf64_Phdr); other systems' files are only seen
to be there.
"""

from __future__ import annotations

import importlib.util
import platform
import struct
import sys
from pathlib import Path
from typing import BinaryIO

from comparator.core.exceptions import EngineMissingError

_PACKAGES = {
    "llama_cpp": ("llama-cpp-python", '"llama-cpp-python>=0.3.36"', "the prebuilt xllamacpp"),
    "xllamacpp": ("xllamacpp", '"xllamacpp>=2026.10"', "llama-cpp-python"),
}
_MACHINES = {  # elf.h: e_machine
    "x86_64": 62, "amd64": 62, "aarch64": 183, "arm64": 183, "riscv64": 243, "ppc64le": 21,
    "s390x": 22, "loongarch64": 258,
}  # fmt: skip
_HEADER_BYTES, _SEGMENT_BYTES = 64, 56
_ELF, _64_BIT_LITTLE = b"\x7fELF", b"\x02\x01"
_OTHER_FORMATS = (b"MZ", b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe")  # PE, and Mach-O's two
_IS_READ_HERE = sys.byteorder == "little" and sys.maxsize > 2**32


def check_folder(package: str, below: str, instead: str | None = None) -> None:
    """Refuse a package in whose folder lies a damaged binary.

    Args:
        package: its import name; one that is not installed is passed over.
        below: the folder of the binaries in it.
        instead: another folder for them.

    Raises:
        EngineMissingError: names the file and what is wrong with it.
    """
    spec = importlib.util.find_spec(package)
    places = (spec.submodule_search_locations or ()) if spec else ()
    folders = [Path(instead)] if instead else [Path(place, below) for place in places]
    for folder in folders:
        for file in sorted(folder.glob("*.so")):
            check_file(package, file)


def check_file(package: str, file: Path) -> None:
    """Refuse a binary that is not whole or not for this processor.

    Raises:
        EngineMissingError: names the file and what is wrong with it.
    """
    try:
        trouble = trouble_of(file)
    except OSError as error:
        trouble = f"cannot be read: {error.strerror or error}"
    if trouble:
        raise unusable(package, f"{file.name} {trouble}")


def unusable(package: str, reason: str) -> EngineMissingError:
    """Make the error for a package that is installed and does not work."""
    name, requirement, other = _PACKAGES[package]
    return EngineMissingError(
        f"{name} cannot be used here ({reason}). Where it is installed, it is damaged or was "
        f"made for another system. Install it anew: pip install --force-reinstall --no-cache-dir "
        f"{requirement}, or {other} in its place."
    )


def trouble_of(file: Path) -> str:
    """Say what is wrong with a binary; empty for a good one, and for one that is not read here."""
    size = file.stat().st_size
    if not size:
        return "is empty"
    with file.open("rb") as content:
        header = content.read(_HEADER_BYTES)
        if not header.startswith(_ELF):
            return "" if header.startswith(_OTHER_FORMATS) else "is no library"
        if not _IS_READ_HERE:
            return ""
        if len(header) < _HEADER_BYTES:
            return f"is cut off after {size} bytes"
        machine = struct.unpack_from("<H", header, 18)[0]
        known = _MACHINES.get(platform.machine().lower(), machine)
        if header[4:6] != _64_BIT_LITTLE or machine != known:
            return "is made for another processor"
        needed = _needed_bytes(header, content)
    return f"is cut off after {size} of {needed} bytes" if size < needed else ""


def _needed_bytes(header: bytes, content: BinaryIO) -> int:
    """Return where the last segment or the table of sections ends."""
    segments, sections = struct.unpack_from("<QQ", header, 32)
    _, count, section_size, section_count = struct.unpack_from("<HHHH", header, 54)
    content.seek(segments)
    table = content.read(count * _SEGMENT_BYTES)
    ends = [segments + count * _SEGMENT_BYTES, sections + section_size * section_count]
    for place in range(0, len(table) - _SEGMENT_BYTES + 1, _SEGMENT_BYTES):
        offset, size = struct.unpack_from("<Q16xQ", table, place + 8)
        ends.append(offset + size)
    return int(max(ends))
