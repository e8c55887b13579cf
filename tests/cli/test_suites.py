"""``comparator suite`` as a user runs it: real processes, killed and interrupted ones too."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from suite_cells import kept_suite
from typer.testing import CliRunner

from comparator.cli.main import app
from comparator.storage.suites import Suites

LIMIT_SECONDS = 280  # of a busy machine

# Every write of a cell leaves a line, so that one that is asked twice cannot hide.
LOG = """
CREATE TABLE log (slot INTEGER, prompt INTEGER, repeat INTEGER, state TEXT);
CREATE TRIGGER of_cells AFTER INSERT ON cells BEGIN
    INSERT INTO log VALUES (new.slot, new.prompt, new.repeat, new.state);
END;
"""


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of data, of this test alone."""
    folder = tmp_path / "data"
    monkeypatch.setenv("COMPARATOR_DATA_DIR", str(folder))
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A models folder with echo models, as good and as bad as their names say."""
    scripts: dict[str, dict[str, Any]] = {
        "good": {},
        "no": {"text": "no"},
        "slow": {"tokens_per_second": 20},
        "dies": {"fault": "sigsegv", "fault_after": 2},
        "hangs": {"fault": "hang", "fault_after": 5},
    }
    models = tmp_path / "models"
    models.mkdir()
    for name, script in scripts.items():
        (models / f"{name}.echo.json").write_text(json.dumps(script))
    return models


@pytest.fixture
def prompts(tmp_path: Path) -> Path:
    """A file of ten prompts, each to be repeated; the sixth alone has more than four words."""
    file = tmp_path / "questions.jsonl"
    questions = [f"Say number {number} now" for number in range(10)]
    questions[5] += " and then once more"
    lines = [{"prompt": q, "assert": [{"type": "contains", "value": q}]} for q in questions]
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def command(*arguments: str, folder: Path) -> list[str]:
    return [sys.executable, "-m", "comparator", "suite", *arguments, "--models-dir", str(folder)]


def suite(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments, folder=folder), capture_output=True, text=True, timeout=LIMIT_SECONDS
    )


def here(*arguments: str) -> Result:
    """Call a command that starts no model, in this process."""
    return CliRunner().invoke(app, ["suite", *arguments])


@contextlib.contextmanager
def begun(*arguments: str, folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a suite beside the body, and kill it at the end of that where it still lives."""
    with subprocess.Popen(
        command(*arguments, folder=folder),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()
            process.communicate(timeout=LIMIT_SECONDS)


def kept_cells(data: Path) -> int:
    """Return how many cells of the newest suite have ended."""
    store = Suites(data / "suites.sqlite3")
    try:
        entries = store.find(most=1)
        return entries[0].done + entries[0].failed if entries else 0
    finally:
        store.close()


def wait_for_cells(data: Path, count: int, process: subprocess.Popen[str]) -> None:
    """Wait until so many cells are kept, or the program has ended."""
    end = time.monotonic() + LIMIT_SECONDS
    while kept_cells(data) < count and process.poll() is None and time.monotonic() < end:
        time.sleep(0.02)


def log_writes(data: Path) -> None:
    store = Suites(data / "suites.sqlite3")
    assert store.find() == []  # makes the file
    store.close()
    with contextlib.closing(sqlite3.connect(data / "suites.sqlite3")) as connection:
        connection.executescript(LOG)


def written(data: Path) -> list[tuple[int, int, int, str]]:
    with contextlib.closing(sqlite3.connect(data / "suites.sqlite3")) as connection:
        return connection.execute("SELECT * FROM log ORDER BY slot, prompt, repeat").fetchall()


def test_a_failed_assertion_is_3_and_an_answer_that_is_missing_is_1(data, folder, prompts):
    failed = suite("run", str(prompts), "-m", "good", "-m", "no", "--name", "two", folder=folder)
    assert failed.returncode == 3, failed.stderr
    assert "good passes" in failed.stdout
    assert "10/10" in failed.stdout
    died = suite("run", str(prompts), "-m", "good", "-m", "dies", "--json", folder=folder)
    assert died.returncode == 1, died.stderr
    told = json.loads(died.stdout)
    assert {cell["state"] for cell in told["cells"] if cell["slot"] == 1} == {"failed"}
    listed = json.loads(here("list", "--json").stdout)
    assert [(one["name"], one["state"]) for one in listed] == [
        ("questions", "done"),
        ("two", "done"),
    ]
    assert "two, 10 prompts" in here("list").stdout
    shown = here("show", listed[1]["id"][:6], "--json")
    assert json.loads(shown.stdout)["summary"][1]["passed"] == 0
    assert here("show", "last").stdout.count("not answered") >= 1
    assert here("remove", listed[1]["id"]).exit_code == 0
    assert here("show", listed[1]["id"]).exit_code == 2


def test_settings_are_those_of_run_and_each_slot_may_have_its_own(data, folder, prompts):
    told = suite(
        *("run", str(prompts), "-m", "good", "-m", "good", "--repeat", "2", "--seed", "3"),
        *("--max-tokens", "2", "--set", "2.max_tokens=3", "-s", "Be brief.", "--json"),
        folder=folder,
    )
    kept = json.loads(told.stdout)
    assert [slot["config"]["max_tokens"] for slot in kept["slots"]] == [2, 3]
    assert len({slot["configuration"] for slot in kept["slots"]}) == 2
    assert len({slot["label"] for slot in kept["slots"]}) == 2
    record = kept["cells"][0]["record"]
    assert record["content"] == "Say number "
    assert record["config"]["seed"] == 3
    assert record["prompt"]["messages"][0] == {"role": "system", "content": "Be brief."}
    assert kept["cells"][1]["record"]["config"]["seed"] not in (3, None)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--executor", "slurm"], "no executor 'slurm' yet"),
        (["--executor", "ray:auto"], "no executor 'ray:auto' yet"),
        (["-m", "openai:http://localhost#x"], "is an endpoint"),
        (["--judge", "openai:http://localhost#x"], "is an endpoint"),
        (["--batch", "many"], "batch must be auto"),
        (["--batch", "0"], "between 1 and"),
        (["-m", "no", "-m", "slow", "-m", "dies", "-m", "good"], "up to 4 models"),
        (["--set", "temperature=9"], "temperature must be"),
    ],
)
def test_what_cannot_be_asked_is_refused_before_anything_runs(
    data, folder, prompts, arguments, says
):
    told = here("run", str(prompts), "-m", "good", *arguments, "--models-dir", str(folder))
    assert told.exit_code == 2
    assert says in told.stderr
    assert "Traceback" not in told.stderr
    assert told.stdout == ""
    assert kept_cells(data) == 0


