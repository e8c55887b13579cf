"""A row of a file, in whatever format, made one prompt of a suite."""

from __future__ import annotations

import difflib
import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from comparator.core.conversation import Conversation
from comparator.core.exceptions import ConfigurationError
from comparator.core.text import name_shown, without_surrogates
from comparator.core.units import fine_size
from comparator.evaluation.assertions.findings import quoted
from comparator.evaluation.assertions.texts import as_text
from comparator.evaluation.suite_files import bounds
from comparator.evaluation.suite_files.notes import Notes
from comparator.evaluation.suite_files.shorthand import assertions_of
from comparator.storage.kept_suite import Assertion, Item, Suite

PROMPTS = ("prompt", "question", "input")
COLUMNS = (*PROMPTS, "id", "system", "messages", "expected", "assert", "tags")
_PROMPTFOOS = ("__expected", "__prefix", "__suffix")
LONGEST_EXPECTED = 200  # characters of what an answer is believed to repeat
_ALONE_UP_TO = 3  # characters; a shorter word is in others by chance


@dataclass(frozen=True)
class FileRow:
    """What a file says of one prompt.

    Attributes:
        where: its place, as the beginning of a sentence.
        values: by the names of ``COLUMNS``; others are passed over.
        filled: what its template was filled with.
    """

    where: str
    values: Mapping[str, Any]
    filled: dict[str, Any] = field(default_factory=dict)


def suite_of(name: str, rows: Iterable[FileRow], notes: Notes) -> Suite:
    """Return the suite that rows say.

    Raises:
        ConfigurationError: there is none, too many, or something is wrong in one, and where.
    """
    items: list[Item] = []
    given: dict[str, str] = {}
    size = 0
    for row in rows:
        if len(items) == bounds.MOST_ITEMS:
            raise ConfigurationError(
                f"There are more than {bounds.MOST_ITEMS} prompts. Make several suites of them."
            )
        item = _item(row, notes)
        size += _size(item, row.where)
        if size > bounds.MOST_BYTES:
            raise ConfigurationError(
                f"The prompts, with what their answers must be, come to more than "
                f"{fine_size(bounds.MOST_BYTES)}. Make several suites of them."
            )
        if item.id and item.id in given:
            raise ConfigurationError(
                f"{row.where} has the id {quoted(item.id)}, as {given[item.id]} has. Give each "
                "prompt an id of its own, or none."
            )
        given |= {item.id: row.where} if item.id else {}
        items.append(item)
    if not items:
        raise ConfigurationError("There is no prompt in it. Write one.")
    return Suite(name, list(_numbered(items, set(given))), notes.sentences())


def _size(item: Item, where: str) -> int:
    """Return the bytes that a prompt is kept in; templates may make much of a small file."""
    import msgspec

    try:
        return len(msgspec.json.encode(item))
    except (TypeError, ValueError, RecursionError):
        raise ConfigurationError(f"{where} has values that JSON cannot say.") from None


def _numbered(items: list[Item], given: set[str]) -> Iterator[Item]:
    """Give each prompt without an id its number, so that it has the same the next time."""
    from msgspec.structs import replace

    for number, item in enumerate(items, start=1):
        own = str(number)
        while not item.id and own in given:
            own += "'"
        yield item if item.id else replace(item, id=own)


def _item(row: FileRow, notes: Notes) -> Item:
    values = _known(row, notes)
    expected = _expected(values.get("expected"), row.where)
    checked = assertions_of(values.get("assert"), row.where, notes)
    if expected is not None and not checked:
        checked = _of_expected(expected, row.where, notes)
    return Item(
        id=_id(values.get("id"), row.where),
        messages=_messages(values, row.where, notes),
        expected=expected,
        assertions=checked,
        tags=_tags(values.get("tags"), row.where),
        vars=row.filled,
    )


def _known(row: FileRow, notes: Notes) -> dict[str, Any]:
    """Return what is known of a row, without what is empty."""
    known = {}
    for name, value in row.values.items():
        column = name.strip().lower() if isinstance(name, str) else name
        if column not in COLUMNS:
            _mind_column(name, row.where, notes)
        elif value is not None and value != "":
            known[column] = value
    prompts = [name for name in PROMPTS if name in known]
    for name in prompts[1:]:
        notes.add(f"{prompts[0]} is asked, and {name} beside it is passed over", row.where)
    if prompts:
        known["prompt"] = known[prompts[0]]
    return known


def _mind_column(name: object, where: str, notes: Notes) -> None:
    """Note a column that is not known; refuse what would change what is asked or graded."""
    if str(name).strip().lower().startswith(_PROMPTFOOS):
        raise ConfigurationError(
            f"{where} has {quoted(str(name))}, a column of promptfoo's tables. Write what it says "
            "into prompt, or into assert (such as equals: Paris)."
        )
    notes.unknown("The column", str(name)[:100], why=_nearest(str(name)))


