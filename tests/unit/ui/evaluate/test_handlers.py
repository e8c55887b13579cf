"""The tab's handlers, called without a server."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from idle_suites import IdleRuns, with_idle_suites

from comparator.hosting.host import Host
from comparator.hosting.options import ServerOptions
from comparator.hosting.requests import RequestDraft, SlotDraft
from comparator.hosting.suites.suite_drafts import SuiteDraft
from comparator.storage.history import History, Retention
from comparator.storage.votes import Votes
from comparator.ui.compare.boards import Boards
from comparator.ui.evaluate import handlers as module
from comparator.ui.evaluate.handlers import EvaluateHandlers
from comparator.ui.evaluate.reports import make_take_away
from comparator.ui.evaluate.tab import PARTS, EvaluateTab
from comparator.ui.evaluate.voting import make_vote
from tests.unit.hosting.test_host import IdleEngine

RATINGS: Any = None
TAB = EvaluateTab("tab", "root", {name: name for name in PARTS}, "taken", RATINGS)
COMPARE: Any = SimpleNamespace(prompt="prompt", files="files", board="board")
ASKED = RequestDraft("", [SlotDraft("alpha"), SlotDraft("beta")])
PASTED = {"kind": "paste", "text": "one\ntwo"}


def _visitor(name: str = "visitor") -> Any:
    return SimpleNamespace(session_hash=name, cookies={}, client=None)


@pytest.fixture(params=[False, True], ids=["own", "public"])
def host(tmp_path: Path, request: Any) -> Iterator[Host]:
    for name in ("alpha", "beta"):
        (tmp_path / f"{name}.echo.json").write_text("{}")
    history = History(tmp_path / "history.sqlite3", Retention())
    options = ServerOptions(models_dir=tmp_path, public=request.param)
    host = Host(options, IdleEngine(), history)
    host.voting._votes = Votes(tmp_path / "votes.sqlite3")
    yield host
    host.close()


@pytest.fixture
def runs(host: Host, tmp_path: Path) -> IdleRuns:
    return with_idle_suites(host, tmp_path)


@pytest.fixture
def does(host: Host, runs: IdleRuns, monkeypatch: pytest.MonkeyPatch) -> EvaluateHandlers:
    monkeypatch.setattr(module, "draft_of", lambda _tab, _values: ASKED)
    return EvaluateHandlers(host, TAB, COMPARE)


def _event(**carried: Any) -> gr.EventData:
    return gr.EventData(None, carried)


def _view(updates: Any, part: str) -> Any:
    assert set(updates) == {part}
    return updates[part]


async def _first(updates: Any, part: str) -> Any:
    async for one in updates:
        if part in one:
            return one[part]
    raise AssertionError(part)


def test_a_suite_that_cannot_be_read_is_a_sentence(does: EvaluateHandlers) -> None:
    for source in (None, {"kind": "paste", "text": ""}, {"kind": "builtin", "name": "x"}):
        told = asyncio.run(does.read({}, _event(source=source), _visitor()))
        assert _view(told, "read")["trouble"]
    told = asyncio.run(does.read({}, _event(source=PASTED, repeats="1"), _visitor()))
    view = _view(told, "read")
    assert (view["count"], view["trouble"], view["most_seconds"]) == (2, "", None)


def test_a_suite_is_followed_to_its_end_and_others_are_told_nothing(
    does: EvaluateHandlers, host: Host, runs: IdleRuns
) -> None:
    async def follow() -> list[Any]:
        told: list[Any] = []
        async for updates in does.begin({}, _event(source=PASTED), _visitor()):
            told.append(updates)
            if "live" in updates and not updates["live"]["is_live"]:
                continue
            if "live" in updates and runs.made and not runs.made[0]._ended.is_set():
                for slot, prompt in ((0, 0), (0, 1), (1, 0), (1, 1)):
                    runs.made[0].answer(slot, prompt, slot == prompt)
                runs.made[0].end()
        return told

    told = asyncio.run(follow())
    kinds = [next(iter(one)) for one in told]
    assert kinds[:2] == ["opened", "kept"]
    assert kinds[-2:] == ["result", "kept"]
    last = [one["live"] for one in told if "live" in one][-1]
    assert (last["state"], last["lines"], last["is_live"]) == ("done", ["dpm", "dmp"], False)
    assert told[-1]["kept"]["running"] == ""

    name = last["id"]
    place = {"id": name, "slot": 0, "prompt": 1, "repeat": 0}
    cell = _view(asyncio.run(does.look(_event(**place), _visitor())), "cell")
    assert (cell["content"], cell["sign"]) == ("So.", "m")
    for wrong in ({"slot": 9}, {"prompt": None}, {"slot": -1, "prompt": 7}, {"id": "nowhere"}):
        refused = asyncio.run(does.look(_event(**{**place, **wrong}), _visitor()))
        assert _view(refused, "cell")["trouble"]
    if host.options.is_public:
        stranger = asyncio.run(does.look(_event(**place), _visitor("other")))
        assert "not kept here" in _view(stranger, "cell")["trouble"]
        listed = asyncio.run(does.kept(_visitor("other")))
        assert _view(listed, "kept")["entries"] == []
        removed = asyncio.run(does.remove(_event(id=name), _visitor("other")))
        assert "not kept here" in _view(removed, "kept")["trouble"]
    removed = asyncio.run(does.remove(_event(id=name), _visitor()))
    assert _view(removed, "kept")["entries"] == []


def _done_suite(does: EvaluateHandlers, host: Host, runs: IdleRuns) -> str:
    owner = host.owner_of(module.browser_of(_visitor()))
    draft = SuiteDraft(PASTED, ASKED)
    live = host.evaluations.begin("visitor", draft, owner)
    run = runs.wait_for(1)
    for slot, prompt in ((0, 0), (1, 0), (0, 1)):
        run.answer(slot, prompt, True, content=f"Answer {slot}.{prompt}")
    run.end()
    assert live.join(60)
    return live.id


def test_a_suite_that_is_one_too_many_is_a_sentence_and_gives_the_button_back(
    does: EvaluateHandlers, host: Host, runs: IdleRuns
) -> None:
    owner = host.owner_of(module.browser_of(_visitor()))
    live = host.evaluations.begin("other tab", SuiteDraft(PASTED, ASKED), owner)
    runs.wait_for(1)
    told = asyncio.run(_first(does.begin({}, _event(source=PASTED), _visitor()), "read"))
    assert "A suite is running here" in told["trouble"]
    runs.made[0].end()
    assert live.join(60)


def test_prompts_are_not_gone_through_on_the_loop(
    does: EvaluateHandlers, host: Host, runs: IdleRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, threads = _done_suite(does, host, runs), []

    def noted(view: Any) -> Any:
        def of(*arguments: Any) -> Any:
            threads.append(threading.current_thread())
            return view(*arguments)

        return of

    for view in ("of_reading", "of_opening", "of_cell"):
        monkeypatch.setattr(module.views, view, noted(getattr(module.views, view)))
    place = {"id": name, "slot": 0, "prompt": 0, "repeat": 0}
    asyncio.run(does.read({}, _event(source=PASTED, repeats="1"), _visitor()))
    asyncio.run(_first(does.open(_event(id=name), _visitor()), "opened"))
    asyncio.run(does.look(_event(**place), _visitor()))
    assert len(threads) == 3
    assert threading.current_thread() not in threads


def test_why_there_is_no_answer_tells_strangers_no_place(
    does: EvaluateHandlers, host: Host, runs: IdleRuns, tmp_path: Path
) -> None:
    owner = host.owner_of(module.browser_of(_visitor()))
    live = host.evaluations.begin("visitor", SuiteDraft(PASTED, ASKED), owner)
    runs.wait_for(1).fail(0, 0, f"The file {tmp_path}/alpha.echo.json is broken.")
    place = {"id": live.id, "slot": 0, "prompt": 0, "repeat": 0}
    cell = _view(asyncio.run(does.look(_event(**place), _visitor())), "cell")
    assert (str(tmp_path) in cell["error"]) is not host.options.is_public
    assert "alpha.echo.json is broken" in cell["error"]
    runs.made[0].end()
    assert live.join(60)


def test_a_report_is_the_visitors_own(
    does: EvaluateHandlers, host: Host, runs: IdleRuns, tmp_path: Path
) -> None:
    name = _done_suite(does, host, runs)
    take = make_take_away(host, "taken")
    for form in ("html", "md", "csv", "jsonl", "json"):
        told = asyncio.run(take(_event(id=name, form=form), _visitor()))["taken"]
        assert (told["trouble"], told["form"]) == ("", form)
        assert "Answer 0.1" in told["text"]
        if host.options.is_public:
            assert str(tmp_path) not in told["text"]
    refused = asyncio.run(take(_event(id=name, form="exe"), _visitor()))["taken"]
    assert "html" in refused["trouble"]
    if host.options.is_public:
        other = asyncio.run(take(_event(id=name, form="md"), _visitor("other")))["taken"]
        assert "not kept here" in other["trouble"]


def test_answers_to_a_prompt_are_voted_on_without_names(
    does: EvaluateHandlers, host: Host, runs: IdleRuns
) -> None:
    name = _done_suite(does, host, runs)
    vote = make_vote(host, TAB, "tabs", COMPARE, Boards())

    def asked(visitor: str = "visitor", **carried: Any) -> Any:
        event = _event(id=name, **{"prompt": 0, "repeat": 0, "known": False, **carried})
        return asyncio.run(vote(event, _visitor(visitor)))

    board = asked()["board"]
    assert {column["text"] for column in board["columns"]} == {"Answer 0.0", "Answer 1.0"}
    assert "alpha" not in str(board)
    assert asked()["board"] == {**board, "run": asked()["board"]["run"] - 1}
    assert "two models" in _view(asked(prompt=1), "cell")["trouble"]
    assert _view(asked(prompt="0"), "cell")["trouble"]
    if host.options.is_public:
        assert "not kept here" in _view(asked("other"), "cell")["trouble"]


def test_what_was_looked_into_is_voted_on_with_names(
    does: EvaluateHandlers, host: Host, runs: IdleRuns
) -> None:
    name = _done_suite(does, host, runs)
    vote = make_vote(host, TAB, "tabs", COMPARE, Boards())
    event = _event(id=name, prompt=0, repeat=0, known=True)
    assert "alpha" in str(asyncio.run(vote(event, _visitor()))["board"])
