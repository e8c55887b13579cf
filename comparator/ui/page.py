"""The page: which widgets there are and which handler hears which of them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gradio as gr

from comparator.core.config import DTYPES, PROMPT_FORMATS
from comparator.hosting.host import Host
from comparator.hosting.options import ServerOptions
from comparator.hosting.requests import FOREIGN_CODE
from comparator.ui import adapter, libraries
from comparator.ui.api import add_endpoints
from comparator.ui.compare.handlers import Handlers, make_handlers
from comparator.ui.hub import tab
from comparator.ui.library.tab import AT_ONCE, build_library_tab, wire_library_tab

STATIC = Path(__file__).parent / "static"
SCRIPTS = ("formulas.js", "markdown.js", "column.js", "board.js")
LETTERS = "ABCD"
NO_MODELS = (
    "<h2>No models yet</h2><p>Whoever runs this page has to put some into its models folder, such "
    "as the starter set with <code>comparator starter</code>.</p>"
)


@dataclass(frozen=True)
class Widgets:
    """The page's widgets by what they are for; ``settings`` by the name of the setting.

    A public page has neither the starter set's button nor its progress.
    """

    models: list[Any]
    catalogue: Any
    own_settings: list[Any]
    refresh: Any
    unusable: Any
    starter_panel: Any
    starter_button: Any
    starter_progress: Any
    prompt: Any
    system_prompt: Any
    run: Any
    stop: Any
    together: Any
    settings: dict[str, Any]
    board: Any


def build_page(host: Host) -> Any:
    """Return the page, a ``gr.Blocks``, over a host."""
    with gr.Blocks(title="Multi-LLM Comparator", fill_width=True, analytics_enabled=False) as page:
        unusable = _heading()
        with gr.Tabs(selected="compare", elem_id="tabs") as tabs:
            with gr.Tab("Compare", id="compare"):
                widgets = _widgets(host.options, unusable)
            library = build_library_tab(host.options.is_public)
            hub = _hub_tab(page, host)
        handlers = make_handlers(host, list(widgets.settings), len(widgets.models))
        _wire(page, widgets, handlers)
        wire_library_tab(host, library, tabs, widgets.models, _shelf(widgets))
        if hub is not None:  # a model that has come can be chosen at once
            hub.arrived.change(handlers.refresh, widgets.models, _shelf(widgets), **AT_ONCE)
        add_endpoints(host)
    return page


def theme() -> Any:
    """Return a calm theme that asks no other server for fonts, with contrast for every eye."""
    calm = gr.themes.Base(
        primary_hue="indigo",
        neutral_hue="slate",
        spacing_size="sm",
        radius_size="md",
        text_size="md",
        font=["system-ui", "-apple-system", "Segoe UI", "Roboto", "Noto Sans", "sans-serif"],
        font_mono=["ui-monospace", "SFMono-Regular", "Menlo", "DejaVu Sans Mono", "monospace"],
    )
    return calm.set(
        body_text_color_subdued="*neutral_600",
        body_text_color_subdued_dark="*neutral_400",
        block_label_text_color="*neutral_600",
        block_title_text_color="*neutral_600",
        input_placeholder_color="#56657a",
        input_placeholder_color_dark="*neutral_300",
        button_primary_background_fill="*primary_600",
        button_primary_background_fill_hover="*primary_700",
        button_primary_background_fill_dark="*primary_600",
        button_primary_background_fill_hover_dark="*primary_700",
    )


def _hub_tab(page: Any, host: Host) -> tab.HubTab | None:
    """Build the tab that brings models; a page that others can reach has none."""
    if host.downloads is None:
        return None
    with gr.Tab("Get models", id="hub", elem_id="hub-tab"):
        memory = host.engine.memory_manager
        return tab.build(page, host.downloads, memory, host.options.is_public)


def _heading() -> Any:
    with gr.Row(elem_id="heading"):
        gr.HTML(_static("heading.html"), padding=False, scale=1)
        return gr.HTML(visible=False, padding=False, elem_id="unusable", scale=0)


def _widgets(offered: ServerOptions, unusable: Any) -> Widgets:
    panel, button, progress = _starter_panel(offered.is_public)
    letters = LETTERS[: offered.most_models]
    models, refresh = _model_row(letters)
    catalogue = _script_only("choices.js", "catalogue")
    prompt, system_prompt, run, stop, settings = _question_row(offered)
    with gr.Accordion("More settings", open=False, elem_id="more"):
        more, together = _more_settings(offered)
        own = _own_settings(letters)
    board = gr.HTML(
        None,
        html_template='<div id="board-root"></div>',
        js_on_load=_board_script(),
        apply_default_css=False,
        padding=False,
        elem_id="board",
    )
    return Widgets(
        models=models,
        catalogue=catalogue,
        own_settings=own,
        refresh=refresh,
        unusable=unusable,
        starter_panel=panel,
        starter_button=button,
        starter_progress=progress,
        prompt=prompt,
        system_prompt=system_prompt,
        run=run,
        stop=stop,
        together=together,
        settings={**settings, **more},
        board=board,
    )


def _board_script() -> str:
    """Return the board's own scripts, which are told where the libraries are."""
    where = f"const LIBRARIES = {json.dumps(libraries.address())};"
    return "\n".join([where, *(_static(name) for name in SCRIPTS)])


