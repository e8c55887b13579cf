"""The fields for all models' settings: those beside the prompt, and those behind a fold."""

from __future__ import annotations

from typing import Any

import gradio as gr

from comparator.core.config import DTYPES, PROMPT_FORMATS, SAMPLINGS, THINKINGS
from comparator.hosting.options import ServerOptions
from comparator.hosting.requests import FOREIGN_CODE
from comparator.ui import adapter
from comparator.ui.events import Widget
from comparator.ui.language import text


def main_settings(offered: ServerOptions) -> dict[str, Widget]:
    """Build the fields that are always in sight; return them by the setting's name."""
    default = offered.usual_settings
    most = offered.limits.tokens if offered.is_public else None
    with gr.Row(elem_id="main-settings", equal_height=True):
        return {
            "temperature": _number("temperature", default.temperature, 0.1, "temperature"),
            "max_tokens": _limit(
                "max_tokens", "until_it_ends", default.max_tokens, "max-tokens", most
            ),
            "seed": _optional_number("seed", "random", "seed"),
            "greedy": gr.Checkbox(
                False, label=text("compare.greedy"), min_width=80, elem_id="greedy"
            ),
        }


def more_settings(offered: ServerOptions) -> tuple[dict[str, Widget], Widget]:
    """Build the fields behind the fold; return them by name, and the choice to run together."""
    is_public = offered.is_public
    with gr.Row():
        numbers = _more_numbers(offered)
    with gr.Row(equal_height=True):
        choices = _choices(offered)
    with gr.Row(equal_height=True, elem_id="switches"):
        others = {}
        if not is_public:
            others["use_gpu"] = _checkbox("use_gpu", offered.usual_settings.use_gpu)
        together = _checkbox("together", False, "together")
        if not is_public:
            others[FOREIGN_CODE] = _checkbox(FOREIGN_CODE, False)
    return {**numbers, **choices, **others}, together


def _more_numbers(offered: ServerOptions) -> dict[str, Widget]:
    default, is_public = offered.usual_settings, offered.is_public
    most = offered.limits.context_tokens if is_public else None
    numbers = {
        "top_p": _number("top_p", default.top_p, 0.05),
        "top_k": _number("top_k", default.top_k, 1),
        "min_p": _number("min_p", default.min_p, 0.01),
        "repeat_penalty": _number("repeat_penalty", default.repeat_penalty, 0.05),
        "n_ctx": _limit("n_ctx", "what_fits", default.n_ctx, "context", most),
    }
    if not is_public:
        numbers["n_threads"] = _optional_number("n_threads", "automatic", "threads")
    return numbers


def _choices(offered: ServerOptions) -> dict[str, Widget]:
    default = offered.usual_settings
    samplings = [(text(f"compare.sampling_{name}"), name) for name in SAMPLINGS]
    choices = {
        "sampling": _choice("sampling", samplings, default.sampling, "sampling"),
        "prompt_format": _choice("prompt_format", list(PROMPT_FORMATS), default.prompt_format),
        "thinking": _choice("thinking", list(THINKINGS), default.thinking, "thinking"),
        "stop": gr.Textbox(
            label=text("compare.stop"),
            placeholder=text("compare.one_a_line"),
            lines=1,
            max_lines=4,
            min_width=140,
            elem_id="stops",
        ),
    }
    if not offered.is_public:
        choices["torch_dtype"] = _choice("torch_dtype", list(DTYPES), default.torch_dtype)
    return choices


def _choice(key: str, choices: list[Any], value: str, name: str | None = None) -> Widget:
    return gr.Dropdown(
        choices,
        value=value,
        label=text(f"compare.{key}"),
        min_width=140,
        elem_id=name,
    )


def _number(
    key: str, value: float, step: float, name: str | None = None, most: float | None = None
) -> Widget:
    """Return a field for a number; its range is checked by the service, which says it in words.

    The browser knows ``most``; Gradio does not.
    """
    field = gr.Number(
        value,
        label=text(f"compare.{key}"),
        step=step,
        maximum=most,
        precision=0 if isinstance(value, int) else None,
        min_width=80,
        elem_id=name,
    )
    return adapter.unbounded(field)


def _limit(key: str, empty: str, value: int | None, name: str, most: int | None) -> Widget:
    """Return a field for a limit; where the page sets none, it may be left empty."""
    if most is not None:
        return _number(key, value or most, 1, name, most)
    return _optional_number(key, empty, name, "" if value is None else str(value))


def _optional_number(key: str, placeholder: str, name: str, value: str = "") -> Widget:
    """Return a text field for a number that may be left out: an empty gr.Number sends 0."""
    return gr.Textbox(
        value,
        label=text(f"compare.{key}"),
        placeholder=text(f"compare.{placeholder}"),
        lines=1,
        max_lines=1,
        min_width=80,
        elem_id=name,
    )


def _checkbox(key: str, value: bool, name: str | None = None) -> Widget:
    return gr.Checkbox(value, label=text(f"compare.{key}"), min_width=140, elem_id=name)
