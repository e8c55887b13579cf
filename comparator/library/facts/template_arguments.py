"""What a model's chat template can be told beside the messages, read without loading the model."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from comparator.core.exceptions import InferenceError, ModelLoadError
from comparator.formats.chat_template import EFFORT, SWITCHES, asked_arguments
from comparator.formats.json_files import read_json

_LONGEST_SOURCE = 200_000  # characters; reading it costs the page time
_LONGEST_NAME, _MOST_NAMES = 64, 32


def arguments_asked_by(source: Any) -> tuple[str, ...] | None:
    """Return the names that a template asks for; None where there is none or it is not readable."""
    if not isinstance(source, str) or not source.strip() or len(source) > _LONGEST_SOURCE:
        return None
    try:
        names = sorted(asked_arguments(source))
    except InferenceError:
        return None
    return tuple(name for name in names if len(name) <= _LONGEST_NAME)[:_MOST_NAMES]


def template_of_directory(directory: Path) -> str | None:
    """Return the source of a directory's chat template, None where it has none.

    As transformers looks for it: a file of its own goes before the tokenizer's settings, and of
    several templates the one called ``default`` counts.
    """
    with contextlib.suppress(OSError, UnicodeDecodeError):
        path = directory / "chat_template.jinja"
        if path.stat().st_size <= 4 * _LONGEST_SOURCE:
            return path.read_text("utf-8")
    for name in ("tokenizer_config.json", "chat_template.json"):
        with contextlib.suppress(ModelLoadError):
            told = read_json(directory / name).get("chat_template")
            if found := _default_of(told):
                return found
    return None


def _default_of(told: Any) -> str | None:
    if isinstance(told, str):
        return told or None
    named = [each for each in told if isinstance(each, dict)] if isinstance(told, list) else []
    sources = [each.get("template") for each in named if each.get("name") == "default"]
    return sources[0] if sources and isinstance(sources[0], str) else None


def settings_known(names: tuple[str, ...] | None) -> list[str]:
    """Return those settings of a slot that a template with these arguments knows."""
    known = names or ()
    settings = ["thinking"] if any(name in SWITCHES for name in known) else []
    settings += [EFFORT] if EFFORT in known else []
    return [*settings, "template_args"] if known else []


def in_words(names: tuple[str, ...] | None) -> str:
    """Return the same in words, with the names for ``template_args``; empty for none."""
    known = settings_known(names)
    settings = ["thinking=on|off"] if "thinking" in known else []
    settings += [EFFORT] if EFFORT in known else []
    others = [name for name in names or () if name not in (*SWITCHES, EFFORT)]
    settings += [f"template_args: {', '.join(others)}"] if others else []
    return f"Its template knows {', '.join(settings)}" if settings else ""