@functools.lru_cache(maxsize=1000)  # each row has the same
def _nearest(name: str) -> str:
    near = difflib.get_close_matches(name.strip().lower(), COLUMNS, n=1, cutoff=0.7)
    return f" (did you mean {near[0]}?)" if near else ""


def _messages(values: Mapping[str, Any], where: str, notes: Notes) -> list[dict[str, str]]:
    prompt, messages = values.get("prompt"), values.get("messages")
    system = values.get("system")
    if prompt is not None and messages is not None:
        raise ConfigurationError(f"{where} has both a prompt and messages. Leave one out.")
    if prompt is None and messages is None:
        raise ConfigurationError(f"{where} has no prompt.{_who_has(values)}")
    if not isinstance(system, (str, type(None))):
        raise ConfigurationError(f"{where}: system must be text, not {type(system).__name__}.")
    if prompt is not None and not isinstance(prompt, str):
        raise ConfigurationError(f"{where}: the prompt must be text, not {type(prompt).__name__}.")
    if isinstance(messages, str):
        messages = _json(messages, "messages", where)
    if system and _has_system(messages):
        raise ConfigurationError(f"{where} has system twice: beside its messages and in them.")
    asked_of: Any = prompt if messages is None else messages
    try:
        asked = Conversation.of(asked_of, system or "")
    except ConfigurationError as error:
        raise ConfigurationError(f"{where}: {error}") from None
    if asked.has_replacements:
        notes.add("Characters that are no text were replaced by \ufffd", where)
    return asked.records()


def _has_system(messages: Any) -> bool:
    listed = messages if isinstance(messages, list) else []
    return any(isinstance(one, dict) and one.get("role") == "system" for one in listed)


def _who_has(values: Mapping[str, Any]) -> str:
    told = ", ".join(values) if values else "nothing at all"
    return f" It has {told}; a prompt stands in {', '.join(PROMPTS[:-1])} or {PROMPTS[-1]}."


def _json(text: str, name: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{where}: {name} is no JSON ({error}).") from None


def _id(value: Any, where: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, (str, int)) or isinstance(value, bool):
        raise ConfigurationError(f"{where}: the id must be text, not {type(value).__name__}.")
    shown = name_shown(str(value))
    if len(shown) > bounds.LONGEST_ID:
        raise ConfigurationError(
            f"{where}: the id has {len(shown)} characters; the limit is {bounds.LONGEST_ID}."
        )
    return shown


def _expected(value: Any, where: str) -> str | None:
    if value is None:
        return None
    if isinstance(value, (dict, list)):
        raise ConfigurationError(
            f"{where}: expected must be one text; write several as an assertion contains-any."
        )
    return without_surrogates(as_text(value))


def _tags(value: Any, where: str) -> list[str]:
    if value is None:
        return []
    if isinstance(value, str):
        is_json = value.lstrip().startswith("[")
        value = _json(value, "tags", where) if is_json else value.split(",")
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ConfigurationError(f"{where}: tags must be a list of words.")
    tags = list(dict.fromkeys(filter(None, map(name_shown, value))))
    if len(tags) > bounds.MOST_TAGS or any(len(tag) > bounds.LONGEST_TAG for tag in tags):
        raise ConfigurationError(
            f"{where}: up to {bounds.MOST_TAGS} tags of {bounds.LONGEST_TAG} characters."
        )
    return tags


def _of_expected(expected: str, where: str, notes: Notes) -> list[Assertion]:
    """Return what an answer must be where only the right one is given: it must say it.

    A long text is repeated by no answer word for word, so nothing is asserted of it.
    """
    text = expected.strip()
    if not text or "\n" in text or len(text) > LONGEST_EXPECTED:
        notes.add(
            "An expected answer of several lines, or longer than "
            f"{LONGEST_EXPECTED} characters, is for judges and people; nothing is asserted of it",
            where,
        )
        return []
    if not text.isascii() or not (len(text) <= _ALONE_UP_TO or _is_number(text)):
        notes.add("Where only expected is given, an answer passes that contains it (icontains)")
        return [Assertion("icontains", text)]
    notes.add(
        "Where only expected is given and it is a number or a word of up to "
        f"{_ALONE_UP_TO} letters, an answer passes in which it stands alone (4 is not in 14)"
    )
    return [Assertion("regex", _alone(text))]


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[-+]?[\d.,]*\d", text, re.ASCII) is not None


def _alone(text: str) -> str:
    """Return the pattern of a text that is no part of a longer word or number.

    A single letter, as of a choice, is not the article: its capital counts.
    """
    before = "(?<![A-Za-z0-9.,-])" if text[0].isdigit() else "(?<![A-Za-z0-9])"
    behind = "(?![A-Za-z0-9]|[.,][0-9])" if text[-1].isdigit() else "(?![A-Za-z0-9])"
    capitals = "" if len(text) == 1 and text.isalpha() else "(?i)"
    return f"{capitals}{before}{re.escape(text)}{behind}"
