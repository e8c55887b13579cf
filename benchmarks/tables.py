"""From the JSON of a run to Markdown: the tables that are printed, and those of the documents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .record import MEASURES

BEGIN = "<!-- benchmarks: made by `comparator bench --readme`, do not edit -->"
END = "<!-- /benchmarks -->"
NOT_YET = "No full run of the suite is recorded yet."
SCENARIOS = ("start", "comparison", "decode", "memory", "limits", "batch", "page", "commands")
Result = Mapping[str, Any]


def report(result: Result) -> str:
    """Return everything that a run says, as Markdown."""
    parts = [
        heading(result),
        targets_table(result["targets"]),
        values_tables(result["series"]),
        remarks(result),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def benchmarks_section(result: Result | None) -> str:
    """Return what stands between the markers of docs/benchmarks.md, the markers included."""
    if result is None:
        return between_markers([NOT_YET])
    parts = [heading(result), remarks(result)]
    parts += ["## Targets", targets_table(result["targets"])]
    parts += ["## Figures", values_tables(result["series"])]
    return between_markers(parts)


def limits_section(result: Result | None, profile: Result | None) -> str:
    """Return what stands between the markers of docs/speed.md, the markers included.

    Args:
        result: the last whole run.
        profile: what ``profile_decode`` found, by model: shares of its samples by function.
    """
    parts = [NOT_YET]
    if result is not None:
        own = [series for series in result["series"] if series["scenario"] == "limits"]
        parts = [heading(result), values_tables(own)]
    for label, shares in (profile or {"models": {}})["models"].items():
        rows = [(where, f"{share:.1%}") for where, share in shares.items()]
        parts.append(f"**{label}**\n\n{table(('Where the time goes', 'Share'), rows, 1)}")
    return between_markers(parts)


def between_markers(parts: Iterable[str]) -> str:
    """Return a section of a page: its parts, without empty ones, and the markers around them."""
    body = "\n\n".join(part for part in parts if part)
    return f"{BEGIN}\n{body}\n{END}"


def with_section(page: str, section: str) -> str:
    """Return a page's text with the section between the markers replaced.

    Raises:
        ValueError: the markers are not there, once each and in order.
    """
    before, begin, rest = page.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"There is no section between {BEGIN} and {END}.")
    return f"{before}{section}{after}"


def heading(result: Result) -> str:
    """Return a sentence on the machine, the versions and the rounds."""
    machine, settings = result["machine"], result["settings"]
    versions = ", ".join(f"{name} {v}" for name, v in result["versions"].items() if v)
    most_rounds = max(2 * settings["short_repeats"], settings["decode_repeats"])
    quick = " This was a quick run: too short to judge by." if result["quick"] else ""
    return (
        f"Measured on {result['began'][:10]} on {machine['cores']} cores of "
        f"{machine['processor']}, {machine['ram_limit_bytes'] / 1e9:.0f} GB, {machine['system']}, "
        f"Python {machine['python']}; {versions}. Median of {settings['repeats']} to "
        f"{most_rounds} rounds taken in turn after an uncounted one, least and "
        f"most in brackets; the same weights, prompt, greedy choice and number of tokens "
        f"({settings['tokens']}).{quick}"
    )


def targets_table(targets: Iterable[Mapping[str, Any]]) -> str:
    """Return the promises as a table: what, beside whom, the figure, the limit, kept or not."""
    rows = []
    for target in targets:
        decimals = 2 if target["peer"] else MEASURES[target["measure"]].decimals
        unit = f" {target['unit']}" if target["unit"] else ""
        sign = "≤" if target["at_most"] else "≥"
        rows.append(
            (
                _what(target),
                target["ours"],
                target["peer"] or "(absolute)",
                _spread(target, decimals, unit),
                f"{sign} {target['limit']:g}{unit}",
                {True: "yes", False: "**no**", None: "not measured"}[target["met"]],
            )
        )
    return table(("Target", "Ours", "Divided by", "Measured", "Limit", "Met"), rows, 3)


def values_tables(series: Sequence[Mapping[str, Any]]) -> str:
    """Return a table for each scenario: a row a measure and model, a column a contender."""
    scenarios = [name for name in SCENARIOS if any(one["scenario"] == name for one in series)]
    parts = []
    for scenario in scenarios:
        own = [one for one in series if one["scenario"] == scenario]
        rows = _rows_of_contenders(own) if scenario == "commands" else _rows_of_measures(own)
        parts.append(f"**{scenario}**\n\n{rows}")
    return "\n\n".join(parts)


def _rows_of_measures(series: Sequence[Mapping[str, Any]]) -> str:
    contenders = list(dict.fromkeys(one["contender"] for one in series))
    cells = {(one["measure"], one["model"], one["contender"]): one for one in series}
    keys = sorted({key[:2] for key in cells}, key=lambda key: (list(MEASURES).index(key[0]), key))
    rows = [
        (
            _title(measure, model),
            *(_cell(cells.get((measure, model, contender))) for contender in contenders),
        )
        for measure, model in keys
    ]
    return table(("", *contenders), rows, 1)


def _rows_of_contenders(series: Sequence[Mapping[str, Any]]) -> str:
    measures = [measure for measure in MEASURES if any(s["measure"] == measure for s in series)]
    cells = {(one["contender"], one["measure"]): one for one in series}
    rows = [
        (contender, *(_cell(cells.get((contender, measure))) for measure in measures))
        for contender in dict.fromkeys(one["contender"] for one in series)
    ]
    return table(("", *(_title(measure, "") for measure in measures)), rows, 1)


def _title(measure: str, model: str) -> str:
    title, unit, _ = MEASURES[measure]
    return ", ".join(part for part in (title, model, unit) if part)


def _cell(one: Mapping[str, Any] | None) -> str:
    return _spread(one, MEASURES[one["measure"]].decimals, "") if one else ""


def remarks(result: Result) -> str:
    """Return what was missing and what must be known, as a list; empty where there is nothing."""
    missing = [f"- Missing: {name}. {reason}" for name, reason in result["missing"].items()]
    notes = [f"- {note}" for note in result["notes"]]
    thrown = result.get("thrown_away", {})
    if thrown:
        told = ", ".join(f"{what}: {rounds}" for what, rounds in thrown.items())
        notes.append(f"- Rounds thrown away, since something else had the processor: {told}.")
    return "\n".join([*missing, *notes])


def _what(one: Mapping[str, Any]) -> str:
    scenario, title = one["scenario"], MEASURES[one["measure"]].title
    return ", ".join(part for part in (f"{scenario}: {title}", one["model"]) if part)


def _spread(one: Mapping[str, Any], decimals: int, unit: str) -> str:
    if one["median"] is None:
        return "–"
    median, least, most = (f"{one[key]:.{decimals}f}" for key in ("median", "least", "most"))
    return f"{median}{unit} ({least} to {most})"


def table(head: Sequence[str], rows: Sequence[Sequence[str]], first_number: int) -> str:
    """Return a Markdown table whose columns from ``first_number`` on stand to the right."""
    if not rows:
        return ""
    marks = ["---" if number < first_number else "---:" for number in range(len(head))]
    lines = [head, marks, *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
