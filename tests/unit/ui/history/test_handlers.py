"""The history's handlers, called without a server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from comparator.hosting.host import Host
from comparator.hosting.options import ServerOptions
from comparator.storage.history import History, Retention
from comparator.storage.kept_comparison import KeptComparison
from comparator.storage.names import new_id
from comparator.ui.compare.boards import Boards
from comparator.ui.history.handlers import (
    GONE,
    MOST_SHOWN,
    SHOWN,
    HistoryHandlers,
    make_history_handlers,
)
from comparator.ui.history.tab import HistoryTab
from tests.unit.hosting.test_host import IdleEngine

TAB = HistoryTab("tab", "table", "note")
COMPARE: Any = SimpleNamespace(board="board", prompt="prompt")
VISITOR = SimpleNamespace(session_hash="visitor")


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    history = History(tmp_path / "history.sqlite3", Retention())
    (tmp_path / "alpha.echo.json").write_text("{}")
    yield Host(ServerOptions(models_dir=tmp_path), IdleEngine(), history)
    history.close()


@pytest.fixture
def boards() -> Boards:
    return Boards()


@pytest.fixture
def does(host: Host, boards: Boards) -> HistoryHandlers:
    return make_history_handlers(host, TAB, "tabs", COMPARE, boards)


def _kept(
    question: str = "Why?", created: float = 1.0, answer: str = "So.", owner: str = ""
) -> KeptComparison:
    record = {
        "model": {"id": "x", "name": "gone", "model_type": "echo", "path": "/x", "size": 1},
        "prompt": {"messages": [{"role": "user", "content": question}]},
        "content": answer,
        "state": "failed",
        "error": "It broke.",
        "is_complete": True,
        "stats": {"start_time": created},
        "config": {"seed": 3},
    }
    return KeptComparison(id=new_id(), created=created, owner=owner, records=[record])


def _event(**carried: Any) -> Any:
    return gr.EventData(None, carried)


def _do(handler: Any, visitor: Any = VISITOR, **carried: Any) -> Any:
    return asyncio.run(handler(_event(**carried), visitor))


def _listed(updates: Any) -> list[str]:
    return [entry["id"] for entry in updates["table"]["entries"]]


def test_the_list_comes_in_parts(host: Host, does: HistoryHandlers) -> None:
    kept = [_kept(created=float(moment)) for moment in range(SHOWN + 3)]
    for one in kept:
        host.history.add(one)
    first = _do(does.find)
    assert _listed(first) == [one.id for one in reversed(kept[3:])]
    assert first["table"]["more"]
    after = first["table"]["entries"][-1]["place"]
    rest = _do(does.more, words="", after=after)
    assert _listed(rest) == [one.id for one in reversed(kept[:3])]
    assert not rest["table"]["more"]
    assert rest["table"]["after"] == after


def test_a_search_tells_its_words(host: Host, does: HistoryHandlers) -> None:
    kept = _kept("Where do elephants live?")
    host.history.add(kept)
    host.history.add(_kept())
    found = _do(does.find, words="ELEPHANT")
    assert _listed(found) == [kept.id]
    assert found["table"]["words"] == "ELEPHANT"
    (column,) = found["table"]["entries"][0]["columns"]
    assert column == ["gone", "failed"]


@pytest.mark.parametrize("words", [None, 7, ["a"], {"a": 1}])
def test_what_is_no_text_searches_nothing(host: Host, does: HistoryHandlers, words: Any) -> None:
    host.history.add(_kept())
    assert len(_listed(_do(does.find, words=words))) == 1


@pytest.mark.parametrize(
    "after", [None, [1], ["a", "b"], [1.0, 2, 3], {"a": 1}, [1.0, True], [1.0, 10**30]]
)
def test_a_place_that_is_none_begins_at_the_begin(
    host: Host, does: HistoryHandlers, after: Any
) -> None:
    host.history.add(_kept())
    assert len(_listed(_do(does.more, words="", after=after))) == 1


def test_controls_and_markup_of_a_question_stay_text(host: Host, does: HistoryHandlers) -> None:
    host.history.add(_kept("<b>\x1b[2J\u202e"))
    (entry,) = _do(does.find)["table"]["entries"]
    assert entry["question"] == "<b>\\x1b[2J\\u202e"


def test_pin_and_remove_show_the_list_anew(host: Host, does: HistoryHandlers) -> None:
    kept, other = _kept(created=1.0), _kept(created=2.0)
    for one in (kept, other):
        host.history.add(one)
    pinned = _do(does.pin, id=kept.id, pinned=True, words="", shown=10**9)
    assert [entry["pinned"] for entry in pinned["table"]["entries"]] == [False, True]
    assert len(pinned["table"]["entries"]) < MOST_SHOWN
    removed = _do(does.remove, id=kept.id, words="")
    assert _listed(removed) == [other.id]
    assert removed["note"] == ""
    again = _do(does.remove, id=kept.id, words="")
    assert GONE in again["note"]


def test_opening_shows_it_on_the_board_as_it_was(
    host: Host, does: HistoryHandlers, boards: Boards
) -> None:
    kept = _kept("A question", answer="**So**")
    host.history.add(kept)
    opened = _do(does.open, id=kept.id)
    view = opened["board"]
    assert (view["running"], view["comparison"]) == (False, kept.id)
    (column,) = view["columns"]
    assert (column["name"], column["text"], column["error"]) == ("gone", "**So**", "It broke.")
    assert opened["prompt"] == "A question"
    assert opened["tabs"]["selected"] == "compare"
    board = boards.of("visitor")
    assert board is not None
    assert board.view is view


def test_while_a_comparison_runs_nothing_takes_its_place(
    host: Host, does: HistoryHandlers, boards: Boards
) -> None:
    running: Any = SimpleNamespace(view={"running": True})
    boards.keep("visitor", running)
    kept = _kept()
    host.history.add(kept)
    told = _do(does.open, id=kept.id)
    assert "tabs" not in told
    assert boards.of("visitor") is running
    running.view["running"] = False
    assert _do(does.open, id=kept.id)["tabs"]["selected"] == "compare"


def test_what_is_gone_cannot_be_opened_or_asked_again(does: HistoryHandlers) -> None:
    assert GONE in _do(does.open, id="abc")["note"]

    async def rerun() -> Any:
        return [updates async for updates in does.rerun(_event(id="abc"), VISITOR)]

    (told,) = asyncio.run(rerun())
    assert GONE in told["note"]


def test_asking_again_without_its_model_names_it(host: Host, does: HistoryHandlers) -> None:
    kept = _kept()
    host.history.add(kept)

    async def rerun() -> Any:
        return [updates async for updates in does.rerun(_event(id=kept.id), VISITOR)]

    (told,) = asyncio.run(rerun())
    assert "gone is left out" in told["note"]


def test_on_a_public_page_others_find_open_and_delete_nothing(tmp_path: Path) -> None:
    history = History(tmp_path / "history.sqlite3", Retention())
    host = Host(ServerOptions(models_dir=tmp_path, public=True), IdleEngine(), history)
    does = make_history_handlers(host, TAB, "tabs", COMPARE, Boards())
    anna = SimpleNamespace(session_hash="anna")
    from comparator.ui.visitors import browser_of

    kept = _kept(owner=browser_of(anna))
    history.add(kept)
    assert _listed(_do(does.find, anna)) == [kept.id]
    assert _listed(_do(does.find, VISITOR)) == []
    assert GONE in _do(does.open, VISITOR, id=kept.id)["note"]
    assert GONE in _do(does.remove, VISITOR, id=kept.id)["note"]
    assert _listed(_do(does.find, anna)) == [kept.id]
    history.close()


def test_a_history_that_cannot_be_used_says_why(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    broken = History(tmp_path / "file" / "history.sqlite3", Retention())
    host = Host(ServerOptions(models_dir=tmp_path), IdleEngine(), broken)
    does = make_history_handlers(host, TAB, "tabs", COMPARE, Boards())
    view = _do(does.find)["table"]
    assert view["entries"] == []
    assert "cannot be kept" in view["trouble"]
    assert "cannot be kept" in _do(does.pin, id="abc", pinned=True)["note"]