def test_a_file_that_is_not_there_names_the_built_in_suites(data, folder):
    told = here("run", "nowhere.txt", "-m", "good", "--models-dir", str(folder))
    assert told.exit_code == 2
    assert "basic" in told.stderr


def test_ctrl_c_interrupts_and_says_how_to_go_on(data, folder, prompts):
    with begun("run", str(prompts), "-m", "good", "-m", "hangs", folder=folder) as process:
        wait_for_cells(data, 15, process)  # where it hangs
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=LIMIT_SECONDS)
    assert process.returncode == 130, err
    assert out == ""
    name = Suites(data / "suites.sqlite3").find()[0].id
    assert f"comparator suite resume {name}" in err
    assert Suites(data / "suites.sqlite3").find()[0].state == "interrupted"
    ended = suite("resume", "last", "--token-timeout", "2", folder=folder)
    assert ended.returncode == 1, ended.stderr
    assert "hangs: 1 not answered" in ended.stdout
    again = here("resume", "last", "--models-dir", str(folder))
    assert "--retry-failed asks the 1" in again.stderr
    assert again.exit_code == 1


def test_a_second_program_is_told_who_runs_the_suite(data, folder, prompts):
    with begun("run", str(prompts), "-m", "hangs", folder=folder) as process:
        wait_for_cells(data, 5, process)
        told = here("resume", "last", "--models-dir", str(folder))
        assert told.exit_code == 2
        assert f"being run by process {process.pid}" in told.stderr


