"""The text of a file that is UTF-8; what else it is, is told."""

from __future__ import annotations

import codecs

from comparator.core.exceptions import ConfigurationError
from comparator.evaluation.assertions.findings import quoted

_ADVICE = "Save it as UTF-8."
_OTHERS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_AROUND = 20  # bytes shown before and behind a place


def text_of(name: str, data: bytes) -> str:
    """Return the text of a file, without the mark of UTF-8 at its begin.

    Raises:
        ConfigurationError: it is empty, or no text in UTF-8; and what it seems to be.
    """
    if not data.strip():
        raise ConfigurationError(f"{name} is empty. Write a prompt into it.")
    for mark, encoding in _OTHERS:
        if data.startswith(mark):
            raise ConfigurationError(f"{name} is text in {encoding}, by its first bytes. {_ADVICE}")
    if (place := data.find(b"\0")) >= 0:
        raise ConfigurationError(_with_nul(name, data, place))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationError(_not_utf8(name, data, error.start)) from None
    if not text.strip():
        raise ConfigurationError(f"{name} has nothing but blanks. Write a prompt into it.")
    return text


def _with_nul(name: str, data: bytes, place: int) -> str:
    begin = data[:4000]
    zeros = begin.count(0)
    if zeros * 3 > len(begin):
        return f"{name} seems to be text in UTF-16: every second byte of it is 0. {_ADVICE}"
    return (
        f"{name} has a NUL character in line {_line(data, place)}, which no text has. It may be "
        "damaged, or no text file at all."
    )


def _not_utf8(name: str, data: bytes, place: int) -> str:
    around = data[max(0, place - _AROUND) : place + _AROUND].splitlines()
    shown = next((line for line in around if data[place : place + 1] in line), around[0])
    return (
        f"{name} is not UTF-8: line {_line(data, place)} has the byte 0x{data[place]:02X}. Read as "
        f"Windows-1252 (Latin-1) it says {quoted(shown.decode('cp1252', 'replace'))}. {_ADVICE}"
    )


def _line(data: bytes, place: int) -> int:
    return data.count(b"\n", 0, place) + 1
