"""How the page is opened, and what of Gradio's own habits it changes."""

from __future__ import annotations

import asyncio
import importlib
import sys
from pathlib import Path

import gradio as gr
import pytest

from comparator.hosting.options import ServerOptions
from comparator.ui import adapter, server
from comparator.ui.adapter import in_a_loop


def test_gradio_makes_no_loops_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[asyncio.AbstractEventLoop] = []
    new_event_loop = asyncio.new_event_loop

    def new() -> asyncio.AbstractEventLoop:
        made.append(new_event_loop())
        return made[-1]

    monkeypatch.setattr(asyncio, "new_event_loop", new)
    page = in_a_loop(gr.Blocks)
    assert isinstance(page, gr.Blocks)
    assert [loop.is_closed() for loop in made] == [True]


@pytest.mark.parametrize("kind", [SystemExit, KeyboardInterrupt, ValueError])
def test_what_ends_the_work_comes_out(kind: type[BaseException]) -> None:
    def work() -> None:
        raise kind(7)

    with pytest.raises(kind, match="7"):
        in_a_loop(work)


def test_the_installed_gradio_has_the_pauses_that_are_lengthened() -> None:
    page = in_a_loop(lambda: gr.Blocks().queue())
    own = (page._queue.sleep_when_free, page._queue.progress_update_sleep_when_free)
    adapter.look_less_often(page)
    new = (page._queue.sleep_when_free, page._queue.progress_update_sleep_when_free)
    assert new[0] > own[0]
    assert new[1] > own[1]


@pytest.mark.parametrize("installed", [False, True])
def test_no_plots_are_looked_for_where_none_can_be_made(
    installed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: object() if installed else None, raising=True
    )
    monkeypatch.setitem(sys.modules, "matplotlib", sys)  # so that it is put back afterwards
    adapter.look_for_no_plots()
    if installed:
        assert importlib.import_module("matplotlib") is sys
    else:
        with pytest.raises(ImportError):
            importlib.import_module("matplotlib")


@pytest.mark.parametrize("on_space", [False, True])
@pytest.mark.parametrize(("auth", "warns"), [("", True), ("anna:secret", False)])
def test_a_public_page_without_log_in_says_so(
    on_space: bool, auth: str, warns: bool,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("COMPARATOR_AUTH", auth)
    if on_space:
        monkeypatch.setenv("SPACE_ID", "anna/comparator")
    settings = ServerOptions(Path("models"), public=not on_space)
    server._tell_where(settings, "http://localhost:7860/", None)
    assert ("nobody has to log in" in capsys.readouterr().err) is warns