def test_a_model_that_has_changed_is_refused_by_name_and_its_answers_stay(data, folder, prompts):
    with begun("run", str(prompts), "-m", "good", "-m", "hangs", folder=folder) as process:
        wait_for_cells(data, 15, process)
        process.send_signal(signal.SIGKILL)
    model = folder / "hangs.echo.json"
    model.write_text("{}")
    told = suite("resume", "last", folder=folder)
    assert told.returncode == 1
    assert "hangs is not asked on: the model at" in told.stderr
    assert "another now" in told.stderr
    assert kept_cells(data) == 15
    model.unlink()
    gone = here("resume", "last", "--models-dir", str(folder))
    assert gone.exit_code == 1
    assert "hangs is not asked on" in gone.stderr
    assert kept_cells(data) == 15


def resume_until_done(
    data: Path, folder: Path, kills: Sequence[int], run: Sequence[str]
) -> subprocess.CompletedProcess[str]:
    """Run a suite, kill it each time so many cells are kept, and go on; return the last run."""
    arguments = run
    for count in kills:
        with begun(*arguments, folder=folder) as process:
            wait_for_cells(data, count, process)
            os.killpg(process.pid, signal.SIGKILL)
        arguments = ["resume", "last"]
    return suite(*arguments, "--json", folder=folder)


def check_each_cell_once(data: Path, told: subprocess.CompletedProcess[str], cells: int) -> None:
    assert told.returncode in (0, 3), told.stderr
    kept = json.loads(told.stdout)
    assert kept["state"] == "done"
    assert {cell["state"] for cell in kept["cells"]} == {"done"}
    writes = written(data)
    assert len(writes) == len(set(writes)) == len(kept["cells"]) == cells
    assert {state for *_, state in writes} == {"done"}


def test_a_killed_suite_goes_on_and_asks_each_cell_once(data, folder, prompts):
    log_writes(data)
    run = ["run", str(prompts), "-m", "slow", "-m", "good"]
    told = resume_until_done(data, folder, [2, 7], run)
    check_each_cell_once(data, told, 20)


@pytest.mark.slow
@pytest.mark.timeout(1500)  # eleven programs and 160 answers of real models
def test_forty_prompts_over_four_models_outlive_ten_kills(
    data, starter_models_dir, starter_models, tmp_path
):
    file = tmp_path / "forty.txt"
    file.write_text("".join(f"Tell me something about the number {n}.\n" for n in range(40)))
    models = [starter_models[key] for key in ("gguf_q2_k", "gguf_q4_1", "gguf_q8_0", "pytorch")]
    log_writes(data)
    drawn = random.Random(20)
    kills = sorted(drawn.sample(range(1, 155), 10))
    chosen = [word for model in models for word in ("-m", model)]
    run = ["run", str(file), *chosen, "--max-tokens", "8", "--seed", "1"]
    told = resume_until_done(data, starter_models_dir, kills, run)
    check_each_cell_once(data, told, 160)


def test_a_damaged_suite_can_be_removed(data):
    store = Suites(data / "suites.sqlite3")
    assert store.begin(kept_suite(name="aaaa11112222"))
    store.close()
    with contextlib.closing(sqlite3.connect(data / "suites.sqlite3")) as connection, connection:
        connection.execute("UPDATE suites SET head = x'00'")
    damaged = here("show", "aaaa")
    assert damaged.exit_code == 2
    assert "is damaged" in damaged.stderr
    removed = here("remove", "aaaa")
    assert removed.exit_code == 0
    assert "removed aaaa11112222" in removed.stdout
    assert here("remove", "aaaa").exit_code == 2
