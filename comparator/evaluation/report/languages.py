"""In which language a text is, as far as its letters tell: for screen readers and for fonts."""

from __future__ import annotations

import re

_SCRIPTS = {
    "ja": re.compile("[\u3040-\u30ff]"),  # before Chinese: it has the same ideographs beside these
    "ko": re.compile("[\uac00-\ud7af\u1100-\u11ff]"),
    "zh": re.compile("[\u3400-\u4dbf\u4e00-\u9fff]"),
    "ru": re.compile("[\u0400-\u04ff]"),
    "ar": re.compile("[\u0600-\u06ff]"),
    "hi": re.compile("[\u0900-\u097f]"),
    "th": re.compile("[\u0e00-\u0e7f]"),
}
_LOOKED_AT = 2000  # characters of a text
_LEAST_SHARE = 0.2  # of its letters; an ideograph is worth several letters of a word


def language_of(text: str) -> str:
    """Return a language as HTML names it where its script tells it; empty for Latin letters."""
    begins = text[:_LOOKED_AT]
    letters = sum(one.isalpha() for one in begins)
    if not letters or begins.isascii():
        return ""
    for language, script in _SCRIPTS.items():
        if len(script.findall(begins)) >= _LEAST_SHARE * letters:
            return language
    return ""
