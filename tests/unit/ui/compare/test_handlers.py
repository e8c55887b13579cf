"""The page's handlers, called without a server on a host that starts nothing."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest
from gradio.utils import diff

from comparator.comparison.comparison import Comparison
from comparator.comparison.request import Request, Slot
from comparator.core.config import ModelConfig
from comparator.core.conversation import Conversation
from comparator.core.exceptions import ConfigurationError, ModelLoadError
from comparator.core.models import ModelInfo, ModelType
from comparator.hosting.requests import RequestDraft
from comparator.hosting.session import BusyError
from comparator.hosting.voting import Voting
from comparator.library.changes.starter import StarterProgress
from comparator.library.shelf import Shelf
from comparator.ui.compare.handlers import CompareHandlers, make_compare_handlers
from comparator.ui.compare.tab import CompareTab
from comparator.ui.model_lists import ModelLists
from runners import protocol

MODEL = ModelInfo("a", "alpha", "/a.echo.json", ModelType.ECHO, 10)
MODELS = [f"model {letter}" for letter in "abcd"]
SETTINGS = ("temperature", "seed", "n_threads", "stop", "greedy")
# Handlers know widgets as keys alone, so that a name does for each of them.
TAB = CompareTab(
    lists=ModelLists(MODELS, "catalogue", "unusable", "starter panel"),
    slots="slots",
    refresh="refresh",
    starter_button="starter button",
    starter_progress="starter progress",
    prompt="prompt",
    system_prompt="system prompt",
    run="run",
    stop="stop",
    together="together",
    settings={name: name for name in SETTINGS},
    board="board",
)
FORM = {
    "stop": "",  # in no order of the page
    **dict.fromkeys(MODELS),
    "slots": {"own": [{}, {"min_p": 0.1}]},
    MODELS[1]: "a",
    "greedy": False,
    "temperature": 0.7,
    "seed": "",
    "n_threads": "",
    "prompt": "hi",
    "system prompt": "",
    "together": False,
}
VISITOR = SimpleNamespace(session_hash="visitor")


class FakeSession:
    """A comparison to which a test tells what its children would have told."""

    def __init__(self, on_news: Callable[[], None], columns: int = 2) -> None:
        slots = [Slot(MODEL, ModelConfig()) for _ in range(columns)]
        self.comparison = Comparison(Request(Conversation.of("hi"), slots), on_news)
        self.on_news = on_news
        self.trouble: str | None = None
        self.waits_for = ""
        self.position = 0
        self.stops = 0
        self.is_to_be_kept = False
        self.kept_as: str | None = None

    @property
    def is_complete(self) -> bool:
        return self.comparison.is_complete

    def stop(self) -> None:
        self.stops += 1

    def tell(self, slot: int, *messages: protocol.Message) -> None:
        for message in messages:
            self.comparison._tell(slot, message)


class FakeHost:
    """A host whose answers a test chooses."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.models = [MODEL]
        history: Any = SimpleNamespace(is_on=True)
        self.voting = Voting(history)
        self.session: FakeSession | None = None
        self.asked_again: list[tuple[str, Comparison, int, int]] = []
        self.draft: RequestDraft | None = None
        self.stopped: list[tuple[str, int | None]] = []

    def begin(
        self,
        session: str,
        draft: RequestDraft,
        on_news: Callable[[], None],
        visitor: str,
        browser: str,
    ) -> FakeSession:
        if self.error:
            raise self.error
        self.draft = draft
        self.session = FakeSession(on_news)
        return self.session

    def again(
        self,
        session: str,
        earlier: Comparison,
        slot: int,
        column: int,
        on_news: Callable[[], None],
        visitor: str,
        browser: str,
        beside: str | None,
    ) -> FakeSession:
        if self.error:
            raise self.error
        self.asked_again.append((session, earlier, slot, column))
        self.session = FakeSession(on_news, 1)
        return self.session

    def stop(self, session: str, slot: int | None = None) -> bool:
        self.stopped.append((session, slot))
        return True

    def shelf(self) -> Shelf:
        return Shelf(list(self.models))

    def install_starter(self, on_progress: Callable[[StarterProgress], None]) -> None:
        on_progress(StarterProgress("Making Q8_0", 1, 2, 0.5))
        if self.error:
            raise self.error


