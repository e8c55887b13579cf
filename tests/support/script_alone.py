"""The page's language script with its texts, for a page that is not Gradio's."""

from __future__ import annotations

import json

from comparator.ui import language
from comparator.ui.static_files import static_text


def script_alone() -> str:
    """Return what a page of a test needs before any script of ours that has texts."""
    held = json.dumps({"i18n_translations": language.texts()}, ensure_ascii=False)
    return f"window.gradio_config = {held};\n{language.script()}\n{static_text('sentences.js')}"
