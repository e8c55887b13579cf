"""The tab of the library: its widgets, and which handler hears which of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from comparator.hosting.host import Host
from comparator.library.quantisations import OFFERED
from comparator.ui.library.handlers import OwnHandlers, make_library_handlers, make_own_handlers

STATIC = Path(__file__).parents[1] / "static"
SCRIPTS = ("library_lists.js", "library.js")
PROPOSED = ("Q8_0", "Q4_K_M", "Q2_K")
QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
AT_ONCE: dict[str, Any] = {**QUIET, "queue": False}
# Waits of its own, which must not hold up another visitor's.
STREAM: dict[str, Any] = {**QUIET, "concurrency_limit": None, "trigger_mode": "multiple"}


@dataclass(frozen=True)
class MakingPanel:
    """The panel in which quantisations are chosen and made; ``ladder`` holds what is planned."""

    panel: Any
    title: Any
    wanted: Any
    check: Any
    make: Any
    cancel: Any
    shut: Any
    news: Any
    model: Any
    ladder: Any


@dataclass(frozen=True)
class RemovalPanel:
    """The panel that asks before anything is deleted; ``plans`` holds what would be."""

    panel: Any
    question: Any
    agree: Any
    keep: Any
    plans: Any


@dataclass(frozen=True)
class LibraryWidgets:
    """The widgets of the tab; the two panels are None on a public page."""

    tab: Any
    table: Any
    note: Any
    detail: Any
    making: MakingPanel | None
    removal: RemovalPanel | None


def build_library_tab(is_public: bool) -> LibraryWidgets:
    """Build the tab inside the page's ``gr.Tabs``."""
    with gr.Tab("Library", id="library", elem_id="library-tab") as tab:
        table = gr.HTML(
            None,
            html_template='<div id="library-root"></div>',
            js_on_load="\n".join((STATIC / n).read_text(encoding="utf-8") for n in SCRIPTS),
            apply_default_css=False,
            padding=False,
            elem_id="library",
        )
        note = gr.HTML("", padding=False, elem_id="library-notes")
        making = None if is_public else _making_panel()
        removal = None if is_public else _removal_panel()
        detail = gr.HTML("", padding=False, elem_id="library-detail")
    return LibraryWidgets(tab, table, note, detail, making, removal)


def _making_panel() -> MakingPanel:
    with gr.Column(visible=False, elem_id="making", elem_classes="library-panel") as panel:
        title = gr.HTML("", padding=False)
        wanted = gr.CheckboxGroup(
            list(OFFERED), value=list(PROPOSED), label="Quantisations to make", elem_id="wanted"
        )
        news = gr.HTML("", padding=False, elem_id="making-news")
        with gr.Row():
            check = gr.Button("Check sizes", elem_id="check-sizes", size="sm", scale=0)
            make = gr.Button(
                "Make them", variant="primary", elem_id="make", size="sm", scale=0, visible=False
            )
            cancel = gr.Button(
                "Cancel", variant="stop", elem_id="cancel", size="sm", scale=0, visible=False
            )
            shut = gr.Button("Close", elem_id="close-making", size="sm", scale=0)
    return MakingPanel(
        panel, title, wanted, check, make, cancel, shut, news, gr.State([]), gr.State(None)
    )


def _removal_panel() -> RemovalPanel:
    with gr.Column(visible=False, elem_id="removal", elem_classes="library-panel") as panel:
        question = gr.HTML("", padding=False, elem_id="removal-question")
        with gr.Row():
            agree = gr.Button("Remove", variant="stop", elem_id="agree", size="sm", scale=0)
            keep = gr.Button("Keep", elem_id="keep", size="sm", scale=0)
    return RemovalPanel(panel, question, agree, keep, gr.State(None))


def wire_library_tab(
    host: Host, widgets: LibraryWidgets, tabs: Any, models: Sequence[Any], shelf: Sequence[Any]
) -> None:
    """Connect the tab.

    Args:
        host: what the page is served from.
        widgets: the tab's widgets.
        tabs: the page's tabs, to go to the comparison.
        models: the lists of models of the comparison.
        shelf: what is drawn anew when models come or go; the lists of models first.
    """
    handlers = make_library_handlers(host, len(models))
    table, note = widgets.table, widgets.note
    shown = [table, *shelf]
    widgets.tab.select(handlers.rescan, models, shown, api_name="library_open", **STREAM)
    table.rescan(handlers.rescan, models, shown, api_name="library_rescan", **STREAM)
    table.look(handlers.look, None, widgets.detail, api_name="library_look", **AT_ONCE)
    slots = [note, tabs, *models]
    table.compare(handlers.compare, None, slots, api_name="library_compare", **AT_ONCE)
    table.ladder(handlers.ladder, None, slots, api_name="library_ladder", **AT_ONCE)
    if widgets.making is not None and widgets.removal is not None:
        own = make_own_handlers(host)
        _wire_making(widgets, widgets.making, own, handlers.rescan, models, shown)
        _wire_removal(widgets, widgets.removal, own, handlers.rescan, models, shown)


def _wire_making(
    widgets: LibraryWidgets,
    panel: MakingPanel,
    own: OwnHandlers,
    rescan: Any,
    models: Sequence[Any],
    shown: list[Any],
) -> None:
    opened = [widgets.note, panel.panel, panel.title, panel.news, panel.make, panel.model]
    widgets.table.quantise(own.open_making, None, opened, api_name="library_quantise", **AT_ONCE)
    planned = [panel.news, panel.make, panel.ladder]
    asked = [panel.model, panel.wanted]
    panel.check.click(own.plan, asked, planned, api_name="library_plan", **QUIET)
    panel.wanted.change(own.replan, None, planned, api_name="library_replan", **AT_ONCE)
    going = [panel.panel, panel.news, panel.check, panel.make, panel.cancel]
    begun = panel.make.click(own.make, panel.ladder, going, api_name="library_make", **AT_ONCE)
    begun = begun.success(own.follow, None, going, api_name="library_follow", **STREAM)
    begun.success(rescan, models, shown, api_name="library_made", **STREAM)
    # A page that was loaded anew finds the work that goes on.
    widgets.tab.select(own.follow, None, going, api_name="library_find", **STREAM)
    panel.cancel.click(own.cancel, None, None, api_name="library_cancel", **AT_ONCE)
    panel.shut.click(own.shut, None, panel.panel, api_name="library_shut", **AT_ONCE)


def _wire_removal(
    widgets: LibraryWidgets,
    panel: RemovalPanel,
    own: OwnHandlers,
    rescan: Any,
    models: Sequence[Any],
    shown: list[Any],
) -> None:
    asked = [widgets.note, panel.panel, panel.question, panel.plans]
    widgets.table.remove(own.ask_removal, None, asked, api_name="library_ask", **AT_ONCE)
    done = [widgets.note, panel.panel, panel.plans]
    gone = panel.agree.click(
        own.remove, panel.plans, done, api_name="library_remove", concurrency_limit=4, **QUIET
    )
    gone.success(rescan, models, shown, api_name="library_removed", **STREAM)
    panel.keep.click(own.keep, None, done, api_name="library_keep", **AT_ONCE)
