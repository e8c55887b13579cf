"""What is kept of comparisons, how it is found again, and what happens where it cannot be kept."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from comparator.core.exceptions import ConfigurationError
from comparator.storage import history_schema
from comparator.storage.history import History, Retention
from comparator.storage.history_schema import trigrams_of
from comparator.storage.kept_comparison import KeptComparison
from comparator.storage.names import new_id


def _record(
    name: str = "Model", question: str = "Why?", answer: str = "Because.", system: str = ""
) -> dict[str, Any]:
    messages = [{"role": "system", "content": system}] if system else []
    messages.append({"role": "user", "content": question})
    return {
        "model": {"id": name, "name": name, "path": f"/models/{name}"},
        "prompt": {"messages": messages},
        "content": answer,
        "state": "done",
    }


def _kept(created: float = 1.0, owner: str = "", **record: str) -> KeptComparison:
    records = [_record(**record), _record("Other", record.get("question", "Why?"), "No.")]
    return KeptComparison(id=new_id(), created=created, owner=owner, records=records)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.sqlite3"


@pytest.fixture
def history(path: Path) -> Iterator[History]:
    history = History(path, Retention())
    yield history
    history.close()


def _ids(history: History, words: str = "", **how: Any) -> list[str]:
    return [entry.id for entry in history.find(words, **how)]


def test_a_comparison_comes_back_as_it_was_kept(history: History) -> None:
    kept = _kept(12.5, answer="Ein \U0001f642 und\x00 NUL")
    assert history.add(kept)
    assert history.get(kept.id) == kept
    (entry,) = history.find()
    assert (entry.id, entry.created, entry.question) == (kept.id, 12.5, "Why?")
    assert (entry.models, entry.states) == (("Model", "Other"), ("done", "done"))


def test_another_program_finds_it(history: History, path: Path) -> None:
    kept = _kept()
    history.add(kept)
    other = History(path, Retention())
    assert other.get("last") == kept
    other.close()


@pytest.mark.skipif(os.name != "posix", reason="rights are POSIX's")
def test_other_users_of_the_machine_cannot_read_it(history: History, path: Path) -> None:
    history.add(_kept())
    rights = {file.name: file.stat().st_mode & 0o077 for file in path.parent.iterdir()}
    assert rights == {f"history.sqlite3{ending}": 0 for ending in ("", "-wal", "-shm")}


def test_a_name_of_a_file_that_is_no_text_is_kept(history: History) -> None:
    kept = _kept(name="Fran\udce7ais")
    assert history.add(kept)
    assert history.get(kept.id) == kept
    assert _ids(history, "fran") == [kept.id]


def test_a_name_is_an_id_its_beginning_or_last(history: History) -> None:
    for number, name in enumerate(("abcd11111111", "abcd22222222")):
        history.add(KeptComparison(id=name, created=number, records=[_record()]))
    named = {name: history.get(name) for name in ("abcd1", "abcd", "abc", "last", "", "%", "x")}
    found = {name: kept.id for name, kept in named.items() if kept is not None}
    assert found == {"abcd1": "abcd11111111", "last": "abcd22222222"}


def test_the_newest_come_first_page_by_page(history: History) -> None:
    kept = [_kept(moment) for moment in (3.0, 1.0, 2.0, 2.0, 5.0)]
    for one in kept:
        history.add(one)
    order = [kept[4].id, kept[0].id, kept[3].id, kept[2].id, kept[1].id]
    assert _ids(history) == order
    pages, before = [], None
    while page := history.find(most=2, before=before):
        pages.append([entry.id for entry in page])
        before = page[-1].place
    assert pages == [order[:2], order[2:4], order[4:]]


@pytest.mark.parametrize(
    "words",
    [
        "capital",
        "CAPITAL france",
        "apit",  # in the midst of a word
        "水果",  # two characters, fewer than a trigram has
        "果",
        "苹果是水果",
        "smollm2-135m",
        "Q8_0",
        "8",
        "pirate",
        "ＰＡＲＩＳ",  # full width
        'say "hi"',
        "100%",
        "*",
    ],
)
def test_every_word_anywhere_is_found(history: History, words: str) -> None:
    kept = _kept(
        name="SmolLM2-135M-Q8_0",
        question="What is the capital of France?",
        answer='Paris. 苹果是水果。 They say "hi" * 100% of the time.',
        system="You are a pirate.",
    )
    history.add(kept)
    history.add(_kept(question="Something else", answer="entirely"))
    assert _ids(history, words) == [kept.id]


@pytest.mark.parametrize("words", ["go", "果", "苹果"])
def test_a_short_word_at_the_very_end_is_found(history: History, words: str) -> None:
    records = [_record(question="Where?", answer="Here we go"), _record(answer="再见苹果")]
    for record in records:
        history.add(KeptComparison(id=new_id(), created=1.0, records=[record]))
    assert len(_ids(history, words)) == 1


@pytest.mark.parametrize("words", ["capital berlin", "水梨", "NEAR(a b)", '"', "zz"])
def test_what_nothing_has_is_not_found(history: History, words: str) -> None:
    history.add(_kept(question="What is the capital of France?", answer="Paris. 苹果是水果。"))
    assert _ids(history, words) == []
    assert history.trouble == ""


def test_without_an_index_a_search_finds_the_same_and_says_so(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for cached in (history_schema.kind, history_schema.has_index):
        cached.cache_clear()
    monkeypatch.setattr("comparator.storage.history.has_index", lambda: False)
    monkeypatch.setattr(history_schema, "has_index", lambda: False)
    history = History(path, Retention())
    kept = _kept(answer="Paris. 苹果是水果。")
    history.add(kept)
    assert _ids(history, "PARIS 水果") == [kept.id]
    assert "no full text index" in history.state()
    assert history.remove(kept.id)
    history.close()
    history_schema.kind.cache_clear()


def test_owners_see_what_is_theirs(history: History) -> None:
    own, anna, ben = _kept(1.0), _kept(2.0, "anna"), _kept(3.0, "ben")
    for one in (own, anna, ben):
        history.add(one)
    assert _ids(history) == [own.id]
    assert _ids(history, "because", owner="anna") == [anna.id]
    assert history.get(ben.id, "anna") is None
    assert history.get(anna.id) is None
    assert history.get("last", "anna") == anna
    assert not history.pin(ben.id, owner="anna")
    assert not history.remove(ben.id, owner="anna")
    assert history.get(ben.id, "ben") == ben


def test_pinning_shows_in_the_list_and_in_the_comparison(history: History) -> None:
    kept = _kept()
    history.add(kept)
    assert history.pin(kept.id)
    assert history.find()[0].is_pinned
    found = history.get(kept.id)
    assert found is not None
    assert found.is_pinned
    assert history.pin(kept.id, False)
    assert not history.find()[0].is_pinned


def test_what_is_removed_is_found_nowhere(history: History, path: Path) -> None:
    kept, other = _kept(1.0, answer="elephants"), _kept(2.0)
    history.add(kept)
    history.add(other)
    assert history.remove(kept.id)
    assert not history.remove(kept.id)
    assert _ids(history, "elephants") == []
    assert _ids(history) == [other.id]
    history.close()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        counts = [
            connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("comparisons", "wholes", "texts")
        ]
        connection.execute("INSERT INTO trigrams (trigrams) VALUES ('integrity-check')")
    assert counts == [1, 1, 1]


def test_a_comparison_kept_anew_takes_the_place_of_its_first(history: History) -> None:
    kept = _kept()
    history.add(kept)
    again = KeptComparison(id=kept.id, created=kept.created, records=[_record(answer="New.")])
    history.add(again)
    assert history.get(kept.id) == again
    assert history.count() == 1
    assert _ids(history, "because") == []


def test_the_oldest_go_and_the_pinned_stay(path: Path) -> None:
    history = History(path, Retention(most=2))
    kept = [_kept(float(moment)) for moment in range(4)]
    history.add(kept[0])
    history.pin(kept[0].id)
    for one in kept[1:]:
        history.add(one)
    assert _ids(history) == [kept[3].id, kept[2].id, kept[0].id]
    history.close()


def test_what_is_older_goes_and_a_visitors_pin_does_not_hold_it(path: Path) -> None:
    forever = History(path, Retention())
    old = [_kept(1.0), _kept(1.0), _kept(1.0, "anna")]
    for one in old:
        forever.add(one)
    forever.pin(old[0].id)
    forever.pin(old[2].id, owner="anna")
    forever.close()
    history = History(path, Retention(days=1, days_of_visitors=1))
    new = _kept(time.time())
    history.add(new)
    assert _ids(history) == [new.id, old[0].id]
    assert _ids(history, owner="anna") == []
    history.close()


def test_what_strangers_ask_never_pushes_out_what_is_ones_own(path: Path) -> None:
    history = History(path, Retention(most=2))
    own = [_kept(1.0), _kept(2.0)]
    now = time.time()
    strangers = [_kept(now + number, f"visitor {number}") for number in range(4)]
    for one in [*own, *strangers]:
        history.add(one)
    assert _ids(history) == [own[1].id, own[0].id]
    left = [one.id for one in strangers if history.get(one.id, one.owner)]
    assert left == [strangers[2].id, strangers[3].id]
    history.close()


def test_the_pins_of_many_visitors_do_not_fill_the_history(path: Path) -> None:
    history = History(path, Retention(most=2))
    now = time.time()
    strangers = [_kept(now + number, f"visitor {number}") for number in range(4)]
    for one in strangers:
        history.add(one)
        assert history.pin(one.id, owner=one.owner)
    assert sum(history.count(one.owner) for one in strangers) == 2
    history.close()


def test_one_visitor_does_not_fill_the_history(path: Path) -> None:
    history = History(path, Retention(most_of_a_visitor=2))
    own = _kept(0.0)
    history.add(own)
    kept = [_kept(float(moment), "anna") for moment in range(4)]
    for one in kept:
        history.add(one)
    assert _ids(history, owner="anna") == [kept[3].id, kept[2].id]
    assert _ids(history) == [own.id]
    history.close()


def test_a_history_that_is_off_keeps_nothing_and_shows_what_there_is(path: Path) -> None:
    history = History(path, Retention())
    kept = _kept()
    history.add(kept)
    history.close()
    off = History(path, Retention(is_on=False))
    assert not off.add(_kept())
    assert _ids(off) == [kept.id]
    assert off.state() == "Comparisons are not kept: the history is off."
    off.close()


def test_settings_come_from_the_environment() -> None:
    said = {
        "COMPARATOR_HISTORY": "OFF",
        "COMPARATOR_HISTORY_MOST": "7",
        "COMPARATOR_HISTORY_DAYS": "1.5",
    }
    found = Retention.of(said)
    assert (found.is_on, found.most, found.days) == (False, 7, 1.5)
    assert Retention.of({}) == Retention(days_of_visitors=30)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("COMPARATOR_HISTORY", "maybe"),
        ("COMPARATOR_HISTORY_MOST", "many"),
        ("COMPARATOR_HISTORY_DAYS", "-1"),
        ("COMPARATOR_HISTORY_DAYS", "inf"),
    ],
)
def test_a_wrong_setting_is_named(name: str, value: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        Retention.of({name: value})


def test_a_file_of_a_later_version_is_refused_and_left_alone(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE later (anything)")
        connection.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    history = History(path, Retention())
    assert not history.add(_kept())
    assert history.find() == []
    assert "later version (99" in history.trouble
    assert "update the comparator" in history.state()
    history.close()
    assert path.read_bytes() == before
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_damaged_file_is_put_aside_and_a_new_one_begins(path: Path) -> None:
    path.write_bytes(b"no database at all" * 1000)
    history = History(path, Retention())
    kept = _kept()
    assert history.add(kept)
    assert _ids(history) == [kept.id]
    assert "1 damaged earlier file of them were put aside" in history.state()
    history.close()


def test_a_locked_file_is_a_sentence_and_works_when_it_is_free(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("comparator.storage.database.BUSY_SECONDS", 0.05)
    history_schema.kind.cache_clear()
    history = History(path, Retention())
    first = _kept(1.0)
    history.add(first)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        history._store._connection.execute("PRAGMA busy_timeout = 50")  # type: ignore[union-attr]
        assert not history.add(_kept(2.0))
        assert "locked" in history.trouble
        assert _ids(history) == [first.id]  # reading goes on
        holder.execute("COMMIT")
    assert history.add(_kept(3.0))
    assert history.trouble == ""
    history.close()
    history_schema.kind.cache_clear()


def test_a_file_locked_when_it_is_opened_is_not_read_as_it_once_was(path: Path) -> None:
    _add_with_another_program(path, 1.0)
    history = History(path, Retention())
    history._store._kind = replace(history_schema.kind(), busy_seconds=0.05)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("PRAGMA locking_mode = EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
        assert history.find() == []
        assert history.trouble == "Comparisons cannot be kept: database is locked."
        holder.execute("COMMIT")
    _add_with_another_program(path, 2.0)
    assert len(history.find()) == 2
    history.close()


def _add_with_another_program(path: Path, created: float) -> None:
    other = History(path, Retention())
    assert other.add(_kept(created))
    other.close()


def test_a_file_damaged_inside_is_put_aside_and_a_new_one_begins(path: Path) -> None:
    history = History(path, Retention())
    for moment in range(100):
        history.add(_kept(float(moment), answer=f"{moment} " * 200))
    history.close()
    whole = bytearray(path.read_bytes())
    whole[4 * 4096 :] = b"Z" * (len(whole) - 4 * 4096)
    path.write_bytes(whole)
    history = History(path, Retention())
    kept = _kept(1.0)
    assert history.add(kept)
    assert _ids(history) == [kept.id]
    (aside,) = path.parent.glob("history.sqlite3.broken-*")
    assert aside.read_bytes()[-9:] == b"Z" * 9
    history.close()


def test_one_damaged_comparison_is_a_sentence_and_the_others_are_there(
    history: History, path: Path
) -> None:
    broken, whole = _kept(1.0), _kept(2.0)
    history.add(broken)
    history.add(whole)
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        change = "UPDATE wholes SET whole = x'0011' WHERE number = 10"
        assert connection.execute(change).rowcount == 1
    assert history.get(broken.id) is None
    assert f"what is kept of {broken.id} is damaged" in history.trouble
    assert history.get(whole.id) == whole
    assert not list(path.parent.glob("*.broken-*"))


@pytest.mark.parametrize("name", ["\udcff\udcff\udcff\udcff", "a\x00bcd", "x" * 100_000])
def test_a_name_that_no_comparison_can_have_is_none(history: History, name: str) -> None:
    history.add(_kept())
    assert history.get(name) is None
    assert not history.remove(name)
    assert not history.pin(name)
    assert history.trouble == ""


@pytest.mark.parametrize("words", ["nul", "eol\x00nul", "\x00", "n\x00l"])
def test_what_stands_behind_a_nul_is_found(history: History, words: str) -> None:
    kept = _kept(answer="Eol\x00Nul")
    history.add(kept)
    assert _ids(history, words) == [kept.id]


def test_many_short_words_are_found_without_asking_the_index_for_all(history: History) -> None:
    letters = "abcdefghijklmnop"
    short = [first + second for first in letters for second in letters][:60]
    for second in letters:
        history.add(_kept(answer=" ".join(f"{word}{second}" for word in short)))
    kept = _kept(answer=" ".join(short))
    history.add(kept)
    asked = history._store.ask(lambda connection: trigrams_of(connection, short))
    assert asked is not None
    assert 0 < asked.count(" OR ") < 256
    assert len(_ids(history, " ".join(short))) == 17


@pytest.mark.parametrize("words", ["x" * 1_001, " ".join(map(str, range(65)))])
def test_a_search_for_too_much_is_refused(history: History, words: str) -> None:
    with pytest.raises(ConfigurationError, match="up to 64 words"):
        history.find(words + " a b")


def test_a_full_disk_is_a_sentence(history: History) -> None:
    def full(*_arguments: Any) -> Any:
        raise sqlite3.OperationalError("database or disk is full")

    history._store._done = full  # type: ignore[method-assign]
    assert not history.add(_kept())
    assert history.trouble == "Comparisons cannot be kept: database or disk is full."


def test_a_file_that_cannot_be_written_can_be_read(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = History(path, Retention())
    kept = _kept()
    history.add(kept)
    history.close()

    def refused(*_arguments: Any) -> None:
        raise sqlite3.OperationalError("attempt to write a readonly database")

    monkeypatch.setattr("comparator.storage.database._use_log_ahead", refused)
    reader = History(path, Retention())
    assert reader.get("last") == kept
    assert not reader.add(_kept())
    assert "can only be read" in reader.state()
    reader.close()


def test_no_folder_to_keep_it_in_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    history = History(tmp_path / "file" / "history.sqlite3", Retention())
    assert not history.add(_kept())
    assert history.get("last") is None
    assert "cannot be kept" in history.trouble
    history.close()
