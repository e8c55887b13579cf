"""Put the record of a run in a Space's surroundings into ``docs/spaces.md``.

Usage: ``python scripts/make_space_run.py`` (after ``make space-run``, which does both)

``docs/space_run.json`` is what ``tests/space`` saw; the same text stands at the end of every
run of the tests.
"""

from __future__ import annotations

import json
import textwrap
from pathlib import Path
from typing import Any

DOCS = Path(__file__).resolve().parents[1] / "docs"
RECORD = DOCS / "space_run.json"
PAGE = DOCS / "spaces.md"
BEGIN, END = "<!-- made by scripts/make_space_run.py, do not edit -->\n", "<!-- end -->\n"


def main() -> None:
    """Write the record's text into the page."""
    record = json.loads(RECORD.read_text("utf-8"))
    PAGE.write_text(with_run(PAGE.read_text("utf-8"), as_markdown(record)), "utf-8")


def with_run(page: str, text: str) -> str:
    """Return the page with this text between its two marks."""
    before, rest = page.split(BEGIN)
    return f"{before}{BEGIN}{text}{END}{rest.split(END)[1]}"


def as_markdown(record: dict[str, Any]) -> str:
    """Return a run's record for a reader."""
    return "\n".join([*_facts(record), "", *_answers(record), "", *_surroundings(record)]) + "\n"


def _facts(record: dict[str, Any]) -> list[str]:
    versions = ", ".join(f"{name} {number}" for name, number in record["versions"].items())
    seconds, end = record["seconds"], record["end"]
    left_out = ", ".join(f"`{line}`" for line in record["requirements"]["lines_left_out"])
    return [
        f"- {record['when']}, {record['machine']}; {versions}.",
        f"- Installed in {record['requirements']['install_seconds']} s"
        + (f"; left out, since it could not be reached: {left_out}." if left_out else "."),
        f"- Surroundings: {record['surroundings']['words']} ({record['url'].split(':')[-1][:-1]}).",
        f"- After the start: starter models in place at {seconds['starter_models']} s, page at "
        f"{seconds['page']} s, both engines had answered at {seconds['first_answer']} s.",
        f"- Temporary folder: {record['temporary_bytes'] / 1e6:.0f} MB at most.",
        f"- Refused to a visitor: {_refusals(record['refused'])}.",
        f"- SIGTERM: exit code {end['exit_code']} after {end['seconds']} s, of "
        f"{end['processes_before']} processes {len(end['processes_left'])} left, "
        f"{len(end['changed_in_checkout'])} changes in the checkout.",
    ]


def _refusals(refused: dict[str, str]) -> str:
    names = [name for name, words in refused.items() if words and name != "widgets that pull"]
    return ", ".join(names) + ("" if refused["widgets that pull"] else "; nothing there can pull")


def _answers(record: dict[str, Any]) -> list[str]:
    rows = [
        f"| {answer['model']} | {answer['engine']} | {answer['state']} | {column['state']} | "
        f"{answer['load_seconds']} s | {answer['tokens_per_second']} | "
        f"{answer['peak_bytes'] / 1e6:.0f} MB |"
        for answer, column in zip(record["client"], record["browser"], strict=True)
    ]
    head = "| Model | Engine | gradio_client | chromium | load | tokens/s | peak |"
    return [head, "|---|---|---|---|---|---|---|", *rows]


def _surroundings(record: dict[str, Any]) -> list[str]:
    variables = " ".join(f"{name}={value}" for name, value in record["variables"].items())
    lines = textwrap.wrap(variables, 98, break_long_words=False, break_on_hyphens=False)
    return ["```text", *lines, "", *record["log"], "```"]


if __name__ == "__main__":
    main()
