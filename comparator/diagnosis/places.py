"""The folders, the stores in them, the sources of models, and how many models there are."""

from __future__ import annotations

import collections
import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comparator.core.disk import free_bytes
from comparator.core.exceptions import ConfigurationError, MultiLLMError
from comparator.core.location import OWN_SOURCE
from comparator.core.units import fine_size
from comparator.diagnosis.values import LIMITS, NOTE, PREVENTS, Finding, ReportPart
from comparator.library.sources import SOURCES
from comparator.services.model_manager import ModelManager
from comparator.storage import database, suite_rows
from comparator.storage.history import Retention
from comparator.storage.history_schema import VERSION, has_index

FEW_BYTES = 2_000_000_000  # a small model and its neighbours do not fit into less
HISTORY = "history.sqlite3"
# What cannot be had again, and which version of each this program knows.
_PRECIOUS = {HISTORY: VERSION, "suites.sqlite3": suite_rows.KIND.version, "votes.sqlite3": 1}
_STORES = {
    "cache": ("facts.sqlite3", "digests.sqlite3", "checks.sqlite3", "trials.sqlite3"),
    "data": ("measurements.sqlite3", *_PRECIOUS),
}
_VARIABLES = {
    "models": "COMPARATOR_MODELS_DIR",
    "cache": "COMPARATOR_CACHE_DIR",
    "data": "COMPARATOR_DATA_DIR",
    "temporary": "TMPDIR",
}
_PUT_ASIDE = f"*.sqlite3{database.ASIDE}*"
_LARGEST_CHECKED_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True)
class Places:
    """Where models are looked for.

    Attributes:
        models_dirs: the folders of the user's; the first is the one that is written to.
        sources: the other programs whose models are offered, by key.
        named: whether the first folder was named on the command line.
    """

    models_dirs: tuple[Path, ...]
    sources: tuple[str, ...]
    named: bool = False


def folders(places: Places) -> ReportPart:
    """Return the state of every folder of ours; only those of models are told by their path."""
    facts = [_folder("models", folder, shown=True) for folder in places.models_dirs]
    for fact in facts:
        if places.named:
            fact["set_by"] = "--models-dir"
    facts += [
        _folder("data", database.measurements_path().parent),
        _folder("cache", database.facts_path().parent),
    ]
    facts += list(_temporary())
    return ReportPart(facts, [finding for fact in facts for finding in _about_folder(fact)])


def _folder(role: str, path: Path, shown: bool = False) -> dict[str, Any]:
    variable = _VARIABLES[role]
    is_dir, exists = path.is_dir(), os.path.lexists(path)
    return {
        "role": role,
        "path": str(path) if shown else None,
        "set_by": variable if os.environ.get(variable) else "default",
        "exists": exists,
        "is_folder": is_dir,
        "readable": is_dir and os.access(path, os.R_OK | os.X_OK),
        "writable": _is_writable(path),
        "free_bytes": _free(path),
    }


def _is_writable(path: Path) -> bool:
    """Return whether a file can be made there, or the folder itself where it is not there yet.

    A file is really made, since a read-only disk and root's rights hide from a look at modes.
    """
    while not os.path.lexists(path) and path != path.parent:
        path = path.parent
    try:
        handle, name = tempfile.mkstemp(prefix=".comparator-doctor-", dir=path)
    except (OSError, ValueError):
        return False
    os.close(handle)
    with contextlib.suppress(OSError):
        os.unlink(name)
    return True


def _free(path: Path) -> int | None:
    try:
        return free_bytes(path)
    except OSError:
        return None


def _temporary() -> Iterator[dict[str, Any]]:
    try:
        yield _folder("temporary", Path(tempfile.gettempdir()))
    except OSError:  # there is none that can be written to
        yield {
            "role": "temporary", "path": None, "set_by": "default", "exists": False,
            "is_folder": False, "readable": False, "writable": False, "free_bytes": None,
        }  # fmt: skip


