"""The instruments: file cache, memory of a program, and programs as contenders."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from benchmarks import holdings
from benchmarks.company import (
    BARE_LOOP,
    BY_HAND,
    LIBRARY,
    MOST_REPEATED,
    PROMPT,
    QUICK,
    SERVER,
    Company,
    in_turn,
    note_disturbed,
    note_round,
)
from benchmarks.programs import (
    Contender,
    PeerError,
    Program,
    WebProgram,
    quiet_environment,
    without_packages,
)
from benchmarks.record import Record

HOLDER = """
import sys
kept = bytearray(b"x") * 60_000_000
print("ready", flush=True)
sys.stdin.read()
"""
PARENT = f"""
import subprocess, sys
print("begun", flush=True)
sys.stdin.readline()
child = subprocess.Popen([sys.executable, "-c", {HOLDER!r}], stdin=subprocess.PIPE)
sys.stdin.read()
child.communicate()
"""


@pytest.mark.process
def test_memory_of_a_new_child_is_told_apart_from_the_parents() -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdout.readline()
    before = holdings.of(process.pid)
    with holdings.Peak(process.pid) as peak:
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ready\n"
        after = holdings.of(process.pid)
    process.communicate()
    new, old = after.added(before)
    assert 60e6 < new < 90e6
    assert old == 0
    assert after.parent - before.parent < 10e6
    assert peak.private >= new
    assert peak.proportional > 60e6


def company(tmp_path: Path, record: Record, models_dir: Path | None = None) -> Company:
    return Company(models_dir or tmp_path, QUICK, record, lambda sentence: None)


@pytest.mark.process
def test_a_peer_that_is_not_installed_is_reported_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "xllamacpp.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'xllamacpp'\")"
    )
    record, asked = Record(), []

    def work(name: str, contender: Contender) -> None:
        asked.append(name)

    with company(tmp_path, record) as who:
        who.environment["PYTHONPATH"] = str(tmp_path)
        in_turn(who, [SERVER], 2, work, "test")
        in_turn(who, [SERVER], 2, work, "test")
    assert asked == []
    assert record.missing == {SERVER: "ModuleNotFoundError: No module named 'xllamacpp'"}


@pytest.mark.process
def test_a_peer_that_fails_is_not_asked_again_and_ours_is_not_forgiven(
    tmp_path: Path,
) -> None:
    record = Record()
    with company(tmp_path, record) as who:

        def work(_name: str, contender: Contender) -> None:
            contender.round([tmp_path / "no.gguf"], PROMPT, 2)

        in_turn(who, [BARE_LOOP], 3, work, "test")
        assert list(record.missing) == [BARE_LOOP]
        with pytest.raises(PeerError, match="no model"):
            in_turn(who, [LIBRARY], 1, work, "test")


def test_each_round_begins_with_another_contender(tmp_path: Path) -> None:
    order: list[str] = []
    with company(tmp_path, Record()) as who:
        for name in (LIBRARY, BARE_LOOP, SERVER):
            who._started[name] = object()  # type: ignore[assignment]
        in_turn(who, [LIBRARY, BARE_LOOP, SERVER], 3, lambda name, _: order.append(name), "test")
        who._started.clear()
    a, b, c = LIBRARY, BARE_LOOP, SERVER
    assert order == [a, b, c, b, c, a, c, a, b]


def test_a_disturbed_round_is_thrown_away_of_all_repeated_and_counted(tmp_path: Path) -> None:
    record, rounds = Record(), iter(range(100))
    taken = {}

    def work(name: str, _contender: object) -> None:
        number = taken[name] = next(rounds)
        disturbed = ["decode"] if number == 2 else []
        figures = {"disturbed": disturbed} if name == LIBRARY else {}
        note_disturbed(who, {"models": [figures]})
        who.record.add("decode", "decode", name, number)

    with company(tmp_path, record) as who:
        who._started = {LIBRARY: object(), BARE_LOOP: object()}  # type: ignore[dict-item]
        in_turn(who, [BARE_LOOP, LIBRARY], 2, work, "test")
        who._started.clear()
    values = {series.contender: series.values for series in record.series.values()}
    assert values == {BARE_LOOP: [0, 5], LIBRARY: [1, 4]}
    assert record.thrown_away == {"test": 1}


def test_a_machine_that_is_never_quiet_ends_the_repeating_and_that_is_told(tmp_path: Path) -> None:
    record = Record()

    def work(name: str, _contender: object) -> None:
        note_disturbed(who, {"models": [{"disturbed": ["load"]}]})
        who.record.add("decode", "decode", name, 1.0)

    with company(tmp_path, record) as who:
        who._started = {LIBRARY: object()}  # type: ignore[dict-item]
        in_turn(who, [LIBRARY], 2, work, "test")
        who._started.clear()
    ((_, series),) = record.series.items()
    assert series.values == [1.0, 1.0]
    assert record.thrown_away == {"test": MOST_REPEATED}
    assert record.notes == ["test: a round was kept though something else had the processor."]


def test_every_column_of_a_round_is_kept_and_an_early_end_is_told(tmp_path: Path) -> None:
    record = Record()
    columns = [
        {"load_seconds": 1.0, "first_token_seconds": 2.0, "tokens_per_second": 3.0, "tokens": 8},
        {"load_seconds": 4.0, "first_token_seconds": 5.0, "tokens_per_second": 6.0, "tokens": 7},
    ]
    with company(tmp_path, record) as who:
        labels = ["PyTorch", "PyTorch"]
        note_round(who, "comparison", LIBRARY, labels, {"models": columns}, 8)
    values = {key[1]: series.values for key, series in record.series.items()}
    assert values == {
        "load": [1.0, 4.0],
        "first_token": [2.0, 5.0],
        "decode": [3.0, 6.0],
        "tokens": [8.0, 7.0],
    }
    assert record.notes == [
        f"comparison: {LIBRARY} wrote 7 tokens instead of 8 with PyTorch.",
    ]


@pytest.mark.process
@pytest.mark.slow
def test_contenders_write_the_same_tokens_and_end_without_a_trace(
    tmp_path: Path, starter_models_dir: Path
) -> None:
    record = Record()
    path = starter_models_dir / "gguf" / "SmolLM2-135M-Instruct.Q4_1.gguf"
    figures = {}
    with company(tmp_path, record, starter_models_dir) as who:

        def work(name: str, contender: Contender) -> None:
            (figures[name],) = contender.round([path], PROMPT, 6)["models"]

        in_turn(who, [LIBRARY, BY_HAND, BARE_LOOP, SERVER], 1, work, "test")
        pids = [contender.pid for contender in who.there([LIBRARY, BY_HAND]).values()]
    assert set(figures) | set(record.missing) == {LIBRARY, BY_HAND, BARE_LOOP, SERVER}
    assert {LIBRARY, BY_HAND, BARE_LOOP} <= set(figures)
    for one in figures.values():
        assert one["tokens"] == 6
        assert 0 < one["load_seconds"] < one["first_token_seconds"] < one["seconds"]
        assert one["tokens_per_second"] > 0
    assert not any(psutil.pid_exists(pid) for pid in pids)


@pytest.mark.process
def test_a_page_that_cannot_start_says_why(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no page today')"]
    with pytest.raises(PeerError, match="no page today"):
        WebProgram(command, quiet_environment(tmp_path))


@pytest.mark.process
def test_an_unknown_program_is_an_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(PeerError, match="No such file"):
        Program("nobody", quiet_environment(tmp_path))


def test_programs_may_keep_their_byte_code_whatever_an_image_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    assert "PYTHONDONTWRITEBYTECODE" not in quiet_environment(tmp_path)


@pytest.mark.process
def test_packages_may_be_hidden_from_a_program(tmp_path: Path) -> None:
    hidden = without_packages(quiet_environment(tmp_path), ("psutil",), tmp_path / "hidden")
    ask = [sys.executable, "-c", "import json, psutil"]
    told = subprocess.run(ask, env=hidden, capture_output=True, text=True, check=False)
    assert told.returncode == 1
    assert "ModuleNotFoundError" in told.stderr
    assert subprocess.run(ask, env=quiet_environment(tmp_path), check=False).returncode == 0
