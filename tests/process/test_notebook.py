"""The notebook of the documentation runs as it stands, in a kernel of Jupyter, on real models."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from one_core import on_one_core

REPOSITORY = Path(__file__).resolve().parents[2]
TABLE = "text/html"


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "make_notebook", REPOSITORY / "scripts" / "make_notebook.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def shown(notebook: Any) -> list[list[str]]:
    """Return the kinds of what each cell of code shows."""
    return [
        sorted(kind for output in cell["outputs"] for kind in output.get("data", {"stream": 0}))
        for cell in notebook["cells"]
        if cell["cell_type"] == "code"
    ]


def test_every_cell_of_the_notebook_runs_and_shows_what_is_kept_of_it(
    maker: ModuleType, starter_models: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert starter_models["gguf_q2_k"]
    monkeypatch.setenv("PYTHONPATH", str(REPOSITORY))
    ran = maker.executed(preexec_fn=on_one_core)
    kept = json.loads(maker.NOTEBOOK.read_text("utf-8"))
    assert shown(ran) == shown(kept), "python scripts/make_notebook.py writes it anew"
    tables = [
        output["data"][TABLE]
        for cell in ran["cells"]
        for output in cell.get("outputs", ())
        if TABLE in output.get("data", {})
    ]
    assert len(tables) == 3
    for table in tables:
        assert "SmolLM2-135M-Instruct.Q4_1" in table
        assert "SmolLM2-135M-Instruct.Q2_K" in table
        assert "done" in table
        assert "<script" not in table


def test_the_notebook_as_it_is_kept_tells_nothing_of_the_machine_that_ran_it(
    maker: ModuleType,
) -> None:
    text = maker.NOTEBOOK.read_text("utf-8")
    assert str(REPOSITORY) not in text
    assert "language_info" not in text
    assert '"output_type": "error"' not in text
