"""The slots of the form: a list of models and a line of own settings for each of them.

What a slot holds is drawn and changed by ``static/slots*.js``; the value of one element that shows
nothing, ``{"own": [{setting: value}, …]}``, is what the server gets of it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import gradio as gr

from comparator.core.limits import LARGEST_FILES_BYTES, LETTERS, MOST_FILES
from comparator.hosting.options import ServerOptions
from comparator.hosting.page_start import usual_form
from comparator.hosting.slot_fields import slot_fields
from comparator.ui import adapter
from comparator.ui.events import Widget
from comparator.ui.language import script, text
from comparator.ui.static_files import static_text

SCRIPTS = ("slot_form.js", "slots_kept.js", "links.js", "prompts.js", "slots.js", "run_once.js")


@dataclass(frozen=True)
class SlotRow:
    """The widgets of the row.

    Attributes:
        models: the lists to choose from, one a slot.
        refresh: looks for models.
        own: hands each slot's own settings to the server, and takes what the form begins with.
    """

    models: list[Widget]
    refresh: Widget
    own: Widget


def build_slots(offered: ServerOptions) -> SlotRow:
    """Build the lists of models, what stands below each, and the script that changes them."""
    letters = LETTERS[: offered.most_models]
    with gr.Row(elem_id="models", equal_height=False):
        models = [_slot(letter) for letter in letters]
        with gr.Column(scale=0, min_width=92, elem_id="slot-actions"):
            refresh = gr.Button(
                text("compare.refresh"), elem_id="refresh", size="sm", min_width=84, scale=0
            )
            place("slot-tools")
    usual = usual_form(offered.usual_settings, [*vars(offered.usual_settings), "greedy"])
    constants = {
        "SLOT_FIELDS": slot_fields(offered),
        "SLOT_LETTERS": letters,
        "USUAL_FORM": usual,
    }
    lines = [f"const {name} = {json.dumps(value)};" for name, value in constants.items()]
    own = gr.HTML(
        {"own": [{}, {}]},
        html_template='<div id="slots-root"></div>',
        js_on_load="\n".join([*lines, script(), static_text(*SCRIPTS)]),
        apply_default_css=False,
        padding=False,
        elem_id="slots",
    )
    return SlotRow(models, refresh, own)


def build_files() -> tuple[Widget, Widget]:
    """Build the button and the chips of files before the question, ``{"files": [{name, text}]}``.

    They are read in the browser: gr.File would put them on the server, whose door is closed to
    uploads. The second element hands the script how many tokens they have.
    """
    constants = f"const FILES_MOST = {MOST_FILES}, FILES_BYTES = {LARGEST_FILES_BYTES};"
    files = gr.HTML(
        {"files": []},
        html_template='<div id="files-root"></div>',
        js_on_load="\n".join([constants, script(), static_text("files.js")]),
        apply_default_css=False,
        padding=False,
        elem_id="files",
    )
    tokens = gr.HTML(
        None,
        html_template="<i></i>",
        js_on_load=static_text("file_tokens.js"),
        padding=False,
        elem_id="file-tokens",
    )
    return files, tokens


def _slot(letter: str) -> Widget:
    name = letter.lower()
    with gr.Column(min_width=180, elem_id=f"slot-{name}", elem_classes="slot"):
        models = gr.Dropdown(
            [(text("compare.none"), "")],
            value="",
            label=text(f"compare.model_{name}"),
            min_width=180,
            elem_id=f"model-{name}",
        )
        place(f"own-{name}")
    return adapter.unlisted(models)


def place(name: str) -> None:
    """Build an element into which the script draws."""
    gr.HTML(
        None,
        html_template=f'<div id="{name}-root"></div>',
        apply_default_css=False,
        padding=False,
        elem_id=name,
    )
