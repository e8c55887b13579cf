"""docs/spaces.md tells of the recorded run, and the record is one of this card's Gradio."""

from __future__ import annotations

import json
from pathlib import Path
from types import ModuleType

import doc_scripts
import pytest
from space_run import sdk_version

REPOSITORY = Path(__file__).resolve().parents[3]
RECORD = json.loads((REPOSITORY / "docs" / "space_run.json").read_text("utf-8"))
PAGE = (REPOSITORY / "docs" / "spaces.md").read_text("utf-8")


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return doc_scripts.script("make_space_run")


def test_the_page_is_what_the_record_says(script: ModuleType) -> None:
    assert script.with_run(PAGE, script.as_markdown(RECORD)) == PAGE, (
        "run: python scripts/make_space_run.py"
    )


def test_the_record_is_of_a_run_that_went_well() -> None:
    answers = [*RECORD["client"], *RECORD["browser"]]
    assert [answer["state"] for answer in answers] == ["done"] * 4
    assert RECORD["end"]["processes_left"] == RECORD["end"]["changed_in_checkout"] == []
    assert RECORD["versions"]["gradio"] == sdk_version(REPOSITORY / "spaces"), (
        "the card asks for another Gradio since: make space-run"
    )
