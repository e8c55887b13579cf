"""Which processor this is: its name, the instructions that engines are built for, and a mark.

Sources: ``/proc/cpuinfo`` on Linux, ``sysctl`` on macOS, ``platform`` elsewhere. Nothing here
raises: what cannot be found out is left empty.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import platform
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

CPUINFO = "/proc/cpuinfo"
_SYSCTL = "/usr/sbin/sysctl"
_SYSCTL_SECONDS = 2.0
_NAME_KEYS = ("model name", "hardware", "cpu model", "cpu", "machdep.cpu.brand_string")
_FLAG_KEYS = ("flags", "features", "isa")
_LIST_KEYS = ("machdep.cpu.features", "machdep.cpu.leaf7_features", "machdep.cpu.extfeatures")
_ARM_PREFIX = "hw.optional."
# In the names of /proc/cpuinfo: those for which llama.cpp and oneDNN have code of their own.
_THAT_MATTER = re.compile(
    r"^(sse3|ssse3|sse4_[12]|avx|avx2|avx_vnni|avx_vnni_int8|avx512\w+|amx_\w+|fma|f16c|bmi2"
    r"|neon|asimd|asimddp|asimdhp|i8mm|svei8mm|bf16|svebf16|sve|sve2|sme|sme2|sme_\w+|rvv|zvfh|vsx|vxe2?)$"
)


@dataclass(frozen=True)
class Processor:
    """Facts of the processor.

    Attributes:
        name: as its maker calls it; empty where the system does not tell.
        machine: the architecture, such as ``x86_64`` or ``arm64``.
        flags: every instruction set that the system names, sorted.
    """

    name: str
    machine: str
    flags: tuple[str, ...] = ()

    @property
    def flags_that_matter(self) -> tuple[str, ...]:
        """The flags for which engines have code of their own."""
        return tuple(flag for flag in self.flags if _THAT_MATTER.match(flag))

    @property
    def flags_hash(self) -> str:
        """Sixteen hexadecimal digits that are the same for the same architecture and flags."""
        text = "\n".join((self.machine, *self.flags))
        return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


@functools.cache
def this_processor() -> Processor:
    """Return the facts of this machine's processor."""
    facts: dict[str, str] = {}
    with contextlib.suppress(Exception):
        facts = _facts()
    return _made_of(facts)


def _made_of(facts: dict[str, str]) -> Processor:
    machine = platform.machine()
    name = next((facts[key] for key in _NAME_KEYS if facts.get(key)), "")
    # Elsewhere Python would start a program to ask.
    told = platform.processor() if sys.platform == "win32" else ""
    return Processor(name or told or machine, machine, tuple(_flags(facts)))


def _facts() -> dict[str, str]:
    if sys.platform.startswith("linux"):
        with open(CPUINFO, encoding="utf-8", errors="replace") as lines:
            return first_processor(lines)
    if sys.platform == "darwin":
        return _from_sysctl()
    return {}


def first_processor(lines: Iterable[str]) -> dict[str, str]:
    """Return the first block of ``/proc/cpuinfo`` that has flags; the rest repeats it."""
    facts: dict[str, str] = {}
    for line in lines:
        key, colon, value = line.partition(":")
        if colon:
            facts.setdefault(key.strip().lower(), value.strip())
        elif facts.keys() & set(_FLAG_KEYS):
            break
    return facts


def _from_sysctl() -> dict[str, str]:
    done = subprocess.run(
        [_SYSCTL, "machdep.cpu", "hw.optional"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        timeout=_SYSCTL_SECONDS,
        check=False,
    )
    lines = done.stdout.decode("utf-8", "replace").splitlines()
    pairs = (line.partition(":") for line in lines)
    return {key.strip().lower(): value.strip() for key, _colon, value in pairs}


def _flags(facts: dict[str, str]) -> list[str]:
    return sorted(set(_words(facts)))


def _words(facts: dict[str, str]) -> Iterator[str]:
    for key in (*_FLAG_KEYS, *_LIST_KEYS):
        yield from (word.lower().replace(".", "_") for word in facts.get(key, "").split())
    for key, value in facts.items():
        if key.startswith(_ARM_PREFIX) and value == "1":
            yield key.removeprefix(_ARM_PREFIX).removeprefix("arm.feat_")