def _script_only(script: str, name: str) -> Any:
    """Return an element that shows nothing and hands its value to a script."""
    return gr.HTML(
        None,
        html_template="<i></i>",
        js_on_load=_static(script),
        padding=False,
        elem_id=name,
    )


def _starter_panel(is_public: bool) -> tuple[Any, Any, Any]:
    with gr.Column(visible=False, elem_id="starter") as panel:
        if is_public:
            gr.HTML(NO_MODELS, padding=False)
            return panel, None, None
        gr.HTML(_static("starter.html"), padding=False)
        button = gr.Button("Install the starter set", variant="primary", elem_id="install")
        progress = gr.HTML("", padding=False, elem_id="starter-progress")
    return panel, button, progress


def _model_row(letters: str) -> tuple[list[Any], Any]:
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


def _question_row(offered: ServerOptions) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
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


def _main_settings(offered: ServerOptions) -> dict[str, Any]:
    default = offered.usual_settings
    most = offered.limits.tokens if offered.is_public else None
    with gr.Row(elem_id="main-settings", equal_height=True):
        return {
            "temperature": _number("Temperature", default.temperature, 0.1, "temperature"),
            "max_tokens": _number("Max tokens", default.max_tokens, 1, "max-tokens", most),
            "seed": _optional_number("Seed", "random", "seed"),
            "greedy": gr.Checkbox(False, label="Greedy", min_width=80, elem_id="greedy"),
        }


def _more_settings(offered: ServerOptions) -> tuple[dict[str, Any], Any]:
    default, is_public = offered.usual_settings, offered.is_public
    most = offered.limits.context_tokens if is_public else None
    with gr.Row():
        sampling = {
            "top_p": _number("top_p", default.top_p, 0.05),
            "top_k": _number("top_k", default.top_k, 1),
            "min_p": _number("min_p", default.min_p, 0.01),
            "repeat_penalty": _number("Repeat penalty", default.repeat_penalty, 0.05),
            "n_ctx": _number("Context (tokens)", default.n_ctx, 1, "context", most),
        }
        if not is_public:
            sampling["n_threads"] = _optional_number("Threads", "automatic", "threads")
    with gr.Row(equal_height=True):
        others = {
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
) -> Any:
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


def _optional_number(label: str, placeholder: str, name: str) -> Any:
    """Return a text field for a number that may be left out: an empty gr.Number sends 0."""
    return gr.Textbox(
        label=label, placeholder=placeholder, lines=1, max_lines=1, min_width=80, elem_id=name
    )


def _checkbox(label: str, value: bool, name: str | None = None) -> Any:
    return gr.Checkbox(value, label=label, min_width=140, elem_id=name)


def _own_settings(letters: str) -> list[Any]:
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


def _shelf(widgets: Widgets) -> list[Any]:
    """Return what is drawn anew when models come or go."""
    return [*widgets.models, widgets.catalogue, widgets.unusable, widgets.starter_panel]


def _wire(page: Any, widgets: Widgets, handlers: Handlers) -> None:
    """Connect widgets and handlers; waiting happens in our own line, not in Gradio's."""
    quiet: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
    at_once = {**quiet, "queue": False}
    shelf = _shelf(widgets)
    inputs = [
        widgets.prompt,
        widgets.system_prompt,
        widgets.together,
        *widgets.models,
        *widgets.own_settings,
        *widgets.settings.values(),
    ]
    page.load(handlers.load, None, shelf, api_name="page_load", **at_once)
    page.unload(handlers.leave)
    for models in widgets.models:
        models.change(None, widgets.models, None, js=_static("chosen.js"), **quiet)
        models.change(handlers.choose, widgets.models, None, api_name="page_choose", **at_once)
    widgets.refresh.click(
        handlers.refresh, widgets.models, shelf, api_name="page_refresh", **at_once
    )
    widgets.run.click(
        handlers.run,
        inputs,
        widgets.board,
        api_name="page_run",
        concurrency_limit=None,
        trigger_mode="multiple",
        **quiet,
    )
    widgets.stop.click(handlers.stop, None, None, api_name="page_stop", **at_once)
    widgets.board.stop_column(
        handlers.stop_column, None, None, api_name="page_stop_column", **at_once
    )
    widgets.board.retry_column(
        handlers.retry,
        None,
        widgets.board,
        api_name="page_retry",
        concurrency_limit=None,
        trigger_mode="multiple",
        **quiet,
    )
    if widgets.starter_button is not None:
        widgets.starter_button.click(
            handlers.install,
            None,
            [*shelf, widgets.starter_progress],
            api_name="page_install",
            concurrency_limit=4,
            **quiet,
        )


def _static(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")
