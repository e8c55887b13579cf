"""The page is opened inside an event loop, so that Gradio drops none of its own."""

from __future__ import annotations

import asyncio

import gradio as gr
import pytest

from comparator.ui.serving import _in_a_loop


def test_gradio_makes_no_loops_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[asyncio.AbstractEventLoop] = []
    new_event_loop = asyncio.new_event_loop

    def new() -> asyncio.AbstractEventLoop:
        made.append(new_event_loop())
        return made[-1]

    monkeypatch.setattr(asyncio, "new_event_loop", new)
    page = _in_a_loop(gr.Blocks)
    assert isinstance(page, gr.Blocks)
    assert [loop.is_closed() for loop in made] == [True]


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, ValueError])
def test_what_ends_the_work_comes_out(kind: type[BaseException]) -> None:
    def work() -> None:
        raise kind(7)

    with pytest.raises(kind, match="7"):
        _in_a_loop(work)
