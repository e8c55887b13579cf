"""The widgets of the history's tab."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from comparator.ui.compare.exporting import build_receiver
from comparator.ui.events import Widget
from comparator.ui.language import script, text
from comparator.ui.static_files import static_text
from comparator.ui.worded import worded

# Beside the list there is room for what takes a comparison away.
ROOTS = '<div id="history-root"></div><div id="history-export-root"></div>'


@dataclass(frozen=True)
class HistoryTab:
    """The widgets of the tab.

    Attributes:
        tab: the tab itself.
        table: the list of comparisons, and what is done with them.
        note: what went wrong.
        taken_away: what texts to take away come through.
    """

    tab: Widget
    table: Widget
    note: Widget
    taken_away: Widget = None


def build_history_tab() -> HistoryTab:
    """Build the tab inside the page's ``gr.Tabs``."""
    with gr.Tab(text("history.tab"), id="history", elem_id="history-tab") as tab:
        table = gr.HTML(
            None,
            html_template=ROOTS,
            js_on_load=f"{script()}\n{static_text('export.js', 'history.js')}",
            apply_default_css=False,
            padding=False,
            elem_id="history",
        )
        note = worded(elem_id="history-notes")
        taken_away = build_receiver("history-taken-away")
    return HistoryTab(tab, table, note, taken_away)
