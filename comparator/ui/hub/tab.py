"""The page's tab for the Hub: search, choose, download, cancel. Not on a public page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from comparator.hub.downloads import Downloads
from comparator.services.memory_manager import MemoryManager
from comparator.ui.hub.handlers import HubHandlers, make_hub_handlers

TICK_SECONDS = 1.0
ENGINES = [("any", ""), ("GGUF", "gguf"), ("PyTorch", "pytorch")]
_SCRIPT = Path(__file__).parents[1] / "static" / "hub.js"


@dataclass(frozen=True)
class HubTab:
    """The tab's widgets.

    Attributes:
        arrived: its value changes when a model has come; what lists models hears ``change``.
    """

    text: Any
    engine: Any
    licence: Any
    largest: Any
    search: Any
    note: Any
    results: Any
    repository: Any
    choice: Any
    fetch: Any
    downloads: Any
    timer: Any
    arrived: Any


def build(page: Any, downloads: Downloads, memory: MemoryManager, is_public: bool) -> HubTab | None:
    """Put the tab's widgets into the block that is open, and wire them.

    Args:
        page: the ``gr.Blocks`` that it belongs to, whose load shows the downloads under way.
        downloads: the server's, not a session's: a page that is loaded again finds them.
        memory: says what may fit, beside each choice.
        is_public: whether strangers may see the page; then there is no such tab, and None.
    """
    if is_public:
        return None
    tab = _widgets()
    _wire(page, tab, make_hub_handlers(downloads, memory))
    return tab


def _widgets() -> HubTab:
    text, engine, licence, largest, search = _search_row()
    note = gr.HTML("", padding=False, elem_id="hub-note")
    results = _pressable("hub-results")
    with gr.Row(equal_height=True, elem_id="hub-choose"):
        choice = gr.Dropdown(
            [], label="What to fetch", min_width=320, scale=4, elem_id="hub-choice"
        )
        fetch = gr.Button("Download", variant="primary", min_width=120, elem_id="hub-fetch")
    downloads = _pressable("hub-downloads")
    return HubTab(
        text=text,
        engine=engine,
        licence=licence,
        largest=largest,
        search=search,
        note=note,
        results=results,
        repository=gr.State(None),
        choice=choice,
        fetch=fetch,
        downloads=downloads,
        timer=gr.Timer(TICK_SECONDS, active=False),
        # Not a State: answers outside the queue do not tell the browser that one has changed.
        arrived=gr.Textbox(visible="hidden", elem_id="hub-arrived"),
    )


def _pressable(name: str) -> Any:
    """Return an element for HTML whose buttons tell an event and an id."""
    return gr.HTML(
        "",
        html_template="${value}",
        js_on_load=_SCRIPT.read_text(encoding="utf-8"),
        padding=False,
        elem_id=name,
    )


def _search_row() -> tuple[Any, Any, Any, Any, Any]:
    with gr.Row(equal_height=True, elem_id="hub-search"):
        text = gr.Textbox(
            label="Search the Hugging Face Hub, or name a repository",
            placeholder="SmolLM2 GGUF, or ORG/NAME",
            lines=1,
            max_lines=1,
            min_width=320,
            scale=4,
            elem_id="hub-text",
        )
        engine = gr.Dropdown(ENGINES, value="", label="Engine", min_width=110, elem_id="hub-engine")
        licence = gr.Textbox(
            label="Licence", placeholder="any", lines=1, max_lines=1, min_width=110,
            elem_id="hub-licence",
        )  # fmt: skip
        largest = gr.Textbox(
            label="At most (GB)", placeholder="any", lines=1, max_lines=1, min_width=90,
            elem_id="hub-largest",
        )  # fmt: skip
        search = gr.Button("Search", min_width=96, scale=0, elem_id="hub-go")
    return text, engine, licence, largest, search


def _wire(page: Any, tab: HubTab, handlers: HubHandlers) -> None:
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    asked = [tab.text, tab.engine, tab.licence, tab.largest]
    found = [tab.note, tab.results, tab.repository, tab.choice]
    status = [tab.downloads, tab.timer, tab.arrived]
    for event in (tab.search.click, tab.text.submit):
        event(handlers.search, asked, found, concurrency_limit=4, **quiet)
    tab.results.look_closer(handlers.look, None, [tab.note, tab.repository, tab.choice], **quiet)
    tab.fetch.click(handlers.fetch, [tab.repository, tab.choice], [tab.note, *status], **quiet)
    tab.downloads.cancel_download(handlers.cancel, None, status, queue=False, **quiet)
    tab.timer.tick(handlers.status, None, status, queue=False, **quiet)
    page.load(handlers.status, None, status, queue=False, **quiet)
