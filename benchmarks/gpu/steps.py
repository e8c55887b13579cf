"""The steps, in the order of their worth, and a program that goes on after one that fails.

Each step runs in a process of its own, which writes a row a line: what dies, hangs or takes the
driver with it costs its own rest alone.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

LEAST_SECONDS = 10.0  # under which nothing more is begun
_SHOWN_CHARACTERS = 300


@dataclass(frozen=True)
class Step:
    """One step.

    Attributes:
        name: as ``--only`` takes it.
        place: ``module:function`` of ``benchmarks.gpu``; it takes a ``Scene`` and yields rows.
        seconds: the most that it may take.
        waits_for_build: whether it needs llama.cpp, which is compiled meanwhile.
    """

    name: str
    place: str
    seconds: float
    waits_for_build: bool = False


STEPS = (
    Step("models", "models:run", 110),
    Step("fork-server", "servers:run", 30),
    Step("pytorch-speed", "pytorch_speed:run", 100),
    Step("memory", "device_memory:run", 90),
    Step("stop", "stopping:run", 60),
    Step("pytorch-contract", "contract:pytorch", 90),
    Step("gguf-speed", "gguf_speed:run", 90, waits_for_build=True),
    Step("gguf-contract", "contract:gguf", 90, waits_for_build=True),
    Step("batch", "batched:run", 60),
)


@dataclass(frozen=True)
class Row:
    """One thing that was seen.

    Attributes:
        what: in words.
        value: a number in ``unit``, or a word.
        is_right: whether it is as it is promised to be; None where nothing is promised.
        promised: what is promised, in words.
    """

    what: str
    value: float | str
    unit: str = ""
    is_right: bool | None = None
    promised: str = ""


@dataclass
class Outcome:
    """What became of a step; ``trouble`` says why it did not end well."""

    step: str
    seconds: float = 0.0
    rows: list[Row] = field(default_factory=list)
    trouble: str = ""


def chosen(only: Sequence[str]) -> list[Step]:
    """Return the steps of these names, or all.

    Raises:
        SystemExit: there is none of a name.
    """
    unknown = sorted(set(only) - {step.name for step in STEPS})
    if unknown:
        names = ", ".join(step.name for step in STEPS)
        raise SystemExit(f"There is no step {', '.join(unknown)}. There are: {names}.")
    return [step for step in STEPS if not only or step.name in only]


def run_all(
    steps: Iterable[Step],
    command: Sequence[str],
    folder: Path,
    end: float,
    is_built: Callable[[float], str],
) -> list[Outcome]:
    """Run steps one after another until there is no time left.

    Args:
        steps: to be run.
        command: to which a step's name is added.
        folder: for what they write.
        end: when everything is to be over (``time.monotonic``).
        is_built: waits for llama.cpp for so many seconds; returns why it is not there, or nothing.
    """
    outcomes = []
    for step in steps:
        outcome = _run(step, command, folder, end, is_built)
        outcomes.append(outcome)
        print(_line(outcome), file=sys.stderr, flush=True)
    return outcomes


def _run(
    step: Step,
    command: Sequence[str],
    folder: Path,
    end: float,
    is_built: Callable[[float], str],
) -> Outcome:
    trouble = is_built(end - time.monotonic() - LEAST_SECONDS) if step.waits_for_build else ""
    left = end - time.monotonic()
    if trouble or left < LEAST_SECONDS:
        return Outcome(step.name, trouble=trouble or "There was no time left.")
    began = time.monotonic()
    rows, log = folder / f"{step.name}.jsonl", folder / f"{step.name}.log"
    trouble = _in_own_process([*command, step.name], rows, log, min(step.seconds, left))
    return Outcome(step.name, time.monotonic() - began, read_rows(rows), trouble)


def _in_own_process(command: list[str], rows: Path, log: Path, seconds: float) -> str:
    """Run a step; return why it did not end well."""
    rows.unlink(missing_ok=True)
    with open(log, "wb") as output:
        process = subprocess.Popen(
            [*command, "--rows", str(rows)], stdout=output, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired:
            code = None
        finally:
            _end_group(process)
    if code is None:
        return f"It took longer than {seconds:.0f} s and was ended. {_last_line(log)}".strip()
    return f"It ended with {code}. {_last_line(log)}".strip() if code else ""


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End a step and all that it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except OSError:
        process.kill()
    process.wait()


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text("utf-8", "replace").splitlines()]
    return next((line for line in reversed(lines) if line), "")[:_SHOWN_CHARACTERS]


def write_row(file: Path, row: Row) -> None:
    """Add a row to what a step has seen."""
    with open(file, "a", encoding="utf-8") as output:
        output.write(json.dumps(asdict(row)) + "\n")


def read_rows(file: Path) -> list[Row]:
    """Return what a step has seen, also where it ended in the middle of a line."""
    rows = []
    for line in file.read_text("utf-8").splitlines() if file.exists() else []:
        try:
            rows.append(Row(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return rows


def to_record(outcomes: Iterable[Outcome], about: dict[str, Any]) -> dict[str, Any]:
    """Return everything for JSON."""
    return {**about, "steps": [asdict(outcome) for outcome in outcomes]}


def is_right(outcomes: Iterable[Outcome]) -> bool:
    """Return whether every step ended well and nothing was other than promised."""
    return all(not one.trouble and not _wrong(one) for one in outcomes)


def table(outcomes: Iterable[Outcome]) -> str:
    """Return everything as a Markdown table."""
    lines = ["| step | what | value | promised | |", "|---|---|---:|---|---|"]
    for outcome in outcomes:
        for row in outcome.rows:
            value = f"{row.value:.4g}" if isinstance(row.value, float) else str(row.value)
            mark = {True: "ok", False: "**no**", None: ""}[row.is_right]
            cells = (outcome.step, row.what, f"{value} {row.unit}".strip(), row.promised, mark)
            lines.append("| " + " | ".join(cell.replace("|", "/") for cell in cells) + " |")
        if outcome.trouble:
            trouble = outcome.trouble.replace("|", "/")
            lines.append(f"| {outcome.step} | {trouble} | | | **failed** |")
    return "\n".join(lines)


def _wrong(outcome: Outcome) -> list[Row]:
    return [row for row in outcome.rows if row.is_right is False]


def _line(outcome: Outcome) -> str:
    wrong = len(_wrong(outcome))
    said = outcome.trouble or f"{len(outcome.rows)} rows, {wrong} not as promised"
    return f"{outcome.step}: {said} ({outcome.seconds:.0f} s)"
