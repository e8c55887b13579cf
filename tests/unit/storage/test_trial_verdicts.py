"""Verdicts of trials: kept by machine and build, and never in the way."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import time

import pytest

from comparator.storage import trial_verdicts as module
from comparator.storage.trial_verdicts import BuildVerdict, Failure, Remembered, TrialVerdicts

FOUND = BuildVerdict(1, {"threads": 2}, (Failure(died="SIGSEGV"),), ("Two.",), {"rows": 1.5})


@pytest.fixture
def place(tmp_path):
    return tmp_path / "trials.sqlite3"


@pytest.fixture
def store(place):
    kept = TrialVerdicts(place)
    yield kept
    kept.close()


@pytest.fixture
def again(place):
    """The store as the next program finds it."""
    kept = TrialVerdicts(place)
    yield kept
    kept.close()


def test_a_verdict_is_there_in_the_next_program_and_for_its_own_machine_alone(store, again):
    store.keep("this machine", FOUND)
    assert again.of("this machine") == FOUND
    assert again.of("another machine") is None


@pytest.mark.parametrize("content", [b"", b"{", b'{"level": "x"}', b"\xff", None, 7])
def test_a_verdict_that_is_none_is_not_believed(store, again, place, content):
    store.keep("k", FOUND)
    store.close()
    with sqlite3.connect(place) as connection:
        value = b"[]" if content is None else content
        connection.execute("UPDATE verdicts SET verdict = ?", (value,))
    connection.close()
    assert again.of("k") is None
    again.keep("k", FOUND)
    assert again.of("k") == FOUND


def test_a_damaged_file_is_begun_anew(place, again):
    place.write_bytes(b"\x00" * 5000)
    assert again.of("k") is None
    again.keep("k", FOUND)
    again.close()
    assert TrialVerdicts(place).of("k") == FOUND
    assert "1 damaged earlier file" in again.state()


def test_what_cannot_be_written_is_known_to_this_program(tmp_path):
    (tmp_path / "file").write_text("")
    store = TrialVerdicts(tmp_path / "file" / "trials.sqlite3")
    store.keep("k", FOUND)
    store.close()
    assert store.of("k") == FOUND
    assert "Verdicts of trials are not kept: " in store.state()


def test_a_locked_file_costs_little_and_the_verdict_is_known(place, monkeypatch):
    kind = module._KIND.__class__(
        "Verdicts of trials", module._SCHEMA, 1, lambda: place, busy_seconds=0.05
    )
    monkeypatch.setattr(module, "_KIND", kind)
    store = TrialVerdicts(place)
    assert store.of("k") is None
    other = sqlite3.connect(place, isolation_level=None)
    try:
        other.execute("BEGIN EXCLUSIVE")
        store.keep("k", FOUND)
        assert store.of("k") == FOUND
        assert store.state() == "Verdicts of trials are not kept: database is locked."
    finally:
        other.close()
        store.close()


WRITE = """
import sys
from pathlib import Path
from comparator.storage.trial_verdicts import BuildVerdict, TrialVerdicts
store = TrialVerdicts(Path(sys.argv[1]))
for number in range(50):
    store.keep("k", BuildVerdict(0, {"threads": number}))
    assert store.of("k").settings == {"threads": number}
print(store.state())
"""


@pytest.mark.process
def test_programs_that_write_at_once_do_no_harm(place, again):
    command = [sys.executable, "-c", WRITE, str(place)]
    others = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    ends = [other.communicate(timeout=60)[0] for other in others]
    assert ends == ["Verdicts of trials are kept.\n"] * 2
    assert again.of("k").settings == {"threads": 49}


def test_what_engines_learn_of_a_model_is_given_back(store, again):
    store.learn("k", "model", {"step": [1, 2]})
    assert again.remembered("k", "model") == Remembered({"step": [1, 2]})
    assert again.remembered("k", "other") == Remembered({})
    assert again.remembered("other build", "model") == Remembered({})


def test_too_much_of_it_is_not_kept(store, caplog):
    store.learn("k", "model", {"x": "y" * module.MOST_LEARNED_BYTES})
    assert store.remembered("k", "model") == Remembered({})
    assert "more of a model than is kept" in caplog.text


def test_a_crash_is_remembered_for_a_while(store, again, monkeypatch):
    store.note_crash("k", "model", "It died.")
    assert again.remembered("k", "model") == Remembered({}, "It died.")
    later = time.time() + module.SAFE_FOR_DAYS * 86_400 + 1
    monkeypatch.setattr(time, "time", lambda: later)
    assert again.remembered("k", "model") == Remembered({})


def test_everything_can_be_forgotten(store):
    store.keep("k", FOUND)
    store.note_crash("k", "model", "It died.")
    store.forget()
    assert store.of("k") is None
    assert store.remembered("k", "model") == Remembered({})
