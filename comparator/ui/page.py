"""The page: its heading, its tabs, and the endpoints beside them."""

from __future__ import annotations

from typing import Any

import gradio as gr

from comparator.hosting.host import Host
from comparator.ui.api import add_endpoints
from comparator.ui.compare.boards import Boards
from comparator.ui.compare.exporting import wire_exporting
from comparator.ui.compare.handlers import wire_compare_tab
from comparator.ui.compare.tab import build_compare_tab
from comparator.ui.evaluate.handlers import wire_evaluate_tab
from comparator.ui.evaluate.ratings import wire_ratings
from comparator.ui.evaluate.tab import build_evaluate_tab
from comparator.ui.evaluate.voting import wire_suite_voting
from comparator.ui.events import Widget
from comparator.ui.history.handlers import wire_history_tab
from comparator.ui.history.tab import build_history_tab
from comparator.ui.hub.handlers import wire_hub_tab
from comparator.ui.hub.tab import build_hub_tab
from comparator.ui.library.handlers import wire_library_tab
from comparator.ui.library.tab import build_library_tab
from comparator.ui.model_lists import refresh_at
from comparator.ui.static_files import static_text
from comparator.ui.suite_api import add_suite_endpoints
from comparator.ui.voting_api import add_voting_endpoints
from comparator.ui.worded import said, said_label, worded


def build_page(host: Host) -> Any:
    """Return the page, a ``gr.Blocks``, over a host."""
    with gr.Blocks(title="Multi-LLM Comparator", fill_width=True, analytics_enabled=False) as page:
        unusable = _heading()
        with gr.Tabs(selected="compare", elem_id="tabs") as tabs:
            compare = build_compare_tab(host.options, unusable)
            evaluate = build_evaluate_tab(host)
            history = build_history_tab()
            library = build_library_tab(host.options.is_public)
            # What others can reach brings no models here.
            hub = None if host.downloads is None else build_hub_tab()
        boards = Boards()
        asked = wire_compare_tab(page, host, compare, boards)
        wire_evaluate_tab(page, host, evaluate, compare, asked)
        wire_suite_voting(host, evaluate, tabs, compare, boards)
        wire_history_tab(host, history, tabs, compare, boards)
        taken = (history.table, history.taken_away)
        wire_exporting(host, *taken, boards, "history_take_away")
        wire_ratings(host, evaluate.ratings, tabs, compare)
        wire_library_tab(host, library, tabs, compare.lists)
        if hub is not None and host.downloads is not None:
            wire_hub_tab(page, hub, host.downloads, host.engine.memory_manager)
            refresh_at(hub.arrived.change, host, compare.lists)
        add_endpoints(host)
        add_suite_endpoints(host)
        add_voting_endpoints(host)
    return page


def _heading() -> Widget:
    """Build the heading and return where it is told what cannot be loaded."""
    with gr.Row(elem_id="heading"):
        words = {"skip": said("page.skip"), "tagline": said("page.tagline")}
        shown = static_text("heading.html").format(**words, help=said_label("page.help_open"))
        worded(shown, scripts=("sentences.js", "shortcuts.js", "page.js"), scale=1)
        return worded(visible=False, elem_id="unusable", scale=0)
