"""What multiprocess does not promise: each probe sees the change, and says what to do."""

from __future__ import annotations

import sys
import types

import pytest
from multiprocess import popen_spawn_posix, spawn

from runners.supervision import adapter

NAME = "comparator-run"


@pytest.fixture(autouse=True)
def main_with_a_file(monkeypatch: pytest.MonkeyPatch) -> None:
    """A user's script as the main module, and multiprocess as it comes."""
    main = types.ModuleType("__main__")
    main.__file__ = "/home/somebody/script.py"
    monkeypatch.setitem(sys.modules, "__main__", main)
    original = spawn.get_preparation_data
    original = getattr(original, "__wrapped__", original)
    monkeypatch.setattr(spawn, "get_preparation_data", original)


def test_our_processes_are_told_nothing_of_the_main_module() -> None:
    told = spawn.get_preparation_data(NAME)
    assert told["init_main_from_path"] == "/home/somebody/script.py", "the fault is there"
    adapter.keep_main_from_running_again(NAME)
    assert not [key for key in spawn.get_preparation_data(NAME) if "main" in key]


def test_the_users_own_processes_are_left_alone() -> None:
    adapter.keep_main_from_running_again(NAME)
    told = spawn.get_preparation_data("theirs")
    assert told["init_main_from_path"] == "/home/somebody/script.py"


def test_doing_it_twice_changes_nothing() -> None:
    adapter.keep_main_from_running_again(NAME)
    once = spawn.get_preparation_data
    adapter.keep_main_from_running_again(NAME)
    assert spawn.get_preparation_data is once


def test_a_new_way_of_telling_it_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spawn, "get_preparation_data", lambda name: {"main_spec": "script"})
    with pytest.raises(OSError, match=r"tells the child about the main module \(main_spec\)"):
        adapter.keep_main_from_running_again(NAME)


def test_asking_elsewhere_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(popen_spawn_posix, "spawn", types.ModuleType("spawn"))
    monkeypatch.setattr(adapter, "_starter", lambda: popen_spawn_posix)
    with pytest.raises(OSError, match="asks elsewhere"):
        adapter.keep_main_from_running_again(NAME)


def test_its_absence_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(spawn, "get_preparation_data")
    with pytest.raises(OSError, match=r"pip install multiprocess=="):
        adapter.keep_main_from_running_again(NAME)


def test_a_child_knows_whether_the_script_ran_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "__mp_main__", sys.modules["__main__"])
    assert adapter.main_ran_again() == ""
    monkeypatch.setitem(sys.modules, "__mp_main__", types.ModuleType("__mp_main__"))
    assert "without running your script again" in adapter.main_ran_again()
