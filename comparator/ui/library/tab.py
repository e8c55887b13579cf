"""The widgets of the library's tab."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from comparator.library.quantisations import OFFERED
from comparator.ui.events import Widget
from comparator.ui.language import script, text
from comparator.ui.static_files import static_text
from comparator.ui.worded import worded

SCRIPTS = ("library_lists.js", "library.js")
PROPOSED = ("Q8_0", "Q4_K_M", "Q2_K")


@dataclass(frozen=True)
class MakingPanel:
    """The panel in which quantisations are chosen and made; ``ladder`` holds what is planned."""

    panel: Widget
    title: Widget
    wanted: Widget
    check: Widget
    make: Widget
    cancel: Widget
    shut: Widget
    news: Widget
    model: Widget
    ladder: Widget


@dataclass(frozen=True)
class RemovalPanel:
    """The panel that asks before anything is deleted; ``plans`` holds what would be."""

    panel: Widget
    question: Widget
    agree: Widget
    keep: Widget
    plans: Widget


@dataclass(frozen=True)
class LibraryTab:
    """The widgets of the tab; the two panels are None on a public page."""

    tab: Widget
    table: Widget
    note: Widget
    detail: Widget
    making: MakingPanel | None
    removal: RemovalPanel | None


def build_library_tab(is_public: bool) -> LibraryTab:
    """Build the tab inside the page's ``gr.Tabs``."""
    with gr.Tab(text("library.tab"), id="library", elem_id="library-tab") as tab:
        table = gr.HTML(
            None,
            html_template='<div id="library-root"></div>',
            js_on_load=f"{script()}\n{static_text(*SCRIPTS)}",
            apply_default_css=False,
            padding=False,
            elem_id="library",
        )
        note = worded(elem_id="library-notes")
        making = None if is_public else _making_panel()
        removal = None if is_public else _removal_panel()
        detail = worded(elem_id="library-detail")
    return LibraryTab(tab, table, note, detail, making, removal)


def _making_panel() -> MakingPanel:
    with gr.Column(visible=False, elem_id="making", elem_classes="library-panel") as panel:
        title = worded()
        wanted = gr.CheckboxGroup(
            list(OFFERED), value=list(PROPOSED), label=text("library.wanted"), elem_id="wanted"
        )
        news = worded(elem_id="making-news")
        with gr.Row():
            check = gr.Button(text("library.check"), elem_id="check-sizes", size="sm", scale=0)
            make = gr.Button(
                text("library.make"),
                variant="primary",
                elem_id="make",
                size="sm",
                scale=0,
                visible=False,
            )
            cancel = gr.Button(
                text("library.cancel"),
                variant="stop",
                elem_id="cancel",
                size="sm",
                scale=0,
                visible=False,
            )
            shut = gr.Button(text("library.close"), elem_id="close-making", size="sm", scale=0)
    return MakingPanel(
        panel, title, wanted, check, make, cancel, shut, news, gr.State([]), gr.State(None)
    )


def _removal_panel() -> RemovalPanel:
    with gr.Column(visible=False, elem_id="removal", elem_classes="library-panel") as panel:
        question = worded(elem_id="removal-question")
        with gr.Row():
            agree = gr.Button(
                text("library.remove"), variant="stop", elem_id="agree", size="sm", scale=0
            )
            keep = gr.Button(text("library.keep"), elem_id="keep", size="sm", scale=0)
    return RemovalPanel(panel, question, agree, keep, gr.State(None))
