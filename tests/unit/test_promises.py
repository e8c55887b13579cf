"""The page of promises names tests that exist and is what its script makes."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from types import ModuleType

import doc_scripts
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
PROMISES = json.loads((REPOSITORY / "docs" / "promises.json").read_text("utf-8"))


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return doc_scripts.script("make_promises")


def names_in(file: str) -> set[str]:
    """Return the tests of a file as ``[Class::]function``."""
    found = set()
    for node in ast.parse((REPOSITORY / file).read_text("utf-8")).body:
        if isinstance(node, ast.ClassDef):
            functions = [part for part in node.body if isinstance(part, ast.FunctionDef)]
            found |= {f"{node.name}::{function.name}" for function in functions}
        elif isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            found.add(node.name)
    return found


def test_all_promises_are_there_once_and_have_a_proof() -> None:
    expected = [f"P{number}" for number in range(1, 31)]
    expected += [f"{part}.{number}" for part in (3, 4) for number in range(1, 18)]
    assert [promise["id"] for promise in PROMISES] == expected
    assert all(promise["tests"] and promise["promise"].endswith(".") for promise in PROMISES)


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise["id"])
def test_every_test_that_a_promise_names_is_there(promise: dict[str, list[str]]) -> None:
    for test in promise["tests"]:
        file, _, name = test.partition("::")
        assert (REPOSITORY / file).is_file(), f"{file} is missing"
        assert name in names_in(file), f"{test} is missing"


OTHER_COMMANDS = ("tests/soak/", "tests/package/", "tests/space/")


def is_in_the_gate(test: str) -> bool:
    """Whether `./scripts/test` runs it, or at least one case of it."""
    file, _, name = test.partition("::")
    if file.startswith(OTHER_COMMANDS):
        return False
    slow = {
        function.name
        for function in ast.walk(ast.parse((REPOSITORY / file).read_text("utf-8")))
        if isinstance(function, ast.FunctionDef)
        and "pytest.mark.slow" in map(ast.unparse, function.decorator_list)
    }
    return name.rpartition("::")[2] not in slow


@pytest.mark.parametrize("promise", PROMISES, ids=lambda promise: promise["id"])
def test_the_gate_holds_every_promise_with_a_test_at_least(promise: dict[str, list[str]]) -> None:
    """Others of a promise may be slow, or of a command of their own."""
    assert any(map(is_in_the_gate, promise["tests"]))


def test_the_page_is_what_the_script_makes(script: ModuleType) -> None:
    results = json.loads(script.RESULTS.read_text("utf-8")) if script.RESULTS.exists() else {}
    made = script.page(PROMISES, results)
    assert script.PAGE.read_text("utf-8") == made, "run: python scripts/make_promises.py"


def test_results_are_read_from_what_pytest_writes(script: ModuleType, tmp_path: Path) -> None:
    """The cases of one test are added up, and what a test measured is kept."""
    xml = tmp_path / "results.xml"
    xml.write_text(
        '<testsuites><testsuite timestamp="2026-01-02T03:04:05">'
        '<testcase classname="tests.process.test_ways_to_die.TestDeadlines" '
        'name="test_none_turns_a_deadline_off" time="1.5"/>'
        '<testcase classname="tests.process.test_ways_to_die" '
        'name="test_a_sudden_end_is_told_at_once[a-b]" time="1"><skipped/></testcase>'
        '<testcase classname="tests.process.test_ways_to_die" '
        'name="test_a_sudden_end_is_told_at_once[c.d]" time="2"><failure/></testcase>'
        '<testcase classname="tests.soak.test_thousand_runs" name="test_a_thousand_runs_on_echo" '
        'time="60"><properties><property name="runs" value="1000"/></properties></testcase>'
        '<testcase classname="tests.process.test_ways_to_die" name="test_unknown" time="2"/>'
        "</testsuite></testsuites>"
    )
    results = script.taken_in(xml)
    none, sudden, thousand = (results[name] for name in sorted(results, key=str))
    file = "tests/process/test_ways_to_die.py"
    assert set(results) == {
        f"{file}::TestDeadlines::test_none_turns_a_deadline_off",
        f"{file}::test_a_sudden_end_is_told_at_once",
        "tests/soak/test_thousand_runs.py::test_a_thousand_runs_on_echo",
    }
    assert (none["passed"], none["seconds"]) == (1, 1.5)
    assert (sudden["failed"], sudden["skipped"], sudden["seconds"]) == (1, 1, 3.0)
    assert thousand["figures"] == {"runs": "1000"}
    page = script.page(PROMISES, results)
    assert "1 failed, 1 skipped in 3.0 s" in page
    assert "- runs: 1000" in page
    assert "2026-01-02 03:04 on" in page


def test_make_names_the_folders(script: ModuleType) -> None:
    makefile = (REPOSITORY / "Makefile").read_text("utf-8")
    assert "timeout 1200" in makefile, "soak takes at most 20 minutes"
    assert "scripts/make_promises.py" in makefile