END = (protocol.Answered("stop", 1, 0.2), protocol.Finished(0.2))


def _handlers(host: FakeHost) -> CompareHandlers:
    return make_compare_handlers(host, TAB)  # type: ignore[arg-type]


async def _next(stream: AsyncIterator[Any]) -> Any:
    """Return what the board shows next."""
    updates = await asyncio.wait_for(stream.__anext__(), 5)
    return updates.get("board", updates)


def test_a_run_from_the_line_to_its_end() -> None:
    async def live() -> None:
        host = FakeHost()
        stream = _handlers(host).run(FORM, VISITOR)
        view = await _next(stream)
        session = host.session
        assert session is not None
        assert [column["state"] for column in view["columns"]] == ["waiting", "waiting"]
        session.position = 2
        session.on_news()
        view = await _next(stream)
        assert (view["position"], view["note"]) == (2, "")
        session.position = 0
        session.tell(0, protocol.Token("Hel", 1, 0.1), protocol.Token("lo", 2, 0.2))
        view = await _next(stream)
        assert view["position"] == 0
        assert view["columns"][0]["text"] == "Hello"
        session.tell(0, protocol.Answered("stop", 2, 0.2), protocol.Finished(0.2))
        session.tell(1, protocol.Failed("load", "load", "The file is damaged."))
        view = await _next(stream)
        assert [column["state"] for column in view["columns"]] == ["done", "failed"]
        assert view["columns"][1]["error"] == "The file is damaged."
        assert not view["running"]
        with pytest.raises(StopAsyncIteration):
            await _next(stream)
        assert session.stops == 1

    asyncio.run(live())


def test_only_what_changed_is_made_anew() -> None:
    async def live() -> None:
        host = FakeHost()
        stream = _handlers(host).run(FORM, VISITOR)
        first = await _next(stream)
        assert (await _next(stream)) is first  # nothing came: the same view, no difference
        assert host.session is not None
        host.session.tell(1, protocol.Token("x", 1, 0.1))
        second = await _next(stream)
        assert second["columns"][0] is first["columns"][0]
        assert second["columns"][1] != first["columns"][1]
        assert first["columns"][1]["text"] == ""  # what was sent is never changed later
        await stream.aclose()

    asyncio.run(live())


def test_a_closed_tab_only_signals() -> None:
    async def live() -> None:
        host = FakeHost()
        stream = _handlers(host).run(FORM, VISITOR)
        await _next(stream)
        await stream.aclose()
        assert host.session is not None
        assert host.session.stops == 1

    asyncio.run(live())


def test_the_form_becomes_a_draft() -> None:
    async def live() -> None:
        host = FakeHost()
        stream = _handlers(host).run(FORM, VISITOR)
        await _next(stream)
        await stream.aclose()
        assert host.draft is not None
        assert host.draft.prompt == "hi"
        (slot,) = host.draft.slots
        assert (slot.model, slot.settings) == ("a", {"min_p": 0.1})
        assert host.draft.settings == {
            "temperature": 0.7,
            "seed": None,
            "n_threads": None,
            "stop": [],
            "do_sample": True,
        }

    asyncio.run(live())


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConfigurationError("Type a prompt first; it is empty."), "Type a prompt first"),
        (KeyError("secret detail"), "Something went wrong inside the page"),
    ],
)
def test_a_refused_question_is_a_sentence(error: Exception, words: str) -> None:
    async def live() -> None:
        stream = _handlers(FakeHost(error)).run(FORM, VISITOR)
        view = await _next(stream)
        assert words in view["refused"]
        assert "secret" not in str(view)
        with pytest.raises(StopAsyncIteration):
            await _next(stream)

    asyncio.run(live())


def test_run_while_running_leaves_the_board_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(gr, "Info", lambda text, duration: said.append(text))

    async def live() -> None:
        stream = _handlers(FakeHost(BusyError("Your comparison is still running."))).run(
            FORM, VISITOR
        )
        assert await _next(stream) == gr.skip()

    asyncio.run(live())
    assert said == ["Your comparison is still running."]


