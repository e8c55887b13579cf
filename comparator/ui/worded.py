"""Words in HTML that the server makes: English, each with its key for the browser.

``said`` puts a text into HTML, and ``sentence`` one that a service has made; an element of
``worded`` shows both in the reader's language (``static/worded.js``, ``static/sentences.js``).
"""

from __future__ import annotations

import html
import json
from typing import Any

import gradio as gr

from comparator.core.text import with_controls_shown
from comparator.ui.events import Widget
from comparator.ui.language import english, script
from comparator.ui.static_files import static_text


def said(key: str, **values: object) -> str:
    """Return a text as HTML, with names and numbers in the place of its braces.

    Raises:
        KeyError: no text has that key, or a value for its braces is missing.
    """
    plain = {name: _plain(value) for name, value in values.items()}
    words = html.escape(english(key).format(**plain))
    return f"<span {_marks('said', key, plain)}>{words}</span>"


def sentence(words: str) -> str:
    """Return sentences of a service as HTML; those that the page's texts know are put in words."""
    shown = html.escape(with_controls_shown(words))
    return f'<span data-sentence="{shown}">{shown}</span>'


def said_label(key: str, **values: object) -> str:
    """Return the attributes that give an element a text as its label for screen readers."""
    plain = {name: _plain(value) for name, value in values.items()}
    words = html.escape(english(key).format(**plain))
    return f'aria-label="{words}" {_marks("said-label", key, plain)}'


def worded(value: str = "", scripts: tuple[str, ...] = (), **options: Any) -> Widget:
    """Return a ``gr.HTML`` whose texts come in the reader's language.

    Args:
        value: HTML that may hold texts.
        scripts: files of ``static`` that run in it too.
        options: what ``gr.HTML`` takes.
    """
    loaded = f"{script()}\n{static_text('worded.js', *scripts)}"
    return gr.HTML(value, html_template="${value}", js_on_load=loaded, padding=False, **options)


def _marks(name: str, key: str, values: dict[str, str]) -> str:
    told = html.escape(json.dumps(values, ensure_ascii=False)) if values else ""
    return f'data-{name}="{key}"' + (f' data-values="{told}"' if told else "")


def _plain(value: object) -> str:
    return with_controls_shown(str(value)).replace("\n", "\\n")
