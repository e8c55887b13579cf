"""The suite keeps the sizes of the other packages, and its peers are free of our code."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from comparator.cli.commands.bench import INSTALLED

FOLDER = Path(__file__).resolve().parents[3] / "benchmarks"
FILES = sorted(FOLDER.rglob("*.py"))
OURS = {"comparator", "runners", "multi_llm_comparator"}


def roots(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add((node.module or "").split(".")[0])
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_modules_and_functions_are_small(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) < 400
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef):
            assert (node.end_lineno or 0) - node.lineno < 60, node.name


@pytest.mark.parametrize("path", sorted((FOLDER / "peers").glob("*.py")), ids=lambda p: p.name)
def test_a_peer_uses_nothing_of_ours(path: Path) -> None:
    if path.name != "comparator_engine.py":
        assert not roots(path) & OURS


@pytest.mark.process
def test_the_suite_itself_imports_no_engine() -> None:
    heavy = {"torch", "transformers", "llama_cpp", "xllamacpp", "gradio", "numpy"}
    source = f"import sys, benchmarks.suite; print(sorted(set(sys.modules) & {heavy!r}))"
    done = subprocess.run(
        [sys.executable, "-c", source], cwd=FOLDER.parent, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[]", done.stderr


@pytest.mark.process
def test_the_package_works_under_the_name_that_a_wheel_gives_it(tmp_path: Path) -> None:
    settings = (FOLDER.parent / "pyproject.toml").read_text("utf-8")
    assert '"benchmarks" = "comparator/_benchmarks"' in settings
    assert INSTALLED == "comparator._benchmarks"
    shutil.copytree(FOLDER, tmp_path / "renamed")
    source = f"import sys; sys.path.append({str(tmp_path)!r}); import renamed.suite as s; print(s)"
    done = subprocess.run(
        [sys.executable, "-c", source], cwd=FOLDER.parent, capture_output=True, text=True
    )
    assert str(tmp_path) in done.stdout, done.stderr


def test_modules_name_each_other_so_that_the_package_may_have_any_name() -> None:
    for path in FOLDER.glob("*.py"):
        assert "benchmarks" not in roots(path), path.name
