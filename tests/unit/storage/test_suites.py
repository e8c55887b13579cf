"""What is kept of suites, who may run one, and what happens where it cannot be kept."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from filelock import FileLock
from suite_cells import cell, kept_suite

from comparator.core.exceptions import ConfigurationError
from comparator.storage import suite_rows
from comparator.storage import suites as module
from comparator.storage.kept_suite import AssertionOutcome
from comparator.storage.suites import MOST_OF_A_VISITOR, Suites


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "suites.sqlite3"


@pytest.fixture
def suites(path: Path) -> Iterator[Suites]:
    suites = Suites(path)
    yield suites
    suites.close()


def test_a_suite_comes_back_as_it_was_kept(suites: Suites) -> None:
    kept = kept_suite(cell(0, 1, content="Ein \U0001f642, ein \udcff und\x00 NUL"), state="done")
    assert suites.begin(kept)
    assert suites.get(kept.id) == kept


def test_cells_are_kept_one_by_one_and_the_others_are_pending(suites: Suites, path: Path) -> None:
    kept = kept_suite()
    assert suites.begin(kept)
    assert suites.add_cells(kept.id, [cell(1, 0)])
    found = Suites(path).get(kept.id)  # as another program sees it
    assert found is not None
    assert [one.state for one in found.cells] == ["pending", "pending", "done", "pending"]
    assert [one.key for one in found.cells] == [one.key for one in kept.cells]


def test_a_cell_takes_the_place_of_the_one_that_was_there(suites: Suites) -> None:
    kept = kept_suite()
    suites.begin(kept)
    suites.add_cells(kept.id, [cell(0, 0, state="failed")])
    graded = cell(0, 0, assertions=[AssertionOutcome("equals", True, "It is equal.")])
    assert suites.add_cells(kept.id, [graded])
    found = suites.get(kept.id)
    assert found is not None
    assert found.cells[0] == graded
    suites.add_cells(kept.id, [msgspec.structs.replace(graded, state="pending")])
    again = suites.get(kept.id)
    assert again is not None
    assert again.cells[0].state == "pending"


def test_a_cell_of_no_suite_is_not_kept(suites: Suites) -> None:
    suites.begin(kept_suite())
    assert not suites.add_cells("unknown", [cell(0, 0)])


def test_each_cell_is_on_the_disk_at_once(suites: Suites) -> None:
    suites.begin(kept_suite())
    told = suites._store.ask(lambda it: it.execute("PRAGMA synchronous").fetchone())
    assert told == (2,)  # FULL: a reboot takes nothing


def test_the_head_changes_without_the_cells(suites: Suites) -> None:
    kept = kept_suite(cell(0, 0))
    suites.begin(kept)
    assert suites.update(msgspec.structs.replace(kept, state="done", name="other", cells=[]))
    found = suites.get("last")
    assert found is not None
    assert (found.state, found.name, found.cells[0].state) == ("done", "other", "done")
    assert [(one.state, one.name) for one in suites.find()] == [("done", "other")]


def test_an_id_is_kept_once(suites: Suites) -> None:
    assert suites.begin(kept_suite(name="abcdef000000"))
    assert not suites.begin(kept_suite(name="abcdef000000"))
    assert suites.trouble == ""


def test_a_suite_is_named_by_id_or_beginning_or_as_the_last(suites: Suites) -> None:
    for name in ("aaaa11112222", "aaaa33334444", "bbbb11112222"):
        suites.begin(kept_suite(name=name, created=5.0))
    meant = {name: suites.get(name) for name in ("aaaa1111", "last", "bbbb", "aaaa", "bbb", "zzzz")}
    found = {name: kept.id if kept else None for name, kept in meant.items()}
    assert found == {
        "aaaa1111": "aaaa11112222",
        "last": "bbbb11112222",
        "bbbb": "bbbb11112222",
        **dict.fromkeys(("aaaa", "bbb", "zzzz")),
    }


def test_the_list_counts_cells_and_has_the_newest_first(suites: Suites) -> None:
    suites.begin(kept_suite(name="aaaa11112222", state="done"))
    suites.begin(kept_suite(cell(0, 0), cell(0, 1, state="failed"), name="bbbb11112222"))
    newest, oldest = suites.find()
    assert (newest.id, newest.done, newest.failed, newest.total) == ("bbbb11112222", 1, 1, 4)
    assert (newest.labels, newest.prompts, newest.repeats) == (("first", "second"), 2, 1)
    assert (oldest.id, oldest.state) == ("aaaa11112222", "done")
    assert [one.id for one in suites.find(most=1)] == [newest.id]


def test_owners_see_their_own_alone(suites: Suites) -> None:
    kept = kept_suite(owner="somebody")
    suites.begin(kept)
    assert suites.get(kept.id) is None
    assert suites.find() == []
    assert not suites.remove(kept.id)
    assert suites.get("last", "somebody") == msgspec.structs.replace(kept, state="interrupted")


def test_of_a_visitor_the_oldest_are_let_go_and_none_of_ones_own(suites: Suites) -> None:
    now = time.time()
    suites.begin(kept_suite(name="own000000000", created=1.0))
    suites.begin(kept_suite(name="old000000000", created=1.0, owner="other"))
    for number in range(MOST_OF_A_VISITOR + 1):
        suites.begin(kept_suite(name=f"{number:012x}", created=now, owner="somebody"))
    names = [one.id for one in suites.find("somebody", 100)]
    assert names == [f"{number:012x}" for number in range(MOST_OF_A_VISITOR, 0, -1)]
    assert [one.id for one in suites.find()] == ["own000000000"]
    assert suites.find("other") == []


def test_visitors_together_have_so_many_and_push_out_nothing_of_ones_own(
    suites: Suites, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suite_rows, "MOST_OF_VISITORS", 3)
    suites.begin(kept_suite(name="own000000000", created=1.0))
    for number in range(5):
        owner = f"visitor {number}"
        suites.begin(kept_suite(name=f"{number:012x}", created=time.time(), owner=owner))
    left = [len(suites.find(f"visitor {number}")) for number in range(5)]
    assert left == [0, 0, 1, 1, 1]
    assert len(suites.find()) == 1


def test_a_running_suite_without_a_program_is_interrupted(suites: Suites) -> None:
    kept = kept_suite()
    suites.begin(kept)
    with suites.claim(kept.id):
        assert [one.state for one in suites.find()] == ["running"]
    assert [one.state for one in suites.find()] == ["interrupted"]
    found = suites.get(kept.id)
    assert found is not None
    assert found.state == "interrupted"


def test_a_claim_excludes_within_one_program_and_is_given_back(suites: Suites) -> None:
    suites.begin(kept_suite())
    first = suites.claim(kept_suite().id)
    with pytest.raises(ConfigurationError, match="being run"):
        suites.claim(kept_suite().id)
    first.release()
    first.release()
    suites.claim(kept_suite().id).release()


def test_who_looks_at_the_same_time_is_not_taken_for_a_run(suites: Suites, monkeypatch) -> None:
    kept = kept_suite()
    suites.begin(kept)
    suites.claim(kept.id).release()
    (place,) = (suites.path.parent / "suites.locks").iterdir()
    monkeypatch.setattr("comparator.storage.suite_claims._LOOKING_SECONDS", 60.0)
    looker = FileLock(place, thread_local=False)
    looker.acquire()
    timer = threading.Timer(0.05, looker.release)
    timer.start()
    assert suites.find()[0].state == "interrupted"
    timer.join()


def test_no_place_for_a_lock_is_a_sentence(suites: Suites, path: Path) -> None:
    suites.begin(kept_suite())
    (path.parent / "suites.locks").write_text("in the way")
    with pytest.raises(ConfigurationError, match="COMPARATOR_DATA_DIR"):
        suites.claim(kept_suite().id)


def test_a_full_disk_loses_no_kept_cell_and_says_so(suites: Suites, path: Path) -> None:
    kept = kept_suite()
    suites.begin(kept)
    assert suites.add_cells(kept.id, [cell(0, 0)])
    pages = suites._store.ask(lambda it: it.execute("PRAGMA page_count").fetchone())
    assert pages is not None
    large = cell(0, 1, record={"content": [hash(str(n)) for n in range(100_000)]})

    def full(connection: sqlite3.Connection) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages[0]}")

    suites._store.ask(full)
    put = suites._store.ask

    def ask_on_the_full_disk(work):  # a connection that is opened anew finds it as full
        return put(lambda it: (full(it), work(it))[1])

    suites._store.ask = ask_on_the_full_disk  # type: ignore[method-assign]
    assert not suites.add_cells(kept.id, [large])
    assert "full" in suites.trouble
    found = Suites(path).get(kept.id)
    assert found is not None
    assert [one.state for one in found.cells].count("done") == 1


def test_a_damaged_suite_is_a_sentence_and_the_others_stay(suites: Suites) -> None:
    suites.begin(kept_suite(name="aaaa11112222"))
    suites.begin(kept_suite(name="bbbb11112222"))
    broken = "UPDATE suites SET head = x'00' WHERE id = 'aaaa11112222'"
    suites._store.ask(lambda it: it.execute(broken).rowcount)
    assert suites.get("aaaa11112222") is None
    assert "aaaa11112222 is damaged" in suites.trouble
    assert suites.get("bbbb11112222") is not None
    assert suites.id_of("aaaa") == "aaaa11112222"
    assert suites.id_of("cccc") is None
    assert suites.remove("aaaa")


def test_the_folder_of_data_is_the_usual_place(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COMPARATOR_DATA_DIR", str(tmp_path))
    suites = module.Suites()
    assert suites.begin(kept_suite())
    assert (tmp_path / "suites.sqlite3").exists()
    suites.close()