def _about_folder(fact: dict[str, Any]) -> Iterator[Finding]:
    role, variable = fact["role"], _VARIABLES[fact["role"]]
    if fact["exists"] and not fact["is_folder"]:
        severity = PREVENTS if role == "models" else LIMITS
        sentence = f"The {role} folder is not a folder."
        yield Finding("folders", severity, sentence, _another(role, variable))
    elif not fact["writable"]:
        yield _about_unwritable(role, variable)
    elif fact["exists"] and not fact["readable"]:
        sentence = f"The {role} folder cannot be read."
        yield Finding("folders", LIMITS, sentence, _another(role, variable))
    if role == "models" and fact["free_bytes"] is not None and fact["free_bytes"] < FEW_BYTES:
        sentence = f"Only {fine_size(fact['free_bytes'])} are free where models are kept."
        yield Finding("folders", NOTE, sentence, "comparator remove MODEL")


_LOST = {
    "models": "models cannot be fetched, made or removed",
    "data": "no comparison is kept, and measurements end with the program",
    "cache": "facts about models are read anew at each start",
    "temporary": "model processes have no temporary folder, and may not start",
}


def _about_unwritable(role: str, variable: str) -> Finding:
    sentence = f"The {role} folder cannot be written to: {_LOST[role]}."
    return Finding("folders", LIMITS, sentence, _another(role, variable))


def _another(role: str, variable: str) -> str:
    if role == "models" and not os.environ.get(variable):
        return "Name another one: comparator serve --models-dir FOLDER, and so for run."
    return f"export {variable}=FOLDER, one that you may write to"


def stores() -> ReportPart:
    """Return the state of every SQLite file of ours; nothing in them is changed."""
    facts, findings = [], []
    for role, folder in (
        ("cache", database.facts_path().parent),
        ("data", database.measurements_path().parent),
    ):
        for name in sorted({*_STORES[role], *_names_in(folder, "*.sqlite3")}):
            facts.append(_store(role, folder / name))
        aside = _names_in(folder, _PUT_ASIDE)
        if aside:
            findings.append(_about_put_aside(role, aside))
    findings += _about_history()
    unlike = {_place(fact): fact for fact in facts}  # both folders may be the same one
    facts = list(unlike.values())
    return ReportPart(facts, [*(f for fact in facts for f in _about_store(fact)), *findings])


def _place(fact: dict[str, Any]) -> tuple[str, int]:
    return fact["name"], fact["bytes"]


def _names_in(folder: Path, pattern: str) -> list[str]:
    try:
        return sorted(path.name for path in folder.glob(pattern))
    except OSError:
        return []


def _store(role: str, path: Path) -> dict[str, Any]:
    state, version, bytes_ = "missing", None, 0
    try:
        bytes_ = path.stat().st_size
        state, version = _checked(path, bytes_)
    except FileNotFoundError:
        pass
    except OSError:
        state = "unreadable"
    return {
        "name": path.name, "folder": role, "state": state, "bytes": bytes_, "version": version,
    }  # fmt: skip


