"""The widgets of the tab that asks models and shows their answers side by side."""

from __future__ import annotations

import json
from dataclasses import dataclass

import gradio as gr

from comparator.core.config import DTYPES, PROMPT_FORMATS, SAMPLINGS
from comparator.hosting.options import ServerOptions
from comparator.hosting.requests import FOREIGN_CODE
from comparator.ui import adapter, browser_libraries
from comparator.ui.events import Widget
from comparator.ui.language import script, text
from comparator.ui.model_lists import ModelLists
from comparator.ui.static_files import static_text
from comparator.ui.worded import said, worded

PANEL_SCRIPTS = ("fair_play.js", "machine.js", "export.js")  # each has a function that draws
BOARD_SCRIPTS = ("formulas.js", "markdown.js", *PANEL_SCRIPTS, "column.js", "board.js")
BOARD_ROOTS = "".join(
    f'<div id="{name}-root"></div>' for name in ("board", "export", "fair-play", "machine")
)
LETTERS = "ABCD"
SAMPLING_WORDS = {"given": "same for all", "maker": "the maker's"}


@dataclass(frozen=True)
class CompareTab:
    """The tab's widgets.

    Attributes:
        lists: the lists to choose models from, and what is drawn anew with them.
        own_settings: the field for each model's own settings, in the order of the lists.
        settings: the fields for all models' settings, by the setting's name.
        starter_button: None on a public page, like ``starter_progress``.
        board: the columns with the answers.
        advice: what the chosen models' makers advise, where it is not what would be sent.
    """

    lists: ModelLists
    own_settings: list[Widget]
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


