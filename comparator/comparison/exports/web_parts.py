"""What web pages are made of that are taken away: they ask for no file and no address.

The policy of such a page (CSP) lets run the one script and the one style sheet that stand in it, by
their digests, and nothing more, so that nothing in a prompt, an answer or a name could run or be
fetched even if it were not escaped. The script changes the page's own words into Chinese where the
browser reads it; without it the page is whole.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import json
from collections.abc import Sequence
from html import escape
from pathlib import Path

from comparator.core.text import name_shown, with_controls_shown, without_surrogates

FOLDER = Path(__file__).parent / "page"
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<a class="skip" href="#{place}">{skip}</a>
{body}
<script>{script}</script>
</body>
</html>
"""


class Parts:
    """The parts of one kind of page: its words in two languages, its style and its script."""

    def __init__(self, *folders: Path) -> None:
        """Take the folders with ``texts.json``, ``page.css`` and ``page.js``; later ones add."""
        self._folders: Sequence[Path] = folders

    @functools.cached_property
    def texts(self) -> dict[str, dict[str, str]]:
        """The page's own words by language (``en``, ``zh``) and key."""
        found: dict[str, dict[str, str]] = {"en": {}, "zh": {}}
        for folder in self._folders:
            for language, texts in json.loads(_read(folder / "texts.json")).items():
                found[language].update(texts)
        return found

    @functools.cached_property
    def style(self) -> str:
        """The style sheet."""
        return "".join(_read(folder / "page.css") for folder in self._folders)

    @functools.cached_property
    def script(self) -> str:
        """The script, with the words that it puts in the place of others."""
        words = json.dumps(self.texts["zh"], ensure_ascii=False).replace("<", "\\u003c")
        scripts = (_read(folder / "page.js") for folder in self._folders)
        return f"const TEXTS = {words};\n{''.join(scripts)}"

    @functools.cached_property
    def policy(self) -> str:
        """What the page may do."""
        return (
            f"default-src 'none'; script-src '{_digest(self.script)}'; "
            f"style-src '{_digest(self.style)}'; base-uri 'none'; form-action 'none'"
        )

    def page(self, title: str, body: str, place: str) -> str:
        """Return a whole page.

        Args:
            title: in HTML.
            body: in HTML.
            place: the id of what the first link leads to, past the head of the page.
        """
        page = _PAGE.format(
            policy=self.policy,
            title=title,
            style=self.style,
            place=place,
            skip=self.word("skip"),
            body=body,
            script=self.script,
        )
        return without_surrogates(page)

    def word(self, key: str) -> str:
        """Return one of the page's own words, which the script can replace."""
        return f'<span data-text="{key}">{self.said(key)}</span>'

    def said(self, key: str) -> str:
        """Return the same for an attribute, in English."""
        return escape(self.texts["en"][key])

    def label(self, key: str) -> str:
        """Return the attributes by which an element is called so."""
        return f'aria-label="{self.said(key)}" data-label="{key}"'

    def block(self, text: str, kind: str, key: str, language: str = "") -> str:
        """Return a text as it was written, which a keyboard can scroll.

        Args:
            text: whatever a person or a model wrote.
            kind: its class.
            key: what it is called.
            language: of the text, as HTML names it (``zh``), where that is known.
        """
        lang = f' lang="{language}"' if language else ""
        return (
            f'<pre class="{kind}" dir="auto"{lang} tabindex="0" role="group" {self.label(key)}>'
            f"{safe_text(text)}</pre>"
        )

    def fold(self, key: str, content: str) -> str:
        """Return what is read only if it is opened."""
        return f"<details><summary>{self.word(key)}</summary>{content}</details>"


def safe_name(text: str) -> str:
    """Return a name in HTML, on one line and with nothing hidden in it."""
    return escape(name_shown(text))


def safe_text(text: str) -> str:
    """Return a text in HTML, with its control characters shown."""
    return escape(with_controls_shown(text))


def _read(file: Path) -> str:
    return file.read_text(encoding="utf-8")


def _digest(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"
