"""The page's texts by language: ``texts/LANGUAGE/AREA.json``, chosen by the reader's browser.

Widgets take ``text("area.name")``, which Gradio replaces in the browser; the page's scripts call
``said("area.name", {values})`` of ``static/language.js``, which finds the same texts. HTML that the
server makes takes ``said`` of ``worded.py``.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import gradio as gr

from comparator.ui.static_files import static_text

FOLDER = Path(__file__).parent / "texts"
LANGUAGES = ("en", "zh-CN")  # the first for whoever reads none of them
RELATED = {"zh-TW": "zh-CN"}  # languages that Gradio knows and we do not: read by who reads that


@functools.cache
def texts() -> dict[str, dict[str, str]]:
    """Return every text by language and key; a key is ``AREA.NAME``."""
    return {language: _texts_in(FOLDER / language) for language in LANGUAGES}


@functools.cache
def translations() -> Any:
    """Return what Gradio is told at the page's start (its ``i18n``)."""
    related = {language: texts()[known] for language, known in RELATED.items()}
    return gr.I18n(**texts(), **related)


def text(key: str) -> Any:
    """Return what stands for a text in a widget's label, info, placeholder or value.

    Raises:
        KeyError: no text has that key.
    """
    if key not in texts()[LANGUAGES[0]]:
        raise KeyError(key)
    return translations()(key)


def english(key: str) -> str:
    """Return a text in English, with its braces.

    Raises:
        KeyError: no text has that key.
    """
    return texts()[LANGUAGES[0]][key]


def script() -> str:
    """Return the script that every script of the page with texts begins with.

    The texts themselves are in the page once, as Gradio's.
    """
    return static_text("language.js")


def script_alone() -> str:
    """Return the same with the texts, for a page that is not Gradio's."""
    held = json.dumps({"i18n_translations": texts()}, ensure_ascii=False)
    return f"window.gradio_config = {held};\n{script()}\n{static_text('sentences.js')}"


def _texts_in(folder: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for path in sorted(folder.glob("*.json")):
        for name, value in json.loads(path.read_text(encoding="utf-8")).items():
            found[f"{path.stem}.{name}"] = value
    return found