async def _failed_run(host: FakeHost, handlers: CompareHandlers) -> Comparison:
    """Run a comparison whose first column answers and whose second one fails."""
    stream = handlers.run(FORM, VISITOR)
    await _next(stream)
    assert host.session is not None
    host.session.tell(0, protocol.Token("Hello", 1, 0.1), *END)
    host.session.tell(1, protocol.Token("Oh", 1, 0.1), protocol.Failed("load", "load", "Broken."))
    async for _view in stream:
        pass
    return host.session.comparison


def test_a_retry_fills_its_column_anew_and_leaves_the_others() -> None:
    async def live() -> None:
        host = FakeHost()
        handlers = _handlers(host)
        earlier = await _failed_run(host, handlers)
        stream = handlers.retry(gr.EventData(None, {"slot": 1}), VISITOR)
        view = await _next(stream)
        assert host.asked_again == [("visitor", earlier, 1, 1)]
        assert view["running"]
        assert [column["state"] for column in view["columns"]] == ["done", "waiting"]
        assert [column["attempt"] for column in view["columns"]] == [0, 1]
        assert host.session is not None
        host.session.tell(0, protocol.Token("Now", 1, 0.1), *END)
        view = await _next(stream)
        assert [column["text"] for column in view["columns"]] == ["Hello", "Now"]
        assert [column["attempt"] for column in view["columns"]] == [0, 1]
        assert not view["running"]
        with pytest.raises(StopAsyncIteration):
            await _next(stream)
        assert host.session.stops == 1
        again = handlers.retry(gr.EventData(None, {"slot": 1}), VISITOR)
        await _next(again)
        assert host.asked_again[1][1:] == (host.asked_again[1][1], 0, 1)  # slot 0 of the retry
        await again.aclose()

    asyncio.run(live())


def test_a_retry_of_nothing_is_a_sentence() -> None:
    async def live() -> None:
        host = FakeHost()
        handlers = _handlers(host)
        for data in ({"slot": 0}, {"slot": 9}, {"slot": True}, {}, None):
            view = await _next(handlers.retry(gr.EventData(None, data), VISITOR))
            assert "not known any more" in view["refused"]
        await _failed_run(host, handlers)
        stranger = SimpleNamespace(session_hash="stranger")
        view = await _next(handlers.retry(gr.EventData(None, {"slot": 1}), stranger))
        assert "not known any more" in view["refused"]
        assert host.asked_again == []

    asyncio.run(live())


def test_stop_acts_on_the_visitors_own_session() -> None:
    host = FakeHost()
    handlers = _handlers(host)
    handlers.stop(VISITOR)
    handlers.stop_column(gr.EventData(None, {"slot": 2}), VISITOR)
    for bad in ({"slot": 9}, {"slot": "1"}, {}, None):
        handlers.stop_column(gr.EventData(None, bad), VISITOR)
    handlers.leave(VISITOR)
    assert host.stopped == [("visitor", None), ("visitor", 2), ("visitor", None)]


def test_every_view_is_whole_and_the_next_one_costs_what_is_new() -> None:
    async def live() -> None:
        host = FakeHost()
        stream = _handlers(host).run(FORM, VISITOR)
        view = await _next(stream)
        assert host.session is not None
        written = ""
        for number in range(1, 40):
            piece = f"{number} \x1b" * 100
            host.session.tell(0, protocol.Token(piece, number, 0.1 * number))
            written += piece.replace("\x1b", "\\x1b")
            before, view = view, await _next(stream)
            assert view["columns"][0]["text"] == written
            edits = diff(before, view)  # what Gradio sends to the browser
            assert ["append", ["columns", 0, "text"], piece.replace("\x1b", "\\x1b")] in edits
            assert len(json.dumps(edits)) < 2 * len(piece.replace("\x1b", "\\x1b")) + 500
        await stream.aclose()

    asyncio.run(live())


def test_installing_shows_progress_and_then_the_models() -> None:
    async def live() -> list[Any]:
        return [update async for update in _handlers(FakeHost()).install()]

    updates = asyncio.run(live())
    assert updates[-1]["model a"]["value"] == "a"
    assert updates[-1]["starter progress"] == ""
    assert "<progress" in updates[0]["starter progress"]


def test_an_installation_that_fails_says_why() -> None:
    async def live() -> list[Any]:
        return [u async for u in _handlers(FakeHost(ModelLoadError("Disk full."))).install()]

    assert "Disk full." in asyncio.run(live())[-1]["starter progress"]
