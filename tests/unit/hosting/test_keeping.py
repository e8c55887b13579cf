"""When a comparison comes into the history, whose it is, and how it is asked once more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from comparator.comparison.comparison import Comparison
from comparator.core.exceptions import ConfigurationError
from comparator.hosting.host import Host
from comparator.hosting.options import ServerOptions
from comparator.hosting.requests import RequestDraft, SlotDraft
from comparator.hosting.session import Session
from comparator.storage.history import History, Retention
from comparator.storage.kept_comparison import KeptComparison
from runners import protocol
from tests.unit.hosting.test_host import IdleEngine

DRAFT = RequestDraft(
    "hi there",
    [SlotDraft("alpha", {"seed": 7}), SlotDraft("beta", {"temperature": 1.5})],
    system_prompt="Be short.",
)


@pytest.fixture
def engine() -> IdleEngine:
    return IdleEngine()


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    history = History(tmp_path / "history.sqlite3", Retention())
    yield history
    history.close()


def _host(tmp_path: Path, engine: IdleEngine, history: History, **options: Any) -> Host:
    for name in ("alpha", "beta"):
        (tmp_path / f"{name}.echo.json").write_text("{}")
    return Host(ServerOptions(models_dir=tmp_path, **options), engine, history)


@pytest.fixture
def host(tmp_path: Path, engine: IdleEngine, history: History) -> Host:
    return _host(tmp_path, engine, history)


def _answer(comparison: Comparison, slot: int, text: str) -> None:
    comparison._tell(slot, protocol.Token(text, 1, 0.1))
    comparison._tell(slot, protocol.Answered("stop", 1, 0.2))
    comparison._tell(slot, protocol.Finished(0.2))


def _ended(host: Host, engine: IdleEngine, session: Session, *texts: str) -> KeptComparison:
    """Let a comparison's columns answer, with nobody who reads them, and return what is kept."""
    engine.wait_for(len(engine.started) if session.comparison in engine.started else 1)
    with session.comparison._lock:
        session.comparison._waiting = []
    for slot, text in enumerate(texts):
        _answer(session.comparison, slot, text)
    assert session.join(60)
    kept = host.history.get(session.kept_as or "")
    assert kept is not None
    return kept


def test_what_nobody_reads_is_kept_whole(host: Host, engine: IdleEngine) -> None:
    session = host.begin("one", DRAFT, lambda: None)
    assert session.kept_as is None
    kept = _ended(host, engine, session, "good day", "hello")
    assert kept.id == session.comparison.name
    assert [record["content"] for record in kept.records] == ["good day", "hello"]
    assert [record["state"] for record in kept.records] == ["done", "done"]
    assert [record["comparison"] for record in kept.records] == [kept.id, kept.id]
    assert [record["config"]["temperature"] for record in kept.records] == [0.7, 1.5]
    assert kept.question == "hi there"
    assert session.is_complete is False  # its reader still has to be told
    assert session.comparison.drain() == {0, 1}


def test_a_stopped_comparison_is_kept_with_what_was_written(host: Host, engine: IdleEngine) -> None:
    session = host.begin("one", DRAFT, lambda: None)
    engine.wait_for(1)
    session.comparison._tell(0, protocol.Token("so far", 1, 0.1))
    with session.comparison._lock:
        session.comparison._waiting = []
    host.stop("one")
    for slot in (0, 1):
        session.comparison._tell(slot, protocol.Cancelled("generate"))
    assert session.join(60)
    kept = host.history.get("last")
    assert kept is not None
    assert [record["state"] for record in kept.records] == ["stopped", "stopped"]
    assert kept.records[0]["content"] == "so far"


def test_a_history_that_cannot_be_written_fails_no_comparison(
    tmp_path: Path, engine: IdleEngine
) -> None:
    (tmp_path / "file").write_text("no folder")
    broken = History(tmp_path / "file" / "history.sqlite3", Retention())
    host = _host(tmp_path, engine, broken)
    session = host.begin("one", DRAFT, lambda: None)
    engine.wait_for(1)
    with session.comparison._lock:
        session.comparison._waiting = []
    for slot in (0, 1):
        _answer(session.comparison, slot, "yes")
    assert session.join(60)
    assert session.kept_as is None
    assert "not in the history. Comparisons cannot be kept" in (session.trouble or "")
    assert {record["comparison"] for record in host.records(session.comparison)} == {None}
    assert [result.content for result in session.comparison.results()] == ["yes", "yes"]
    assert "cannot be kept" in broken.trouble


