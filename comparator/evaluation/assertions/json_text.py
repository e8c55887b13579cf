"""JSON as an answer has it: strictly as RFC 8259 says, whole or in the midst of other text."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NoReturn

_MOST_DIGITS = 4000  # Python refuses to read longer whole numbers
MOST_TRIES = 1000  # places at which JSON might begin that are looked at


class NotJSON(ValueError):
    """A text is no JSON; the words say why and where, without a full stop."""


def parsed(text: str) -> Any:
    """Return what a text says that is JSON from its begin to its end.

    Raises:
        NotJSON: it is none.
    """
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        what = error.msg[:1].lower() + error.msg[1:]
        raise NotJSON(f"{what} at line {error.lineno}, column {error.colno}") from None
    except RecursionError:
        raise NotJSON("it is nested too deeply to be read") from None
    except ValueError as error:
        raise NotJSON(str(error)) from None


def within(text: str) -> Iterator[Any]:
    """Yield the JSON objects and lists in a text, without those inside another one."""
    place, tries = 0, 0
    while tries < MOST_TRIES:
        begins = [found for found in (text.find("{", place), text.find("[", place)) if found >= 0]
        if not begins:
            return
        place, tries = min(begins), tries + 1
        try:
            value, place = _DECODER.raw_decode(text, place)
            yield value
        except (ValueError, RecursionError):
            place += 1


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number in JSON")


def _whole_number(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MOST_DIGITS else float(digits)


_DECODER = json.JSONDecoder(parse_constant=_refuse_constant, parse_int=_whole_number)
