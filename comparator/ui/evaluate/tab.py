"""The widgets of the tab that runs suites."""

from __future__ import annotations

import json
from dataclasses import dataclass

import gradio as gr

from comparator.evaluation.report import FORMATS
from comparator.hosting.host import Host
from comparator.hosting.options import ServerOptions
from comparator.ui.compare.exporting import build_receiver
from comparator.ui.evaluate.ratings import RatingsPanel, build_ratings
from comparator.ui.events import Widget
from comparator.ui.language import script, text
from comparator.ui.middleware import OWN_BODY_BYTES
from comparator.ui.static_files import static_text
from comparator.ui.worded import said, worded

SCRIPTS = (
    *("evaluate_parts.js", "evaluate_sources.js", "evaluate_matrix.js", "evaluate_cell.js"),
    *("evaluate_results.js", "evaluate_kept.js", "evaluate.js"),
)
PARTS = ("read", "kept", "comparisons", "opened", "live", "result", "cell")
_PACKED = 4 / 3  # base 64
_ROOM_BYTES = 100_000  # of a request, for all that is not the file


@dataclass(frozen=True)
class EvaluateTab:
    """The widgets of the tab.

    Attributes:
        tab: the tab itself.
        root: all that is seen; its script sends the events.
        parts: what hands each part of what the server says to the script, by name.
        taken_away: what reports come through.
        ratings: the panel of what votes say.
    """

    tab: Widget
    root: Widget
    parts: dict[str, Widget]
    taken_away: Widget
    ratings: RatingsPanel


def build_evaluate_tab(host: Host) -> EvaluateTab:
    """Build the tab inside the page's ``gr.Tabs``."""
    with gr.Tab(text("evaluate.tab"), id="evaluate", elem_id="evaluate-tab") as tab:
        root = gr.HTML(
            None,
            html_template='<div id="evaluate-root"></div>',
            js_on_load="\n".join([_constants(host.options), script(), static_text(*SCRIPTS)]),
            apply_default_css=False,
            padding=False,
            elem_id="evaluate",
        )
        parts = {name: _receiver(name) for name in PARTS}
        taken_away = build_receiver("evaluate-taken-away")
        worded(f"<h2>{said('ratings.title')}</h2>", elem_id="ratings-title")
        ratings = build_ratings(host)
    return EvaluateTab(tab, root, parts, taken_away, ratings)


def most_file_bytes(offered: ServerOptions) -> int:
    """Return how large a file may be that the page sends, so that its request is taken."""
    body = offered.limits.body_bytes if offered.is_public else OWN_BODY_BYTES
    return int((body - _ROOM_BYTES) / _PACKED)


def _constants(offered: ServerOptions) -> str:
    constants = {
        "EVALUATE_PUBLIC": offered.is_public,
        "EVALUATE_FILE_BYTES": most_file_bytes(offered),
        "EVALUATE_FORMS": [name.lstrip(".") for name in FORMATS],
    }
    return "\n".join(f"const {name} = {json.dumps(value)};" for name, value in constants.items())


def _receiver(part: str) -> Widget:
    """Return an element that shows nothing and hands its value to the tab's script."""
    return gr.HTML(
        None,
        html_template="<i></i>",
        js_on_load=f"const PART = {json.dumps(part)};\n{static_text('evaluate_receiver.js')}",
        padding=False,
        elem_id=f"evaluate-{part}",
        elem_classes="evaluate-receiver",
    )
