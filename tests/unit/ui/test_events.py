"""What the errors of an event become, and when it ends."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

import gradio as gr
import pytest

from comparator.core.exceptions import ConfigurationError
from comparator.hosting.errors import UNEXPECTED
from comparator.hosting.session import BusyError
from comparator.ui.events import Handler, Updates, Values, telling

telling_on_note = telling(lambda sentence: {"note": sentence})


def call(error: BaseException | None) -> Handler:
    @telling_on_note
    def handler(values: Values) -> Updates:
        if error:
            raise error
        return {"note": values["text"]}

    return handler


def coroutine(error: BaseException | None) -> Handler:
    @telling_on_note
    async def handler(values: Values) -> Updates:
        if error:
            raise error
        return {"note": values["text"]}

    return lambda values: asyncio.run(handler(values))


def stream(error: BaseException | None) -> Handler:
    @telling_on_note
    async def handler(values: Values) -> AsyncIterator[Updates]:
        yield {"note": "first"}
        if error:
            raise error
        yield {"note": values["text"]}

    async def last(values: Values) -> Updates:
        first, *_, end = [updates async for updates in handler(values)]
        assert first == {"note": "first"}
        return end

    return lambda values: asyncio.run(last(values))


@pytest.fixture(params=[call, coroutine, stream], ids=lambda kind: kind.__name__)
def kind(request: pytest.FixtureRequest) -> Callable[[BaseException | None], Handler]:
    return request.param  # type: ignore[no-any-return]


Kind = Callable[[BaseException | None], Handler]


def test_what_goes_well_is_passed_on(kind: Kind) -> None:
    assert kind(None)({"text": "well"}) == {"note": "well"}


def test_an_error_is_its_sentence(kind: Kind, caplog: pytest.LogCaptureFixture) -> None:
    assert kind(ConfigurationError("It is empty."))({}) == {"note": "It is empty."}
    assert caplog.text == ""


def test_what_nobody_expected_goes_to_the_log_alone(
    kind: Kind, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR):
        assert kind(KeyError("a secret detail"))({}) == {"note": UNEXPECTED}
    assert "a secret detail" in caplog.text
    assert "Traceback" in caplog.text


def test_while_busy_what_is_shown_stays(kind: Kind, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(gr, "Info", lambda text, duration: said.append(text))
    assert kind(BusyError("It goes on."))({}) == gr.skip()
    assert said == ["It goes on."]


def test_what_gradio_shows_itself_is_left_to_it(kind: Kind) -> None:
    with pytest.raises(gr.Error, match="no session"):
        kind(gr.Error("no session"))({})


@pytest.mark.parametrize("end", [asyncio.CancelledError, KeyboardInterrupt])
def test_what_is_cancelled_stays_so(kind: Kind, end: type[BaseException]) -> None:
    with pytest.raises(end):
        kind(end())({})


def test_a_stream_that_is_closed_ends_before_close_returns() -> None:
    ends: list[str] = []

    @telling_on_note
    async def handler() -> AsyncIterator[Updates]:
        try:
            yield {"note": "first"}
        finally:
            ends.append("closed")

    async def live() -> None:
        updates: Any = handler()
        await updates.__anext__()
        await updates.aclose()
        assert ends == ["closed"]

    asyncio.run(live())


def test_gradio_sees_the_handlers_own_kind_and_arguments() -> None:
    @telling_on_note
    async def handler(values: Values, request: gr.Request) -> AsyncIterator[Updates]:
        yield {}

    assert inspect.isasyncgenfunction(handler)
    assert list(inspect.signature(handler).parameters) == ["values", "request"]
    assert handler.__name__ == "handler"  # its name at Gradio's own interface
