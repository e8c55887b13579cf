"""The page's texts: none missing, none left over, and the same values in both languages."""

from __future__ import annotations

import functools
import html
import json
import re
from collections.abc import Iterable
from pathlib import Path

import pytest

from comparator.ui import language
from comparator.ui.language import FOLDER, LANGUAGES, texts
from comparator.ui.worded import said, said_label

UI = FOLDER.parent
AREAS = sorted(path.stem for path in (FOLDER / LANGUAGES[0]).glob("*.json"))
# A key in code: whole, or its beginning where the rest of it is put in: f"library.step_{step}".
WHOLE = re.compile(r"""["'`]((?:{})\.[\w.]+)["'`]""".format("|".join(AREAS)))
BEGINNING = re.compile(r"""["'`]((?:{})\.[\w.]*)\$?\{{""".format("|".join(AREAS)))
# The end of such a key: said(`board.${sign}_column`); its other part is a word elsewhere.
END = re.compile(r"""["'`](?:{})\.\$?\{{[^}}]*\}}(\w*)["'`]""".format("|".join(AREAS)))
WORD = re.compile(r"""["'`](\w+)["'`]|^ *(\w+):|[{,] (\w+):""", re.MULTILINE)
SUFFIXES = {"sqlite3", "js", "css", "html", "json", "py"}
BRACES = re.compile(r"\{(\w+)\}")
# What stays in Latin letters in a Chinese sentence: names, units, keys and what is typed.
NAMES = {
    *(
        "Ctrl",
        "max_tokens",
        "Python",
        "Google",
        "Lines",
        "bfloat16",
        "float16",
        "float32",
        "name",
        "value",
    ),
    *("city", "year", "comparator", "starter", "replay", "import", "no-history", "off"),
    *("COMPARATOR_HISTORY", "COMPARATOR_DATA_DIR", "FastChat", "n_ctx", "kv_cache_type"),
    *("thinking", "FFFD"),
    *("auto", "JSONL", "Parquet", "YAML", "suite", "run", "FILE"),
    *("GGUF", "PyTorch", "Hugging", "Face", "Hub", "SmolLM2", "ORG", "NAME", "transformers"),
    *("GB", "MB", "KV", "Enter", "Shift", "Esc", "Markdown", "HTML", "JSON", "CSV", "GPU", "RAM"),
    *("VRAM", "CPU", "LLM", "Multi-LLM", "Comparator", "PAIR", "promptfoo", "LoRA", "tok/s"),
    *("top_p", "top_k", "min_p", "lora", "f16", "q8_0", "q4_0", "URL", "UTF-8", "SQLite", "TXT"),
    *(
        "PATH",
        "SCALE",
        "PATH:SCALE",
        "zh-CN",
        "token",
        "tokens",
        "Token",
        "temperature",
        "seed",
        "None",
    ),
}


@functools.cache
def code() -> str:
    """Return all code that may name a text, as one: services hand some on as a word."""
    files = [
        *UI.parent.rglob("*.py"),
        *(UI / "static").glob("*.js"),
        *(UI / "static").glob("*.html"),
    ]
    return "\n".join(path.read_text(encoding="utf-8") for path in files)


def used() -> tuple[set[str], set[str]]:
    """Return the keys that the page's code names, and the beginnings of keys."""
    keys = {key for key in WHOLE.findall(code()) if key.rpartition(".")[2] not in SUFFIXES}
    return keys, set(BEGINNING.findall(code()))


def without_a_use(keys: Iterable[str]) -> list[str]:
    """Return the keys that no code means which puts an area and a word together."""
    words = {word for found in WORD.findall(code()) for word in found if word}
    ends = {"", *END.findall(code())}
    names = {key: key.rpartition(".")[2] for key in keys}
    return [
        key
        for key, name in names.items()
        if not any(name.endswith(end) and name.removesuffix(end) in words for end in ends)
    ]


@pytest.mark.parametrize("spoken", LANGUAGES)
def test_every_text_that_is_used_is_there(spoken: str) -> None:
    keys, beginnings = used()
    there = texts()[spoken]
    assert keys - set(there) == set()
    assert [one for one in beginnings if not any(key.startswith(one) for key in there)] == []


def test_every_text_is_used() -> None:
    keys, beginnings = used()
    begun = tuple(one for one in beginnings if one.rstrip(".") not in AREAS)
    begun += ("sentences.",)  # patterns of what services say: tests/unit/ui/test_sentences.py
    left_over = [key for key in texts()["en"] if key not in keys and not key.startswith(begun)]
    assert without_a_use(left_over) == []


def test_the_languages_have_the_same_texts_with_the_same_values() -> None:
    english, chinese = (texts()[name] for name in LANGUAGES)
    assert english.keys() == chinese.keys()
    different = [
        key
        for key in english
        if sorted(set(BRACES.findall(english[key]))) != sorted(set(BRACES.findall(chinese[key])))
    ]
    assert different == []
    assert [key for key, words in {**english, **chinese}.items() if not words.strip()] == []


def test_no_english_is_left_in_the_chinese_texts() -> None:
    left = {}
    for key, words in texts()["zh-CN"].items():
        plain = re.sub(r"`[^`]*`|<[^>]*>|\{\w+\}|https?:\S+", " ", words)
        found = [word for word in re.findall(r"[A-Za-z][\w/:-]+", plain) if not _is_name(word)]
        if found:
            left[key] = found
    assert left == {}


def _is_name(word: str) -> bool:
    return all(part in NAMES for part in re.split(r"[/]", word)) or word in NAMES


def test_every_file_of_texts_is_flat_and_in_both_languages() -> None:
    for area in AREAS:
        for spoken in LANGUAGES:
            path: Path = FOLDER / spoken / f"{area}.json"
            read = json.loads(path.read_text(encoding="utf-8"))
            assert all(isinstance(words, str) for words in read.values()), path
    assert {path.stem for path in (FOLDER / "zh-CN").glob("*.json")} == set(AREAS)


def test_related_languages_have_the_texts_of_ours() -> None:
    told = language.translations().translations_dict
    assert told["zh-TW"] == texts()["zh-CN"]
    assert set(told) == {*LANGUAGES, *language.RELATED}


def test_words_in_html_carry_their_key_and_no_value_becomes_html() -> None:
    shown = said("library.removed", names="<img src=x>\x1b", size="1 MB")
    assert "<img" not in shown
    assert "\x1b" not in shown
    assert 'data-said="library.removed"' in shown
    assert html.unescape(re.sub(r"<[^>]*>", "", shown)) == "Removed <img src=x>\\x1b; 1 MB freed."
    label = said_label("hub.cancel_of", name='"><b>')
    assert "<" not in label
    assert label.startswith('aria-label="Cancel &quot;&gt;&lt;b&gt;"')


def test_a_text_that_is_missing_is_an_error() -> None:
    with pytest.raises(KeyError):
        said("page.no_such_text")
    with pytest.raises(KeyError):
        language.text("page.no_such_text")