def test_a_host_without_history_gives_no_id(tmp_path: Path, engine: IdleEngine) -> None:
    off = History(tmp_path / "history.sqlite3", Retention(is_on=False))
    host = _host(tmp_path, engine, off)
    session = host.begin("one", DRAFT, lambda: None)
    assert host.records(session.comparison)[0]["comparison"] is None
    assert not session.is_to_be_kept
    host.stop("one")
    assert session.join(60)
    assert off.find() == []


def test_a_column_asked_once_more_is_kept_beside_the_others(host: Host, engine: IdleEngine) -> None:
    session = host.begin("one", DRAFT, lambda: None)
    first = _ended(host, engine, session, "good day", "hello")
    again = host.again("one", session.comparison, 1, 1, lambda: None, beside=first.id)
    engine.wait_for(2)
    _answer(again.comparison, 0, "hello once more")
    assert again.join(60)
    kept = host.history.get(again.kept_as or "")
    assert kept is not None
    assert kept.parent == first.id
    assert [record["content"] for record in kept.records] == ["good day", "hello once more"]
    assert [record["comparison"] for record in kept.records] == [kept.id, kept.id]


def test_on_a_public_page_each_browser_has_its_own(
    tmp_path: Path, engine: IdleEngine, history: History
) -> None:
    host = _host(tmp_path, engine, history, public=True)
    session = host.begin("one", DRAFT, lambda: None, "8.8.8.8", "anna")
    host.stop("one")
    assert session.join(60)
    assert host.kept("last", "anna") is not None
    assert host.kept("last", "ben") is None
    assert history.get("last") is None  # nor is it the owner's of the machine


def test_on_ones_own_page_all_is_ones_own(host: Host) -> None:
    session = host.begin("one", DRAFT, lambda: None, "", "anna")
    host.stop("one")
    assert session.join(60)
    assert host.kept("last", "ben") is not None


def test_asking_once_more_asks_the_same(host: Host, engine: IdleEngine) -> None:
    session = host.begin("one", DRAFT, lambda: None)
    kept = _ended(host, engine, session, "good day", "hello")
    assert kept.date == session.comparison.request.date
    kept = msgspec.structs.replace(kept, date="2020-02-29T12:30:00")
    again = host.rerun("one", kept, lambda: None)
    request = again.comparison.request
    assert request.parent == kept.id
    assert request.date == "2020-02-29T12:30:00"
    configs = [result.config for result in again.comparison.results()]
    assert configs == [record["config"] for record in kept.records]
    assert configs[1]["seed"] == kept.records[1]["config"]["seed"]  # the one that was drawn
    sources = [result.config_sources for result in again.comparison.results()]
    assert sources == [record["config_sources"] for record in kept.records]
    messages = [result.prompt.messages for result in again.comparison.results()]
    assert messages == [record["prompt"]["messages"] for record in kept.records]
    host.stop("one")
    assert again.join(60)


def test_a_model_that_is_gone_is_named_and_the_others_are_asked(
    host: Host, engine: IdleEngine, tmp_path: Path
) -> None:
    kept = _ended(host, engine, host.begin("one", DRAFT, lambda: None), "good day", "hello")
    (tmp_path / "alpha.echo.json").unlink()
    (tmp_path / "beta.echo.json").write_text("{ }      ")
    host.shelf()
    again = host.rerun("one", kept, lambda: None)
    (result,) = again.comparison.results()
    assert result.model is not None
    assert result.model.name == "beta"
    assert "alpha" in (result.notice or "")
    assert "gone" in (result.notice or "")
    assert "The files of beta have changed" in (result.notice or "")
    host.stop("one")
    assert again.join(60)


def test_without_any_of_its_models_it_is_refused_by_name(
    host: Host, engine: IdleEngine, tmp_path: Path
) -> None:
    kept = _ended(host, engine, host.begin("one", DRAFT, lambda: None), "good day", "hello")
    for name in ("alpha", "beta"):
        (tmp_path / f"{name}.echo.json").unlink()
    host.shelf()
    with pytest.raises(ConfigurationError, match=r"alpha.*gone.*beta.*gone"):
        host.rerun("one", kept, lambda: None)
    assert host.current("one") is None


def test_what_runs_when_the_page_is_closed_is_kept(host: Host, engine: IdleEngine) -> None:
    session = host.begin("one", DRAFT, lambda: None)
    engine.wait_for(1)
    host.close()
    assert session.join(60)
    kept = host.history.get("last")
    assert kept is not None
    assert [record["state"] for record in kept.records] == ["stopped", "stopped"]
