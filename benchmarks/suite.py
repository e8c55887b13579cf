"""The whole suite: which scenarios there are, running them, and keeping what they found."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from comparator.core.atomic_file import write_atomically
from comparator.core.exceptions import ConfigurationError, ModelNotFoundError

from . import machine, readme, scenario_batch, scenario_models, tables
from .company import MODELS, PROMPT, QUICK, Amounts, Company
from .programs import PeerError
from .record import SCHEMA, Record
from .scenario_commands import commands
from .scenario_limits import limits
from .scenario_page import page
from .targets import verdicts

SCENARIOS: dict[str, Callable[[Company], None]] = {
    "start": scenario_models.start,
    "comparison": scenario_models.comparison,
    "decode": scenario_models.decode,
    "memory": scenario_models.memory,
    "limits": limits,
    "batch": scenario_batch.scenario,
    "page": page,
    "commands": commands,
}
RESULTS = Path(__file__).parent / "results"
README = Path(__file__).parent.parent / "README.md"
BENCHMARKS = README.parent / "docs" / "benchmarks.md"
SPEED = README.parent / "docs" / "speed.md"
WHOLE = "all.json"
PROFILE = "profile.json"
BUSY = 0.5  # programs that want a core before the first round


def run(
    scenarios: Sequence[str],
    models_dir: Path,
    quick: bool,
    repeats: int | None,
    tell: Callable[[str], None],
) -> dict[str, Any]:
    """Run scenarios, all of them where none is named, and return the result for JSON.

    Args:
        scenarios: keys of SCENARIOS.
        models_dir: the folder of the starter models.
        quick: measure little, to see that everything works.
        repeats: rounds that count, instead of the suite's own numbers.
        tell: called with what is done now.

    Raises:
        ConfigurationError: a scenario is unknown, or ``repeats`` is less than 1.
        ModelNotFoundError: a starter model is not in the folder.

    A peer that fails is noted as missing; where the comparator itself fails, that scenario ends
    and its targets count as not measured.
    """
    chosen = _chosen(scenarios)
    _check_models(models_dir)
    amounts = _amounts(quick, repeats)
    record, began = Record(), time.monotonic()
    result = _head(chosen, quick, amounts, record)
    with Company(models_dir, amounts, record, tell) as company:
        for name in chosen:
            started = time.monotonic()
            try:
                SCENARIOS[name](company)
            except PeerError as error:
                record.note(f"{name} ended early: {error}")
            result["scenario_seconds"][name] = round(time.monotonic() - started, 1)
    result["seconds"] = round(time.monotonic() - began, 1)
    result["missing"], result["notes"] = record.missing, record.notes
    result["thrown_away"] = record.thrown_away
    result["targets"] = [verdict.to_record() for verdict in verdicts(record, chosen)]
    result["series"] = record.to_records()
    return result


def write(result: dict[str, Any], folder: Path) -> Path:
    """Write a result and return its place: ``all.json``, or a name that says what it lacks."""
    whole = result["scenarios"] == list(SCENARIOS)
    name = "all" if whole else "-".join(result["scenarios"])
    path = folder / f"{name}{'-quick' if result['quick'] else ''}.json"
    folder.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(result, indent=1, ensure_ascii=False) + "\n")
    return path


def results_folder() -> Path:
    """Return where results are kept: the checkout's own folder, else one in this folder."""
    return RESULTS if is_checkout() else Path("benchmark-results")


def is_checkout() -> bool:
    """Whether this is a checkout of the repository and no installed package."""
    return (README.parent / "pyproject.toml").is_file() and README.is_file()


def latest() -> dict[str, Any] | None:
    """Return the last whole run that is recorded in the checkout, if there is one.

    A scenario that is newer than that run is taken from where it was recorded by itself.
    """
    whole = _recorded(RESULTS / WHOLE)
    if whole is None:
        return None
    for name in SCENARIOS:
        part = None if name in whole["scenarios"] else _recorded(RESULTS / f"{name}.json")
        whole = _with_part(whole, part) if part else whole
    return whole


def _recorded(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_text("utf-8")) if path.is_file() else None


def _with_part(whole: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    """Return a run with a part that was measured later, which is said."""
    machine = part["machine"]
    said = (
        f"{', '.join(part['scenarios'])} was measured by itself, on {part['began'][:10]} on "
        f"{machine['cores']} cores of {machine['processor']}."
    )
    lists = ("scenarios", "series", "targets")
    joined: dict[str, Any] = {key: [*whole[key], *part[key]] for key in lists}
    joined["notes"] = [*whole["notes"], said, *part["notes"]]
    for key in ("missing", "thrown_away"):
        joined[key] = {**whole.get(key, {}), **part.get(key, {})}
    return {**whole, **joined}


def profile() -> dict[str, Any] | None:
    """Return the last profile that is recorded in the checkout, if there is one."""
    return _recorded(RESULTS / PROFILE)


def update_readme() -> None:
    """Put the figures of the last whole run into README, docs/benchmarks.md and docs/speed.md.

    Raises:
        ConfigurationError: this is no checkout, or a page has lost its markers.
    """
    if not is_checkout():
        raise ConfigurationError("README is only there in a checkout of the repository.")
    sections = {
        README: readme.section(latest()),
        BENCHMARKS: tables.benchmarks_section(latest()),
        SPEED: tables.limits_section(latest(), profile()),
    }
    for page_path, section in sections.items():
        try:
            text = tables.with_section(page_path.read_text("utf-8"), section)
        except ValueError as error:
            raise ConfigurationError(f"{page_path}: {error} Put both lines back.") from error
        write_atomically(page_path, text)


def _chosen(scenarios: Sequence[str]) -> tuple[str, ...]:
    unknown = [name for name in scenarios if name not in SCENARIOS]
    if unknown:
        raise ConfigurationError(
            f"There is no scenario {unknown[0]!r}. There are: {', '.join(SCENARIOS)}."
        )
    return tuple(name for name in SCENARIOS if name in scenarios or not scenarios)


def _amounts(quick: bool, repeats: int | None) -> Amounts:
    amounts = QUICK if quick else Amounts()
    if repeats is None:
        return amounts
    if repeats < 1:
        raise ConfigurationError(f"--repeats must be at least 1, not {repeats}.")
    fields = ("repeats", "short_repeats", "decode_repeats", "page_repeats")
    return replace(amounts, **dict.fromkeys(fields, repeats))


def _check_models(models_dir: Path) -> None:
    missing = [place for place in MODELS.values() if not (models_dir / place).exists()]
    if missing:
        raise ModelNotFoundError(
            f"The suite measures the starter models; {missing[0]} is not in {models_dir}. "
            "'comparator starter' puts them there."
        )


def _head(chosen: tuple[str, ...], quick: bool, amounts: Amounts, record: Record) -> dict[str, Any]:
    load = machine.load_average()
    if load is not None and load > BUSY:
        record.note(
            f"The machine was busy before the first round (load {load:.2f}): "
            "figures are worse than they would be, and ratios less certain."
        )
    return {
        "schema": SCHEMA,
        "began": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": 0.0,
        "scenario_seconds": {},
        "scenarios": list(chosen),
        "quick": quick,
        "machine": {**machine.machine(), "load_before": load},
        "versions": machine.versions(),
        "settings": {**asdict(amounts), "prompt": PROMPT, "sampling": "greedy", "models": MODELS},
    }
