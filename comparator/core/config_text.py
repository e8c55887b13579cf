"""Settings written as text, such as ``temperature=0.2 seed=3 stop=["\\n"]``, or in a form.

This is the one place that makes settings of text, for the page and for the command line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from comparator.core.config import ModelConfig
from comparator.core.exceptions import ConfigurationError

LONGEST_TEXT = 10_000
_LONGEST_NUMBER = 20  # digits; what a setting takes at the most is its own rule

_FOR_ONE_MODEL = re.compile(r"(\d+)\.(.+)", re.DOTALL)
_SPACE = re.compile(r"[\s,;]*")
_NAME = re.compile(r"(?P<name>[A-Za-z][\w-]*)(?P<equals>\s*=\s*)?")
_BARE = re.compile(r"[^\s,;]+")
_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'")
_WORDS: dict[str, Any] = {
    "true": True,
    "yes": True,
    "on": True,
    "false": False,
    "no": False,
    "off": False,
    "none": None,
    "null": None,
}
_ON_OR_OFF = frozenset({"thinking"})  # settings whose values are these words themselves
_DECODER = json.JSONDecoder()
_NUMBER = re.compile(r"[-+]?[0-9]{1,20}")
_WITHOUT_A_LIMIT = {  # setting -> the word for None, and what that means
    "max_tokens": ("none", "to write until the model ends"),
    "n_ctx": ("fit", "for as much as fits"),
}


def parse_settings(text: str) -> dict[str, Any]:
    """Return the settings in a text of ``name=value`` pairs; ``greedy`` stands alone.

    Values are numbers, true or false, null, "quoted texts" or JSON lists; anything else is
    taken as text; one adapter (``lora=NAME``) needs no list. Spaces, commas, semicolons and line
    ends part the pairs.

    Raises:
        ConfigurationError: the text is no such list, or a setting is unknown or out of range.
    """
    if not isinstance(text, str):
        raise ConfigurationError(f"Settings must be text, not {type(text).__name__}.")
    if len(text) > LONGEST_TEXT:
        raise ConfigurationError(f"Settings may have {LONGEST_TEXT} characters; this is more.")
    settings: dict[str, Any] = {}
    position = _skip_space(text, 0)
    while position < len(text):
        name, value, position = _pair(text, position)
        if name in settings:
            raise ConfigurationError(f"The setting {name} is given twice. Give it once.")
        settings[name] = _meant(name, value)
        position = _skip_space(text, position)
    ModelConfig.from_dict(settings)
    return settings


def parse_assignment(text: str) -> tuple[int | None, dict[str, Any]]:
    """Return what ``NAME=VALUE`` sets for all models, or ``N.NAME=VALUE`` for the N-th alone.

    Returns:
        The number of the model, counted from 1, or None for all; and the settings.

    Raises:
        ConfigurationError: as ``parse_settings``.
    """
    match = _FOR_ONE_MODEL.fullmatch(text)
    if match is None:
        return None, parse_settings(text)
    return int(match[1]), parse_settings(match[2])


def assigned(texts: Sequence[str], count: int, what: str = "model") -> list[dict[str, Any]]:
    """Return what assignments, as ``parse_assignment`` reads them, set for each of so many.

    Raises:
        ConfigurationError: one cannot be read, or means a number that is not there; ``what`` is
            the word for what they are.
    """
    settings: list[dict[str, Any]] = [{} for _ in range(count)]
    for text in texts:
        number, values = parse_assignment(text)
        if number is not None and not 1 <= number <= count:
            raise ConfigurationError(f"--set {number}.… means {what} {number} of {count}.")
        for target in settings if number is None else [settings[number - 1]]:
            target.update(values)
    return settings


def stop_strings(text: str) -> list[str]:
    r"""Return the stop texts of a form: one a line, with ``\n`` and ``\t`` as escapes."""
    lines = [line for line in (text or "").split("\n") if line.strip()]
    return [line.replace("\\n", "\n").replace("\\t", "\t") for line in lines]


def whole_number(name: str, value: Any) -> int | None:
    """Return the number in a form's field; None for an empty one.

    Raises:
        ConfigurationError: there is something else in it.
    """
    text = str(value if value is not None else "").strip()
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > _LONGEST_NUMBER:
        raise ConfigurationError(f"{name} must be a whole number or empty, not {text[:40]!r}.")
    return int(text)


def number_or_none(name: str, value: Any) -> Any:
    """Return the number of a setting that may go without one, as a form or an option has it.

    None stands for an empty field and for ``none``, of a context also for ``fit``; what is a
    number already stays as it is.

    Raises:
        ConfigurationError: there is something else in it.
    """
    if isinstance(value, (int, float)):
        return value
    text = str(value if value is not None else "").strip()
    word, meaning = _WITHOUT_A_LIMIT[name]
    if text.lower() in ("", "none", word):
        return None
    if not _NUMBER.fullmatch(text):
        raise ConfigurationError(
            f"{name} must be a whole number, or {word} {meaning}, not {text[:40]!r}."
        )
    return int(text)


def _pair(text: str, position: int) -> tuple[str, Any, int]:
    match = _NAME.match(text, position)
    if match is None:
        raise ConfigurationError(
            f"Cannot read {text[position : position + 30]!r}. "
            "Write settings as name=value, for example: temperature=0.2 seed=3"
        )
    name = match["name"].replace("-", "_")
    if match["equals"]:
        value, end = _value(text, match.end())
        if name in _ON_OR_OFF and isinstance(value, bool):
            value = "on" if value else "off"
        return name, value, end
    if name == "greedy":
        return "do_sample", False, match.end()
    raise ConfigurationError(f"{name} has no value. Write it as {name}=value.")


def _meant(name: str, value: Any) -> Any:
    """Return what a value is meant to be where that depends on the setting."""
    if name == "lora" and isinstance(value, str):
        return [value]
    return None if name == "n_ctx" and value == "fit" else value


def _value(text: str, position: int) -> tuple[Any, int]:
    quoted = _QUOTED.match(text, position)
    if quoted is not None:
        return re.sub(r"\\(.)", r"\1", quoted[1]), quoted.end()
    try:
        value, end = _DECODER.raw_decode(text, position)
    except (ValueError, RecursionError):
        value, end = None, -1
    if end >= 0 and (end == len(text) or text[end] in " \t\r\n,;"):
        return value, end
    bare = _BARE.match(text, position)
    if bare is None or bare[0][0] in "\"'[{":
        raise ConfigurationError(
            f"Cannot read the value {text[position : position + 30]!r}. "
            'Put texts in "quotes" and lists in [brackets].'
        )
    return _WORDS.get(bare[0].lower(), bare[0]), bare.end()


def _skip_space(text: str, position: int) -> int:
    match = _SPACE.match(text, position)
    return match.end() if match else position
