"""What ``machine_use`` found, in English: for exports and the command line."""

from __future__ import annotations

from collections.abc import Callable

from comparator.comparison.machine_use import GivenBack, MachineUse
from comparator.core.text import with_controls_shown
from comparator.core.units import NOT_MEASURED, fine_size, seconds

MEASURES: dict[str, tuple[str, Callable[[float], str]]] = {
    "load": ("Load", seconds),
    "prefill": ("Reading the prompt", seconds),
    "first_token": ("First token", seconds),
    "tokens_per_second": ("Tokens a second", lambda number: f"{number:.1f}"),
    "characters_per_second": ("Characters a second", lambda number: f"{number:.1f}"),
    "peak_bytes": ("Peak memory", fine_size),
    "peak_device_bytes": ("Peak memory of the accelerator", fine_size),
}


def figures(use: MachineUse) -> list[tuple[str, list[str]]]:
    """Return what each measure is called, and its value of each column with its unit."""
    return [
        (MEASURES[name][0], [_value(name, value) for value in values])
        for name, values in use.figures.items()
    ]


def given_back(use: MachineUse) -> list[str]:
    """Return a sentence for each column: what it took, and what was free again after its exit."""
    return [
        f"{with_controls_shown(name)}: {_returned(one)}"
        for name, one in zip(use.names, use.given_back, strict=True)
    ]


def _value(name: str, value: float | None) -> str:
    return NOT_MEASURED if value is None else MEASURES[name][1](value)


def _returned(one: GivenBack) -> str:
    if one.state == "never":
        return "took nothing, it was not started."
    if one.state == "running":
        return "runs."
    took = f"{fine_size(one.peak_bytes)} taken and given back {seconds(one.exit_seconds)} after"
    free = f"{took} its last word; {fine_size(one.after)} free then"
    if one.state == "beside":
        return f"{free}, with others beside it."
    before = f"{free}, {fine_size(one.before)} before"
    devices = "".join(
        f" {with_controls_shown(device['name'])}: {fine_size(device['after'])} free, "
        f"{fine_size(device['before'])} before."
        for device in one.devices
    )
    if one.state != "less":
        return f"{before}.{devices}"
    missing = fine_size(one.before - one.after)
    return f"{before}: {missing} less, which other programs took or the system holds.{devices}"
