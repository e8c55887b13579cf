"""What happens in the Hub's tab, and at which event."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from comparator.core.exceptions import ConfigurationError
from comparator.core.models import ModelType
from comparator.core.text import with_controls_shown
from comparator.core.units import fine_size
from comparator.hosting.library import download_fit
from comparator.hub import catalogue, selection
from comparator.hub.downloads import Downloads
from comparator.library.labels import ENGINE_NAMES
from comparator.services.memory_manager import MemoryManager
from comparator.ui import adapter
from comparator.ui.events import QUIET, Handler, Updates, Values, telling
from comparator.ui.hub import render
from comparator.ui.hub.tab import HubTab
from comparator.ui.language import text
from comparator.ui.threads import in_thread

PICK_FIRST = "Search first, and press a line of the table."
_MOST_TEXT = 200

Measure = Callable[[], download_fit.DownloadRoom]


@dataclass(frozen=True)
class HubHandlers:
    """Every handler of the tab."""

    search: Handler
    look: Handler
    fetch: Handler
    cancel: Handler
    status: Handler


def wire_hub_tab(page: Any, tab: HubTab, downloads: Downloads, memory: MemoryManager) -> None:
    """Let the tab's events call its handlers.

    Args:
        page: the ``gr.Blocks``, whose load shows the downloads under way.
        tab: the tab's widgets.
        downloads: the server's, not a session's: a page that is loaded again finds them.
        memory: says what may fit, beside each choice.
    """
    does = make_hub_handlers(tab, downloads, memory)
    asked = {tab.text, tab.engine, tab.licence, tab.largest}
    found = [tab.note, tab.results, tab.repository, tab.choice]
    status = [tab.downloads, tab.timer, tab.arrived]
    for event in (tab.search.click, tab.text.submit):
        event(does.search, asked, found, concurrency_limit=4, **QUIET)
    tab.results.look_closer(does.look, None, [tab.note, tab.repository, tab.choice], **QUIET)
    tab.fetch.click(does.fetch, {tab.repository, tab.choice}, [tab.note, *status], **QUIET)
    tab.downloads.cancel_download(does.cancel, None, status, queue=False, **QUIET)
    tab.timer.tick(does.status, None, status, queue=False, **QUIET)
    page.load(_make_begin(does.status, tab), None, status[:2], queue=False, **QUIET)


def _make_begin(status: Handler, tab: HubTab) -> Handler:
    """Return the handler of the page's beginning: what came before it is no news to the lists.

    A second look at the models would otherwise choose some while the page's first one still does.
    """

    def begin() -> Updates:
        return {widget: value for widget, value in status().items() if widget is not tab.arrived}

    return begin


def make_hub_handlers(tab: HubTab, downloads: Downloads, memory: MemoryManager) -> HubHandlers:
    """Return the handlers over one server's downloads and the memory that models may use."""
    search, look = _make_search(tab, lambda: download_fit.measure(downloads.models_dir, memory))
    fetch, cancel, status = _make_fetch(tab, downloads)
    return HubHandlers(search, look, fetch, cancel, status)


def _make_search(tab: HubTab, room: Measure) -> tuple[Handler, Handler]:
    def nothing_chosen(note: str = "") -> Updates:
        return {tab.note: note, tab.repository: None, tab.choice: _no_choice()}

    @telling(lambda sentence: {**nothing_chosen(render.note(sentence)), tab.results: ""})
    async def search(values: Values) -> Updates:
        text = str(values[tab.text] or "").strip()[:_MOST_TEXT]
        if "/" in text:
            return {tab.results: "", **await in_thread(_look, tab, room, text)}
        found = await in_thread(_search, tab, values, text)
        if not found:
            return {tab.results: "", **nothing_chosen(render.nothing_found())}
        return {tab.results: render.results(found), **nothing_chosen()}

    @telling(lambda sentence: nothing_chosen(render.note(sentence)))
    async def look(event: gr.EventData) -> Updates:
        """Choose the repository whose name the event carries."""
        return await in_thread(_look, tab, room, _carried(event))

    return search, look


def _make_fetch(tab: HubTab, downloads: Downloads) -> tuple[Handler, Handler, Handler]:
    def how_they_stand() -> Updates:
        """Show the downloads, whether the clock goes on, and which models have come."""
        statuses = downloads.statuses()
        return {
            tab.downloads: render.downloads(statuses),
            tab.timer: gr.Timer(active=not downloads.are_over()),
            tab.arrived: " ".join(status.id for status in statuses if status.state == "done"),
        }

    @telling(lambda sentence: {tab.note: render.note(sentence), **how_they_stand()})
    async def fetch(values: Values) -> Updates:
        repository, name = values[tab.repository], values[tab.choice]
        await in_thread(_fetch, downloads, repository, name)
        return {tab.note: "", **how_they_stand()}

    def cancel(event: gr.EventData) -> Updates:
        """End the download whose id the event carries."""
        downloads.cancel(_carried(event))
        return how_they_stand()

    def status() -> Updates:
        return how_they_stand()

    return fetch, cancel, status


def _search(tab: HubTab, values: Values, text: str) -> list[catalogue.SearchHit]:
    engine, licence = values[tab.engine], str(values[tab.licence] or "").strip()
    return catalogue.search(
        text, ModelType(engine) if engine else None, licence or None, _bytes(values[tab.largest])
    )


def _look(tab: HubTab, measure: Measure, name: str) -> Updates:
    repository = catalogue.look(name)
    default = selection.pick(repository.choices, None, repository.id)
    room = measure()
    options = [(_option(choice, room), choice.name) for choice in repository.choices]
    label = f"{text('hub.choice_of')} {repository.id}"
    return {
        tab.note: render.repository_note(repository.licence, room.sentence()),
        tab.repository: repository,
        tab.choice: gr.update(choices=options, value=default.name, label=label),
    }


def _option(choice: selection.Offer, room: download_fit.DownloadRoom) -> str:
    name, engine = with_controls_shown(choice.name), ENGINE_NAMES[choice.engine.value]
    return f"{name} · {engine} · {fine_size(choice.size)} · {_fit(room.word_for(choice))}"


def _fit(word: str) -> str:
    """Return how a choice fits, in the reader's language where a word says it all."""
    return f"{text(f'library.fit_{word}')}" if word in ("fits", "tight") else word


def _fetch(downloads: Downloads, repository: Any, name: Any) -> None:
    if not isinstance(repository, catalogue.Repository) or not name:
        raise ConfigurationError(PICK_FIRST)
    downloads.start(repository, selection.pick(repository.choices, str(name), repository.id))


def _no_choice() -> Any:
    """Return the update of an empty list of choices."""
    return gr.update(choices=[], value=None, label=text("hub.choice"))


def _carried(event: gr.EventData) -> str:
    """Return the id that an event of the page's script carries; it may hold anything."""
    said = adapter.carried(event, "id")
    return said[:_MOST_TEXT] if isinstance(said, str) else ""


def _bytes(gigabytes: Any) -> int | None:
    text = str(gigabytes or "").strip().replace(",", ".")
    if not text:
        return None
    try:
        size = float(text) * 1e9
    except ValueError:
        size = math.nan
    if not 0 < size < 1e15:
        raise ConfigurationError(f"{text!r} is no size. Give gigabytes, such as 1.5, or nothing.")
    return round(size)