def _checked(path: Path, size: int) -> tuple[str, int | None]:
    """Return ``good``, ``damaged`` or ``unreadable``, and the version of what is in it."""
    try:
        with contextlib.closing(_opened(path)) as connection:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if size <= _LARGEST_CHECKED_BYTES:
                (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
                return ("good" if verdict == "ok" else "damaged"), version
            return "good", version
    except sqlite3.OperationalError:  # a subclass of the next: locked, or no right to read
        return "unreadable", None
    except sqlite3.DatabaseError:
        return "damaged", None


def _opened(path: Path) -> sqlite3.Connection:
    address = f"{path.absolute().as_uri()}?mode=ro"
    if not os.access(path.parent, os.W_OK):
        address += "&immutable=1"  # else SQLite wants to make a file beside it
    return sqlite3.connect(address, uri=True, timeout=database.BUSY_SECONDS)


def _about_history() -> list[Finding]:
    """Return why comparisons are not kept as they should be, if so."""
    try:
        retention = Retention.of()
    except ConfigurationError as error:
        return [Finding("stores", PREVENTS, str(error), "Set it right, or unset it.")]
    if not retention.is_on:
        sentence = "The history is off, so comparisons are not kept."
        return [Finding("stores", NOTE, sentence, "unset COMPARATOR_HISTORY")]
    if not has_index():
        sentence = "SQLite has no full text index here, so a search of the history reads all of it."
        return [Finding("stores", NOTE, sentence, "Use a Python whose SQLite has FTS5.")]
    return []


def _about_store(fact: dict[str, Any]) -> Iterator[Finding]:
    name = fact["name"]
    known = _PRECIOUS.get(name)
    if known is not None and (fact["version"] or 0) > known:
        sentence = (
            f"{name} is of a later version ({fact['version']}, and this program knows "
            f"{known}), so it is left alone and nothing is kept."
        )
        mend = "Update the comparator, or export COMPARATOR_DATA_DIR=FOLDER, another one."
        yield Finding("stores", LIMITS, sentence, mend)
    elif known is not None and fact["state"] == "unreadable":
        sentence = f"{name} in the data folder cannot be read, so nothing is kept."
        mend = "End the program that holds it, or change the rights of the file."
        yield Finding("stores", LIMITS, sentence, mend)
    elif fact["state"] in ("damaged", "unreadable"):
        sentence = (
            f"{fact['name']} in the {fact['folder']} folder is {fact['state']}; it is put aside "
            "and begun anew when it is next used."
        )
        mend = f"Remove {fact['name']} from the {fact['folder']} folder."
        if known is not None:  # what is in it cannot be had again
            mend = "If what is in it is wanted, copy it first: 'sqlite3 FILE .recover' saves much."
        yield Finding("stores", LIMITS, sentence, mend)


def _about_put_aside(role: str, names: Sequence[str]) -> Finding:
    sentence = f"A damaged store was put aside in the {role} folder: {', '.join(names)}."
    return Finding("stores", NOTE, sentence, f"Remove it, if nobody wants to look: {names[0]}.")


def sources(places: Places, models: Sequence[Any]) -> ReportPart:
    """Return which programs' models are offered, and how many models each has."""
    counts = collections.Counter(model.source for model in models)
    facts = [{"key": OWN_SOURCE, "title": "your folders", "on": True, "models": counts[OWN_SOURCE]}]
    for key, kind in SOURCES.items():
        facts.append(
            {"key": key, "title": kind.title, "on": key in places.sources, "models": counts[key]}
        )
    return ReportPart(facts)


def models(places: Places) -> tuple[ReportPart, list[Any]]:
    """Return how many models there are, without a name; and the models."""
    found, trouble = _found(places)
    loadable = [model for model in found if model.problem is None]
    by_engine = collections.Counter(model.model_type.value for model in loadable)
    facts = {
        "total": len(found),
        "loadable": len(loadable),
        "by_engine": dict(sorted(by_engine.items())),
    }
    findings = []
    if not loadable and _no_folder(places.models_dirs[0]):
        pass  # the folders' own finding says it; nothing can be put into a file
    elif not loadable:
        sentence = trouble or "There are no models, so there is nothing to ask."
        findings.append(Finding("models", PREVENTS, sentence, "comparator starter"))
    elif trouble:
        findings.append(Finding("models", LIMITS, trouble, "comparator starter"))
    if len(loadable) < len(found):
        sentence = f"{len(found) - len(loadable)} of {len(found)} models cannot be loaded."
        findings.append(Finding("models", NOTE, sentence, "comparator models"))
    return ReportPart(facts, findings), found


def _no_folder(path: Path) -> bool:
    return path.exists() and not path.is_dir()


def _found(places: Places) -> tuple[list[Any], str]:
    own, *more = places.models_dirs
    usable = [folder for folder in more if folder.is_dir()]
    manager = ModelManager(own, more_dirs=usable, sources=places.sources)
    try:
        found = manager.scan_models()
    except MultiLLMError as error:
        return [], str(error)
    finally:
        manager.close()
    absent = [str(f) for f in places.models_dirs if not f.is_dir()]
    trouble = f"There is no models folder at {' and '.join(absent)}." if absent else ""
    return found, trouble
