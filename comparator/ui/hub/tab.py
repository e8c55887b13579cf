"""The widgets of the tab that brings models from the Hub. Not on a public page."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from comparator.ui.events import Widget
from comparator.ui.static_files import static_text

TICK_SECONDS = 1.0
ENGINES = [("any", ""), ("GGUF", "gguf"), ("PyTorch", "pytorch")]


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
    with gr.Tab("Get models", id="hub", elem_id="hub-tab"):
        return _widgets()


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


def _pressable(name: str) -> Widget:
    """Return an element for HTML whose buttons tell an event and an id."""
    return gr.HTML(
        "",
        html_template="${value}",
        js_on_load=static_text("hub.js"),
        padding=False,
        elem_id=name,
    )


def _search_row() -> tuple[Widget, Widget, Widget, Widget, Widget]:
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
