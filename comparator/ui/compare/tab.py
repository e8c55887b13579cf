"""The widgets of the tab that asks models and shows their answers side by side."""

from __future__ import annotations

import json
from dataclasses import dataclass

import gradio as gr

from comparator.hosting.options import ServerOptions
from comparator.ui import browser_libraries
from comparator.ui.compare.exporting import build_receiver
from comparator.ui.compare.settings_form import main_settings, more_settings
from comparator.ui.compare.slots import build_files, build_slots, place
from comparator.ui.events import Widget
from comparator.ui.language import script, text
from comparator.ui.model_lists import ModelLists
from comparator.ui.static_files import static_text
from comparator.ui.worded import said, worded

PANEL_SCRIPTS = ("fair_play.js", "machine.js", "export.js")  # each has a function that draws
COLUMN_SCRIPTS = (
    *("elements.js", "figures.js", "copying.js", "formulas.js", "markdown.js"),
    *("difference.js", "tokens.js", "turns.js", "column.js", "comparing.js", "blind.js"),
)
BOARD_SCRIPTS = (*COLUMN_SCRIPTS, *PANEL_SCRIPTS, "board.js")
BOARD_ROOTS = "".join(
    f'<div id="{name}-root"></div>' for name in ("board", "export", "fair-play", "machine")
)


@dataclass(frozen=True)
class CompareTab:
    """The tab's widgets.

    Attributes:
        lists: the lists to choose models from, and what is drawn anew with them.
        slots: each slot's own settings, as ``{"own": [{setting: value}, …]}``.
        settings: the fields for all models' settings, by the setting's name.
        starter_button: None on a public page, like ``starter_progress``.
        board: the columns with the answers.
        fits: for which slots the prompt is too long.
        files: the files before the question, as ``{"files": [{name, text}, …]}``.
        file_tokens: hands the script how many tokens the files have.
        taken_away: what texts to take away come through.
        blind: whether answers are shown without names until they are voted on.
        advice: what the chosen models' makers advise, where it is not what would be sent.
    """

    lists: ModelLists
    slots: Widget
    refresh: Widget
    starter_button: Widget | None
    starter_progress: Widget | None
    prompt: Widget
    system_prompt: Widget
    run: Widget
    stop: Widget
    together: Widget
    settings: dict[str, Widget]
    board: Widget
    advice: Widget = None
    files: Widget = None
    file_tokens: Widget = None
    fits: Widget = None
    taken_away: Widget = None
    blind: Widget = None


def build_compare_tab(offered: ServerOptions, unusable: Widget) -> CompareTab:
    """Build the tab inside the page's ``gr.Tabs``.

    Args:
        offered: what the page offers its visitors.
        unusable: where in the page's heading it is told what cannot be loaded.
    """
    with gr.Tab(text("compare.tab"), id="compare"):
        panel, button, progress = _starter_panel(offered.is_public)
        row = build_slots(offered)
        advice = worded(visible=False, elem_id="advice")
        catalogue = _script_only("choices.js", "catalogue")
        prompt, system_prompt, run, stop, settings = _question_row(offered)
        fits = worded(visible=False, elem_id="fits")
        with gr.Row(elem_id="form-tools-row"):
            blind = gr.Checkbox(
                False, label=text("blind.switch"), container=False, min_width=80, elem_id="blind"
            )
            place("form-tools")
            files, file_tokens = build_files()
        with gr.Accordion(text("compare.more"), open=False, elem_id="more"):
            more, together = more_settings(offered)
        board = _board()
        taken_away = build_receiver()
    return CompareTab(
        lists=ModelLists(row.models, catalogue, unusable, panel),
        slots=row.own,
        refresh=row.refresh,
        starter_button=button,
        starter_progress=progress,
        prompt=prompt,
        system_prompt=system_prompt,
        run=run,
        stop=stop,
        together=together,
        settings={**settings, **more},
        board=board,
        taken_away=taken_away,
        advice=advice,
        files=files,
        file_tokens=file_tokens,
        fits=fits,
        blind=blind,
    )


def _board() -> Widget:
    """Return the board and its panels; the scripts are told where the browser's libraries are."""
    where = f"const LIBRARIES = {json.dumps(browser_libraries.address())};"
    return gr.HTML(
        None,
        html_template=BOARD_ROOTS,
        js_on_load=f"{where}\n{script()}\n{static_text(*BOARD_SCRIPTS)}",
        apply_default_css=False,
        padding=False,
        elem_id="board",
    )


def _script_only(script: str, name: str) -> Widget:
    """Return an element that shows nothing and hands its value to a script."""
    return gr.HTML(
        None,
        html_template="<i></i>",
        js_on_load=static_text(script),
        padding=False,
        elem_id=name,
    )


def _starter_panel(is_public: bool) -> tuple[Widget, Widget | None, Widget | None]:
    with gr.Column(visible=False, elem_id="starter") as panel:
        title = said("page.starter_title")
        words = said("page.starter_public" if is_public else "page.starter_words")
        command = " <code>comparator starter</code>." if is_public else ""
        worded(static_text("starter.html").format(title=title, words=words + command))
        if is_public:
            return panel, None, None
        button = gr.Button(text("page.starter_install"), variant="primary", elem_id="install")
        progress = worded(elem_id="starter-progress")
    return panel, button, progress


def _question_row(
    offered: ServerOptions,
) -> tuple[Widget, Widget, Widget, Widget, dict[str, Widget]]:
    with gr.Row(elem_id="question", equal_height=True):
        with gr.Column(scale=6, min_width=380):
            prompt = gr.Textbox(
                label=text("compare.prompt"),
                placeholder=text("compare.prompt_hint"),
                lines=3,
                max_lines=3,
                autofocus=True,
                elem_id="prompt",
            )
        with gr.Column(scale=5, min_width=380):
            system_prompt = gr.Textbox(
                label=text("compare.system_prompt"),
                placeholder=text("compare.system_prompt_hint"),
                lines=1,
                max_lines=4,
                elem_id="system-prompt",
            )
            settings = main_settings(offered)
        with gr.Column(scale=1, min_width=110, elem_id="actions"):
            run = gr.Button(text("compare.run"), variant="primary", elem_id="run")
            stop = gr.Button(text("compare.stop_run"), variant="stop", elem_id="stop")
    return prompt, system_prompt, run, stop, settings
