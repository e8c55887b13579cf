"""Which flags llama.cpp needs from this machine's compiler, and the command that builds it anew.

This is the one place that knows; scripts/native_wheel.py builds with it. GNU C++ up to 12.2 (and
others without the mend of GCC's report 114098) tells its own optimiser that ``_tile_loadconfig``
reads eight bytes, where the processor reads 64. The stores to the other 56 are dropped as dead by
the pass on RTL that ``-fno-dse`` switches off; then the first tile instruction of llama.cpp's AMX
code ends in SIGSEGV. ``-fno-tree-dse`` is not needed: in GCC 11 and 12 the pass on trees leaves
these stores alone, and the code around tile loads is the same with and without it. Only
ggml-cpu/amx/mmq.cpp, which is C++, has such code.

Nothing is believed about versions: a few lines with the same stores are compiled, and the first
set of flags is taken with which they are still in the object file. Only the standard library is
imported, because the scripts run this before anything is installed.
"""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

# From what costs nothing to what costs most. Where none helps, AMX is given up.
_CANDIDATES: tuple[tuple[str, ...], ...] = (
    (),
    ("-fno-dse",),
    ("-fno-dse", "-fno-tree-dse"),
)
WITHOUT_AMX = ("-mno-amx-tile", "-mno-amx-int8", "-mno-amx-bf16")
_COMPILE_SECONDS = 60
VERSION = "0.3.36"  # the one of constraints.txt
# What builds it anew, with all its speed: in a checkout, and anywhere else. The flag is for GNU
# C++; rebuild_command() has the one for the compiler that is here.
IN_A_CHECKOUT = "./scripts/start --rebuild"
_PIP = (
    "pip install --force-reinstall --no-deps --no-cache-dir --no-binary llama-cpp-python "
    f'"llama-cpp-python=={VERSION}"'
)
BY_PIP = f'CXXFLAGS="-fno-dse" {_PIP}'
_KEPT = (b"TILECOLS", b"TILEROWS")
# The stores as in ggml_tile_config_init; the two numbers spell _KEPT in memory.
_PROBE = """
#include <immintrin.h>
#include <cstdint>
#include <cstring>
void configure() {
    alignas(64) unsigned char configuration[64] = {};
    const std::uint64_t columns = 0x534c4f43454c4954;
    const std::uint64_t rows = 0x53574f52454c4954;
    configuration[0] = 1;
    std::memcpy(configuration + 16, &columns, sizeof columns);
    std::memcpy(configuration + 48, &rows, sizeof rows);
    _tile_loadconfig(configuration);
}
"""


def compiler() -> list[str]:
    """Return the command of the C++ compiler that CMake will take: ``CXX``, else ``c++``."""
    return shlex.split(os.environ.get("CXX", "")) or ["c++"]


def macros(architecture: Sequence[str] = ("-march=native",)) -> str:
    """Return what the compiler defines for this processor: its version and every feature.

    Two compilers, or two processors, that build different libraries differ here. A compiler that
    knows no ``-march=native`` is asked without it; the empty text means that it did not answer.
    """
    for flags in (list(architecture), []):
        done = _run([*compiler(), *flags, "-dM", "-E", "-x", "c++", os.devnull])
        if done is not None:
            return "\n".join(sorted(done.splitlines()))
    return ""


def builds_amx(architecture: Sequence[str] = ("-march=native",)) -> bool:
    """Return whether a build here holds AMX code: for this processor, or because it is asked to."""
    asked = os.environ.get("CMAKE_ARGS", "")
    asks_for_it = "AMX" in asked or "ALL_VARIANTS" in asked
    return asks_for_it or "#define __AMX_TILE__" in macros(architecture)


def flags(architecture: Sequence[str] = ("-march=native",)) -> tuple[str, ...]:
    """Return the fewest flags for C++ with which llama.cpp's AMX code is right; often none.

    Where no flags keep the stores, AMX itself is switched off: slower, and right.
    """
    if not builds_amx(architecture):
        return ()
    for candidate in _CANDIDATES:
        if _keeps_stores(candidate):
            return candidate
    return WITHOUT_AMX


def _keeps_stores(candidate: Sequence[str]) -> bool:
    with tempfile.TemporaryDirectory(prefix="comparator-probe-") as folder:
        source, target = Path(folder, "probe.cpp"), Path(folder, "probe.o")
        source.write_text(_PROBE, "utf-8")
        common = ["-std=c++17", "-O3", "-mamx-tile", *candidate]
        done = _run([*compiler(), *common, "-c", str(source), "-o", str(target)])
        return done is not None and all(word in target.read_bytes() for word in _KEPT)


def _run(command: list[str]) -> str | None:
    """Return what a command prints; None where it fails."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=_COMPILE_SECONDS
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def rebuild_command() -> str:
    """Return the command that builds llama-cpp-python anew for this machine, with all its speed.

    Outside of a checkout that is pip with the flags that this machine's compiler needs, or the
    usual ones where there is no compiler yet.
    """
    if Path(__file__).resolve().parents[2].joinpath("scripts", "start").is_file():
        return IN_A_CHECKOUT
    if not macros():
        return BY_PIP
    needed = flags()
    return f'CXXFLAGS="{" ".join(needed)}" {_PIP}' if needed else _PIP


def rules() -> str:
    """Return all that flags() decides by, so that a wheel built by other rules is told apart."""
    return repr((_CANDIDATES, WITHOUT_AMX, _PROBE))


def machine() -> str:
    """Return what else decides whether a built library runs here: system, processor, C library."""
    library = "-".join(platform.libc_ver())
    return f"{platform.system()} {platform.machine()} {library}"
