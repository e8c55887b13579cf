"""Files of text that are put before a question, so that it can be asked of them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from comparator.core.exceptions import ConfigurationError
from comparator.core.limits import LARGEST_FILES_BYTES, MOST_FILES
from comparator.core.text import with_controls_shown, without_surrogates

_LONGEST_NAME = 200
_FENCE = re.compile(r"^ {0,3}(`{3,})", re.MULTILINE)


def with_files(question: str, files: object) -> str:
    """Return a question behind the files that it is about, each under its name in a fence.

    A fence is longer than any in its file, so that no file can end it early. Without files, or
    without a question, which is an error of its own, the question stays as it is.

    Args:
        question: what is asked.
        files: a list of ``{"name": …, "text": …}``, as a page sends it.

    Raises:
        ConfigurationError: they are no such list, too many, or too large together.
    """
    taken = files_in(files)
    if not taken or not question.strip():
        return question
    return "\n\n".join([*(_fenced(name, text) for name, text in taken), question])


def files_in(files: object) -> list[tuple[str, str]]:
    """Return the name and the text of each file.

    Raises:
        ConfigurationError: as ``with_files``.
    """
    if files is None:
        return []
    if not isinstance(files, Sequence) or isinstance(files, str) or not all(map(_is_file, files)):
        raise ConfigurationError("The files cannot be read. Take them away and add them again.")
    if len(files) > MOST_FILES:
        raise ConfigurationError(f"Up to {MOST_FILES} files may be added; {len(files)} were.")
    taken = [(file["name"], without_surrogates(file["text"])) for file in files]
    size = sum(len(text.encode("utf-8")) for _name, text in taken)
    if size > LARGEST_FILES_BYTES:
        raise ConfigurationError(
            f"The files have {size} bytes together; {LARGEST_FILES_BYTES} may be added. "
            "Take one away, or add a part of it."
        )
    return taken


def _is_file(file: Any) -> bool:
    return isinstance(file, Mapping) and all(
        isinstance(file.get(part), str) for part in ("name", "text")
    )


def _fenced(name: str, text: str) -> str:
    fence = "`" * max(3, *(len(found) + 1 for found in _FENCE.findall(text)), 3)
    line = " ".join(with_controls_shown(without_surrogates(name)).split())[:_LONGEST_NAME]
    end = "" if text.endswith("\n") else "\n"
    return f"File {line or 'without a name'}:\n{fence}\n{text}{end}{fence}"
