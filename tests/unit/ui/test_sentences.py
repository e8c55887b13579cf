"""The sentences of services that the page puts into the reader's words: services say them so."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

from comparator.ui.compare.prompt_fit import in_html
from comparator.ui.compare.render import advice
from comparator.ui.history.render import note
from comparator.ui.language import FOLDER, LANGUAGES, texts

SOURCES = (FOLDER.parents[1], FOLDER.parents[2] / "runners")
WORD = re.compile(r"[\w'{}]+")
BRACES = re.compile(r"\{\w+\}")
LEAST_LETTERS = 4  # of a piece between braces that can be looked for
WORDS_TOGETHER = 2  # at least, on average, of a piece that the code puts together of several


@functools.cache
def said_in_code() -> str:
    """Return all texts of the code, with what is put into them left out, each on a line."""
    found: list[str] = []
    for folder in SOURCES:
        for path in folder.rglob("*.py"):
            found += _texts_of(path)
    return "\n".join(found)


def _texts_of(path: Path) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.Constant) else "{}" for part in node.values]
            found.append("".join(map(str, parts)))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            found.append(node.value)
    return found


def test_every_sentence_with_words_of_its_own_is_one_that_a_service_says() -> None:
    strange = {}
    for key, text in texts()[LANGUAGES[0]].items():
        if key.startswith("sentences."):
            pieces = [one for one in BRACES.split(text) if len(one.strip()) >= LEAST_LETTERS]
            missing = [one for one in pieces if not _is_said(one)]
            if missing:
                strange[key] = missing
    assert strange == {}


def _is_said(piece: str) -> bool:
    """Whether a piece is in the code, or is put together of few texts that are."""
    words, texts_of_it = words_of(piece).split(), 0
    while words:
        length = next(
            (n for n in range(len(words), 0, -1) if f" {' '.join(words[:n])} " in said()), 0
        )
        if not length:
            return False
        words, texts_of_it = words[length:], texts_of_it + 1
    return texts_of_it <= 1 + len(piece.split()) / WORDS_TOGETHER


@functools.cache
def said() -> str:
    """Return the words of all texts of the code."""
    return words_of(said_in_code())


def words_of(text: str) -> str:
    """Return the words of a text alone, with a space before and after each."""
    return f" {' '.join(WORD.findall(text))} "


def test_server_made_notes_carry_their_sentences_and_nothing_becomes_html() -> None:
    hostile = "<b title='x'>Type a prompt first\u202e; it is empty."
    for shown in (note(hostile), advice([hostile]), in_html([(0, hostile)])):
        assert "data-sentence=" in shown
        assert "<b title" not in shown
        assert "\u202e" not in shown
    assert note("") == ""
