"""Where the prompts of a page's suite come from: typed, a file, the history, built in, or kept."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from comparator.core.exceptions import ConfigurationError
from comparator.evaluation import suite_files
from comparator.evaluation.suites import BUILTIN, builtin
from comparator.storage.kept_comparison import KeptComparison
from comparator.storage.kept_suite import Item, KeptSuite, Suite

NO_SOURCE = "Type prompts, a line each, or choose a file, comparisons of the history, or a suite."
NO_FILE = "The file did not arrive whole. Choose it once more."
NO_BUILTIN = "There is no built-in suite {!r}. There are: {}."
NOT_KEPT = "No suite {!r} is kept here any more."
NO_COMPARISON = "Choose at least one comparison whose question is still in the history."
MOST_COMPARISONS = 200
FROM_HISTORY = "From the history"
_LONGEST_NAME = 200  # characters

FindComparison = Callable[[str], "KeptComparison | None"]
FindSuite = Callable[[str], "KeptSuite | None"]


def suite_of(source: Any, comparison: FindComparison, kept: FindSuite) -> Suite:
    """Return the suite that a page or a program means. Reads and checks all of it: not for a loop.

    Args:
        source: ``{"kind": …}`` with ``paste`` and ``text``; ``file``, ``name`` and ``data`` in
            base 64; ``history`` and ``ids``; ``builtin`` and ``name``; ``kept`` and ``id``.
        comparison: finds a comparison of the asker's own history.
        kept: finds a suite of the asker's own.

    Raises:
        ConfigurationError: says what is wrong, and in which line or item.
    """
    kind = source.get("kind") if isinstance(source, Mapping) else None
    if kind == "paste":
        return _pasted(source.get("text"))
    if kind == "file":
        return _uploaded(source.get("name"), source.get("data"))
    if kind == "history":
        return of_comparisons(source.get("ids"), comparison)
    if kind == "builtin":
        return built_in(str(source.get("name"))[:_LONGEST_NAME])
    if kind == "kept":
        return _kept_before(str(source.get("id"))[:_LONGEST_NAME], kept)
    raise ConfigurationError(NO_SOURCE)


def told_source(suite: Any) -> Mapping[str, Any]:
    """Return the source that a program means by ``/suite_run``'s ``suite``.

    A text of one line that names a built-in suite is that one; another text is prompts, a line
    each; a list holds prompts, or objects with the columns of a suite's file; an object with
    ``name`` and ``text`` is a file.

    Raises:
        ConfigurationError: it is something else.
    """
    if isinstance(suite, str):
        name = suite.strip()
        return {"kind": "builtin", "name": name} if name in builtin_names() else _typed(suite)
    if isinstance(suite, list):
        return _as_file("suite.jsonl", _lines(suite))
    if isinstance(suite, Mapping) and isinstance(suite.get("text"), str):
        return _as_file(str(suite.get("name") or "suite.txt"), suite["text"])
    raise ConfigurationError(
        "suite must be a text of prompts, a line each; the name of a built-in suite; a list of "
        'prompts or objects; or {"name": FILE, "text": what stands in it}.'
    )


def builtin_names() -> Sequence[str]:
    """Return the names of the suites that come with the comparator."""
    return list(BUILTIN)


def built_in(name: str) -> Suite:
    """Return a built-in suite.

    Raises:
        ConfigurationError: there is none of that name.
    """
    found = builtin(name)
    if found is None:
        raise ConfigurationError(NO_BUILTIN.format(name, ", ".join(builtin_names())))
    return found


def of_comparisons(ids: Any, find: FindComparison) -> Suite:
    """Return the questions of comparisons as a suite, each with what was said before it.

    Raises:
        ConfigurationError: none of them is there any more, or too many were chosen.
    """
    names = [one for one in ids if isinstance(one, str)] if isinstance(ids, list) else []
    if len(names) > MOST_COMPARISONS:
        raise ConfigurationError(f"Choose up to {MOST_COMPARISONS} comparisons.")
    names = list(dict.fromkeys(names))
    found = map(find, names)
    items = [item for kept in found if kept is not None and (item := _item_of(kept))]
    if not items:
        raise ConfigurationError(NO_COMPARISON)
    gone = len(names) - len(items)
    notes = [f"{gone} of the chosen comparisons are gone, or have no question."] if gone else []
    return Suite(FROM_HISTORY, items, notes)


def _item_of(kept: KeptComparison) -> Item | None:
    """Return what a comparison's first column was asked, without what it answered last."""
    messages = list(kept.records[0]["prompt"].get("messages") or ()) if kept.records else []
    while messages and messages[-1].get("role") != "user":
        messages.pop()
    plain = [{"role": str(one["role"]), "content": str(one["content"])} for one in messages]
    return Item(kept.id, plain) if plain else None


def _pasted(text: Any) -> Suite:
    if not isinstance(text, str) or not text.strip():
        raise ConfigurationError(NO_SOURCE)
    return suite_files.pasted(text)


def _uploaded(name: Any, data: Any) -> Suite:
    if not isinstance(name, str) or not isinstance(data, str):
        raise ConfigurationError(NO_FILE)
    try:
        content = base64.b64decode(data, validate=True)
    except (binascii.Error, ValueError) as error:
        raise ConfigurationError(NO_FILE) from error
    return suite_files.parsed(name[:_LONGEST_NAME], content)


def _kept_before(name: str, find: FindSuite) -> Suite:
    found = find(name)
    if found is None:
        raise ConfigurationError(NOT_KEPT.format(name[:40]))
    return msgspec.structs.replace(found.suite, name=found.suite.name or found.name)


def _typed(text: str) -> Mapping[str, Any]:
    return {"kind": "paste", "text": text}


def _as_file(name: str, text: str) -> Mapping[str, Any]:
    data = base64.b64encode(text.encode("utf-8", "replace")).decode("ascii")
    return {"kind": "file", "name": name, "data": data}


def _lines(items: Sequence[Any]) -> str:
    objects = ({"prompt": one} if isinstance(one, str) else one for one in items)
    return "\n".join(json.dumps(one, ensure_ascii=False) for one in objects)