def build_compare_tab(offered: ServerOptions, unusable: Widget) -> CompareTab:
    """Build the tab inside the page's ``gr.Tabs``.

    Args:
        offered: what the page offers its visitors.
        unusable: where in the page's heading it is told what cannot be loaded.
    """
    with gr.Tab("Compare", id="compare"):
        panel, button, progress = _starter_panel(offered.is_public)
        letters = LETTERS[: offered.most_models]
        models, refresh = _model_row(letters)
        advice = gr.HTML("", visible=False, padding=False, elem_id="advice")
        catalogue = _script_only("choices.js", "catalogue")
        prompt, system_prompt, run, stop, settings = _question_row(offered)
        with gr.Accordion("More settings", open=False, elem_id="more"):
            more, together = _more_settings(offered)
            own_settings = _own_settings(letters)
        board = _board()
    return CompareTab(
        lists=ModelLists(models, catalogue, unusable, panel),
        own_settings=own_settings,
        refresh=refresh,
        starter_button=button,
        starter_progress=progress,
        prompt=prompt,
        system_prompt=system_prompt,
        run=run,
        stop=stop,
        together=together,
        settings={**settings, **more},
        board=board,
        advice=advice,
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


def _model_row(letters: str) -> tuple[list[Widget], Widget]:
    with gr.Row(elem_id="models", equal_height=True):
        lists = [
            gr.Dropdown(
                [("none", "")],
                value="",
                label=f"Model {letter}",
                min_width=180,
                elem_id=f"model-{letter.lower()}",
            )
            for letter in letters
        ]
        refresh = gr.Button("Refresh", elem_id="refresh", size="sm", min_width=84, scale=0)
    return lists, refresh


def _question_row(
    offered: ServerOptions,
) -> tuple[Widget, Widget, Widget, Widget, dict[str, Widget]]:
    with gr.Row(elem_id="question", equal_height=True):
        with gr.Column(scale=6, min_width=380):
            prompt = gr.Textbox(
                label="Prompt",
                placeholder="Ask something. Enter runs, Shift+Enter starts a new line.",
                lines=3,
                max_lines=3,
                autofocus=True,
                elem_id="prompt",
            )
        with gr.Column(scale=5, min_width=380):
            system_prompt = gr.Textbox(
                label="System prompt",
                placeholder="Optional: what every model is told first",
                lines=1,
                max_lines=1,
                elem_id="system-prompt",
            )
            settings = _main_settings(offered)
        with gr.Column(scale=1, min_width=110, elem_id="actions"):
            run = gr.Button("Run", variant="primary", elem_id="run")
            stop = gr.Button("Stop", variant="stop", elem_id="stop")
    return prompt, system_prompt, run, stop, settings


def _main_settings(offered: ServerOptions) -> dict[str, Widget]:
    default = offered.usual_settings
    most = offered.limits.tokens if offered.is_public else None
    tokens = default.max_tokens
    with gr.Row(elem_id="main-settings", equal_height=True):
        return {
            "temperature": _number("Temperature", default.temperature, 0.1, "temperature"),
            "max_tokens": _limit("Max tokens", "until it ends", tokens, "max-tokens", most),
            "seed": _optional_number("Seed", "random", "seed"),
            "greedy": gr.Checkbox(False, label="Greedy", min_width=80, elem_id="greedy"),
        }


def _more_settings(offered: ServerOptions) -> tuple[dict[str, Widget], Widget]:
    default, is_public = offered.usual_settings, offered.is_public
    most = offered.limits.context_tokens if is_public else None
    with gr.Row():
        sampling = {
            "top_p": _number("top_p", default.top_p, 0.05),
            "top_k": _number("top_k", default.top_k, 1),
            "min_p": _number("min_p", default.min_p, 0.01),
            "repeat_penalty": _number("Repeat penalty", default.repeat_penalty, 0.05),
            "n_ctx": _limit("Context (tokens)", "what fits", default.n_ctx, "context", most),
        }
        if not is_public:
            sampling["n_threads"] = _optional_number("Threads", "automatic", "threads")
    with gr.Row(equal_height=True):
        others = {
            "sampling": gr.Dropdown(
                [(SAMPLING_WORDS[name], name) for name in SAMPLINGS],
                value=default.sampling,
                label="Sampling",
                min_width=140,
                elem_id="sampling",
            ),
            "prompt_format": gr.Dropdown(
                list(PROMPT_FORMATS),
                value=default.prompt_format,
                label="Prompt format",
                min_width=140,
            ),
            "stop": gr.Textbox(
                label="Stop texts",
                placeholder="one a line",
                lines=1,
                max_lines=4,
                min_width=140,
                elem_id="stops",
            ),
        }
        if not is_public:
            others["torch_dtype"] = gr.Dropdown(
                list(DTYPES),
                value=default.torch_dtype,
                label="Number type (PyTorch)",
                min_width=140,
            )
            others["use_gpu"] = _checkbox("Use the GPU if there is one", default.use_gpu)
        together = _checkbox("Run together when memory allows", False, "together")
        if not is_public:
            others[FOREIGN_CODE] = _checkbox("Run code that comes with a model", False)
    return {**sampling, **others}, together


def _number(
    label: str, value: float, step: float, name: str | None = None, most: float | None = None
) -> Widget:
    """Return a field for a number; its range is checked by the service, which says it in words.

    The browser knows ``most``; Gradio does not.
    """
    field = gr.Number(
        value,
        label=label,
        step=step,
        maximum=most,
        precision=0 if isinstance(value, int) else None,
        min_width=80,
        elem_id=name,
    )
    return adapter.unbounded(field)


def _limit(label: str, empty: str, value: int | None, name: str, most: int | None) -> Widget:
    """Return a field for a limit; where the page sets none, it may be left empty."""
    if most is not None:
        return _number(label, value or most, 1, name, most)
    return _optional_number(label, empty, name, "" if value is None else str(value))


def _optional_number(label: str, placeholder: str, name: str, value: str = "") -> Widget:
    """Return a text field for a number that may be left out: an empty gr.Number sends 0."""
    return gr.Textbox(
        value,
        label=label,
        placeholder=placeholder,
        lines=1,
        max_lines=1,
        min_width=80,
        elem_id=name,
    )


def _checkbox(label: str, value: bool, name: str | None = None) -> Widget:
    return gr.Checkbox(value, label=label, min_width=140, elem_id=name)


def _own_settings(letters: str) -> list[Widget]:
    with gr.Row():
        return [
            gr.Textbox(
                label=f"Own settings of model {letter}",
                placeholder="temperature=0.2 seed=3",
                lines=1,
                max_lines=1,
                min_width=180,
                elem_id=f"own-{letter.lower()}",
            )
            for letter in letters
        ]
