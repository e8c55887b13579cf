"""The widgets of the tab that brings models from the Hub. Not on a public page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from comparator.ui.events import Widget
from comparator.ui.language import text as text_of
from comparator.ui.worded import said, worded

TICK_SECONDS = 1.0
ENGINES = [("GGUF", "gguf"), ("PyTorch", "pytorch")]


@dataclass(frozen=True)
class HubTab:
    """The tab's widgets.

    Attributes:
        arrived: its value changes when a model has come; what lists models hears ``change``.
    """

    text: Widget
    engine: Widget
    licence: Widget
    largest: Widget
    search: Widget
    note: Widget
    results: Widget
    repository: Widget
    choice: Widget
    fetch: Widget
    downloads: Widget
    timer: Widget
    arrived: Widget


def build_hub_tab() -> HubTab:
    """Build the tab inside the page's ``gr.Tabs``."""
    with gr.Tab(text_of("hub.tab"), id="hub", elem_id="hub-tab"):
        return _widgets()


def _widgets() -> HubTab:
    worded(f'<h2 class="unseen">{said("hub.tab")}</h2>')
    text, engine, licence, largest, search = _search_row()
    note = worded(begin(), elem_id="hub-note")
    results = _pressable("hub-results")
    with gr.Row(equal_height=True, elem_id="hub-choose"):
        choice = gr.Dropdown(
            [], label=text_of("hub.choice"), min_width=320, scale=4, elem_id="hub-choice"
        )
        fetch = gr.Button(
            text_of("hub.fetch"), variant="primary", min_width=120, elem_id="hub-fetch"
        )
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


def _pressable(name: str) -> Widget:
    """Return an element for HTML whose buttons tell an event and an id."""
    return worded(scripts=("hub.js",), elem_id=name)


def begin() -> str:
    """Return what to do in the tab, while nothing was searched."""
    return f'<p class="hub-calm">{said("hub.begin_here")}</p>'


def _search_row() -> tuple[Widget, Widget, Widget, Widget, Widget]:
    with gr.Row(equal_height=True, elem_id="hub-search"):
        text = gr.Textbox(
            label=text_of("hub.search_words"),
            placeholder=text_of("hub.search_example"),
            lines=1,
            max_lines=1,
            min_width=320,
            scale=4,
            elem_id="hub-text",
        )
        engines = [(text_of("hub.any"), ""), *ENGINES]
        engine = gr.Dropdown(
            engines, value="", label=text_of("hub.engine"), min_width=110, elem_id="hub-engine"
        )
        licence = _short("hub-licence", text_of("hub.licence"), 110)
        largest = _short("hub-largest", text_of("hub.largest"), 90)
        search = gr.Button(text_of("hub.search"), min_width=96, scale=0, elem_id="hub-go")
    return text, engine, licence, largest, search


def _short(name: str, label: Any, width: int) -> Widget:
    """Return a narrow field that may stay empty."""
    return gr.Textbox(
        label=label,
        placeholder=text_of("hub.any"),
        lines=1,
        max_lines=1,
        min_width=width,
        elem_id=name,
    )
