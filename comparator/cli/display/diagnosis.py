"""A diagnosis for people: what is off first, then the facts, a table for each part."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from comparator.core.text import with_controls_shown, without_surrogates
from comparator.core.units import fine_size
from comparator.diagnosis.values import LIMITS, NOTE, PREVENTS, Finding, Report

_WORDS = {PREVENTS: "prevents answers", LIMITS: "limits", NOTE: "note"}
_STYLES = {PREVENTS: "bold red", LIMITS: "yellow", NOTE: "cyan"}
_INDENT = len("prevents answers") + 1
_NARROWEST = 100  # columns, where the output is a file or a pipe

Row = tuple[str, ...]


def show(report: Report, console: Console | None = None) -> None:
    """Print a report to standard output."""
    console = console or Console(markup=False, highlight=False, emoji=False)
    if not console.is_terminal:
        console.width = max(console.width, _NARROWEST)
    console.print(Text(_verdict(report), style="bold"))
    for finding in report.findings:
        _show_finding(console, finding)
    for title, rows in _tables(report.parts):
        _show_table(console, title, list(rows))


def _verdict(report: Report) -> str:
    if not report.healthy:
        return "Something keeps an engine from answering."
    if report.findings:
        return "Every engine can answer. Not everything is at its best:"
    return "Every engine can answer, and everything is at its best."


def _show_finding(console: Console, finding: Finding) -> None:
    grid = Table.grid(padding=(0, 1), expand=False)
    grid.add_column(width=_INDENT - 1, no_wrap=True)
    grid.add_column(overflow="fold")
    word = Text(_WORDS[finding.severity], style=_STYLES[finding.severity])
    grid.add_row(word, Text(shown(f"{finding.about}: {finding.sentence}")))
    console.print(grid)
    mend = Text(" " * _INDENT + shown(f"→ {finding.mend}"), style="green")
    console.print(mend, soft_wrap=True)  # a command is copied as one line


def _show_table(console: Console, title: str, rows: list[Row]) -> None:
    if not rows:
        return
    table = Table(title=f"\n{title}", title_justify="left", box=None, show_header=False)
    for _ in range(max(map(len, rows))):
        table.add_column(overflow="fold")
    for row in rows:
        table.add_row(*(Text(shown(cell)) for cell in row))
    console.print(table)


def _tables(parts: Mapping[str, Any]) -> Iterator[tuple[str, Iterable[Row]]]:
    for name in ("system", "processor", "memory"):
        yield name.capitalize(), _pairs(parts.get(name))
    yield "Held by running pages", map(_held, parts.get("held") or ())
    yield "GPUs", _devices(parts.get("devices"))
    yield "Engines", _engines(parts.get("engines"))
    yield "Native libraries", _files(parts.get("engines"))
    yield "Trials", _trials(parts.get("trials"))
    yield "Sandbox", ((e["library"], e["state"] or "unknown") for e in parts.get("sandbox") or ())
    yield "Folders", map(_folder, parts.get("folders") or ())
    yield "Stores", map(_store, parts.get("stores") or ())
    yield "Sources", map(_source, parts.get("sources") or ())
    yield "Models", _pairs(parts.get("models"))
    yield "Versions (installed, tested, allowed)", map(_version, parts.get("versions") or ())
    yield "Environment", map(_variable, parts.get("environment") or ())


def _pairs(facts: Mapping[str, Any] | None) -> Iterator[Row]:
    for key, value in (facts or {}).items():
        if value is not None:
            yield key.replace("_bytes", "").replace("_", " "), _value(key, value)


def _held(facts: Mapping[str, Any]) -> Row:
    servers = facts["fork_servers"]
    engines = ", ".join(f"{server['engine']} {fine_size(server['bytes'])}" for server in servers)
    own = f"{fine_size(facts['program_bytes'])} of its own"
    return f"process {facts['pid']}", own, f"engines kept warm: {engines or 'none'}"


def _value(key: str, value: Any) -> str:
    if key.endswith("_bytes"):
        return fine_size(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {part}" for name, part in value.items()) or "none"
    if isinstance(value, (list, tuple)):
        return " ".join(map(str, value)) or "none"
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _settings(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}: {_setting(value)}" for name, value in settings.items())


def _setting(value: Any) -> str:
    if isinstance(value, Mapping):
        return f"({_settings(value)})"
    if isinstance(value, bool):
        return "on" if value else "off"
    return "by rule" if value is None else str(value)


def _devices(facts: Mapping[str, Any] | None) -> Iterator[Row]:
    for device in (facts or {}).get("devices", ()):
        memory = f"{fine_size(device['free_bytes'])} free of {fine_size(device['total_bytes'])}"
        yield device["name"], memory, f"driver {(facts or {}).get('driver') or 'unknown'}"


def _engines(facts: Iterable[Mapping[str, Any]] | None) -> Iterator[Row]:
    for build in facts or ():
        version = build["version"] or ("unknown version" if build["installed"] else "–")
        yield build["engine"], build["package"], version, _state(build), _built_with(build)


def _state(build: Mapping[str, Any]) -> str:
    if not build["installed"]:
        return "not installed"
    if build["usable"] is False:
        return "cannot be used"
    return "answers" if build["chosen"] else "in reserve"


def _built_with(build: Mapping[str, Any]) -> str:
    told = dict(build["built_with"])
    words = [name if value == "1" else f"{name} {value}" for name, value in told.items() if value]
    if build["transformers"]:
        words.insert(0, f"transformers {build['transformers']}")
    if build["threads"]:
        words.append(f"{build['threads']} threads")
    if build["gpu_offload"] is not None:
        names = ", ".join(device["name"] for device in build["devices"])
        words.append(f"GPU: {names or ('none found' if build['gpu_offload'] else 'not built in')}")
    return " ".join(words)


def _files(facts: Iterable[Mapping[str, Any]] | None) -> Iterator[Row]:
    for build in facts or ():
        for file in build["files"]:
            digest = (file["sha256"] or "unreadable")[:16]
            yield file["name"], fine_size(file["bytes"] or 0), digest, file["compiler"]


def _trials(facts: Iterable[Mapping[str, Any]] | None) -> Iterator[Row]:
    for trial in facts or ():
        told = " ".join(trial["sentences"])
        yield (
            trial["engine"],
            trial["library"],
            trial["state"],
            told or _settings(trial["settings"]),
        )


def _folder(fact: Mapping[str, Any]) -> Row:
    state = "not there yet"
    if fact["exists"]:
        state = "there" if fact["is_folder"] else "not a folder"
    writable = "writable" if fact["writable"] else "not writable"
    free = "" if fact["free_bytes"] is None else f"{fine_size(fact['free_bytes'])} free"
    return fact["role"], state, writable, free, f"by {fact['set_by']}", fact["path"] or ""


def _store(fact: Mapping[str, Any]) -> Row:
    return fact["name"], fact["folder"], fact["state"], fine_size(fact["bytes"])


def _source(fact: Mapping[str, Any]) -> Row:
    number = fact["models"]
    counted = "1 model" if number == 1 else f"{number} models"
    return fact["title"], "on" if fact["on"] else "off", counted


def _version(fact: Mapping[str, Any]) -> Row:
    installed = fact["installed"] or "not installed"
    mark = "" if fact["is_tested"] or not fact["tested"] else "not the one tested"
    mark = mark if fact["is_allowed"] else "not allowed"
    return fact["name"], installed, fact["tested"] or "–", fact["allowed"] or "", mark


def _variable(fact: Mapping[str, Any]) -> Row:
    return fact["name"], "set (value left out)" if fact["value"] is None else fact["value"]


def shown(text: str) -> str:
    """Return text on one line that any terminal takes."""
    return without_surrogates(with_controls_shown(text).replace("\n", " ").replace("\t", " "))
