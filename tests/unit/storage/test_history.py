"""What is kept of comparisons, how it is found again, and what happens where it cannot be kept."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from comparator.core.exceptions import ConfigurationError
from comparator.storage import history_schema
from comparator.storage.history import History, Retention
from comparator.storage.kept_comparison import KeptComparison, new_id


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
    history = History(path, Retention(days=1))
    new = _kept(time.time())
    history.add(new)
    assert _ids(history) == [new.id, old[0].id]
    assert _ids(history, owner="anna") == []
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
    assert Retention.of({}) == Retention()
    assert Retention.of({}, is_public=True).days == 30


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
