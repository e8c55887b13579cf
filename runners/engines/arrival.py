"""Whether every message arrives in what a chat template makes of a conversation, and where.

A template is a program that came with a model, and a prompt without the question looks like any
other. So each conversation is rendered twice, the second time with marks in place of its texts
that nobody can guess. Where the prompt is that frame with the texts put in, it is known what came
from whom, to the letter. Where a template changes what it is given (upper case, escapes), the
texts are looked for, white space, case and Unicode form aside, and as often as they are given:
a question of one letter is not found in the name of a role.
"""

from __future__ import annotations

import html
import json
import re
import secrets
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from comparator.core.conversation import Message
from runners.engines.taken_out import TakenOut


@dataclass(frozen=True)
class Span:
    """Where the text of a message stands in a prompt.

    Attributes:
        start: its first character, counted from 0.
        end: the first after it.
        number: the message, counted from 0.
    """

    start: int
    end: int
    number: int


class Marks:
    """Texts in place of messages: letters and digits that no text has by chance.

    Attributes:
        messages: the conversation with a mark for each text that is not blank, and beside it the
            switches that the text has.
        taken: what the template may take out of messages.
    """

    def __init__(self, messages: Sequence[Message], taken: TakenOut) -> None:
        word = f"m{secrets.token_hex(8)}n"
        self._pattern = re.compile(word + r"(\d+)e")
        self._marks = {
            number: f"{word}{number}e"
            for number, one in enumerate(messages)
            if taken.says_something(one.content)
        }
        self.taken = taken
        self.messages = tuple(
            Message(one.role, taken.in_place(one.content, self._marks[number]))
            if number in self._marks
            else one
            for number, one in enumerate(messages)
        )
        self._switched = [
            (number, mark)
            for number, mark in self._marks.items()
            if self.messages[number].content != mark
        ]

    def left_out(self, frame: str) -> set[int]:
        """Return the numbers of messages whose marks are not in a frame, in whatever case."""
        seen = plain(frame)
        return {number for number, mark in self._marks.items() if mark not in seen}

    def parts(self, frame: str) -> list[str]:
        """Return a frame cut at its marks: a text, the number of a message, a text, and so on."""
        for number, mark in self._switched:  # where the template leaves its switches beside it
            frame = frame.replace(self.messages[number].content, mark)
        return self._pattern.split(frame)

    def emptied(self, frame: str) -> str:
        """Return what a template writes itself, plain."""
        seen = plain(frame)
        for number, _mark in self._switched:
            seen = seen.replace(plain(self.messages[number].content), "\n")
        return self._pattern.sub("\n", seen)


def spans(
    messages: Sequence[Message], text: str, frame: str | None, marks: Marks
) -> tuple[Span, ...] | None:
    """Return where the messages stand; None where the prompt is not its frame with them put in.

    Args:
        messages: the conversation.
        text: the rendered prompt.
        frame: the same with marks; None where the template refuses those.
        marks: which ones.
    """
    if frame is None:
        return None
    first, *others = marks.parts(frame)
    found: list[Span] = []
    place = len(first)
    if not text.startswith(first):
        return None
    for number, following in zip(map(int, others[::2]), others[1::2], strict=True):
        end = _end_of(_trimmed(messages[number], marks.taken), text, place, following)
        if end is None:
            return None
        found.append(Span(place, end, number))
        place = end + len(following)
    all_there = {span.number for span in found}.issuperset(_that_can_be_lost(messages, marks.taken))
    return tuple(found) if all_there and place == len(text) else None


def lost(messages: Sequence[Message], text: str, frame: str | None, marks: Marks) -> list[int]:
    """Return the numbers of messages, from 0, whose text is not in a prompt.

    The arguments are those of ``spans``, whose answer goes before this one's.
    """
    seen, taken = plain(text), marks.taken
    own = marks.emptied(frame) if frame is not None else ""
    left_out = marks.left_out(frame) if frame is not None else set()
    there = [taken.answer_of(one) for number, one in enumerate(messages) if number not in left_out]
    whole, bare = "\0".join(map(plain, there)), "\0".join(map(plain, map(taken.unswitched, there)))
    return [
        number
        for number in _that_can_be_lost(messages, taken)
        if number in left_out
        or not any(
            _arrives(form, seen, own, bare if form == taken.unswitched(form) else whole)
            for form in _disguises(messages[number], taken)
        )
    ]


def plain(text: str) -> str:
    """Return a text without white space, case and Unicode form, to look for it and in it."""
    folded = unicodedata.normalize("NFKD", text).casefold()
    return "".join(unicodedata.normalize("NFKD", folded).split())


def out_of_order(found: Sequence[Span]) -> bool:
    """Tell whether messages stand before ones that were given earlier."""
    numbers = [span.number for span in found]
    return numbers != sorted(numbers)


def repeated(found: Sequence[Span]) -> bool:
    """Tell whether a message stands in a prompt more than once."""
    return len({span.number for span in found}) < len(found)


def without_switches(
    messages: Sequence[Message], text: str, found: Sequence[Span], taken: TakenOut
) -> bool:
    """Tell whether switches that stand in messages were taken out of them."""
    told = {span.number: text[span.start : span.end] for span in found}
    return any(
        plain(told[number]) not in map(plain, taken.whole(one))
        for number, one in enumerate(messages)
        if number in told and any(switch in one.content for switch in taken.switches)
    )


def _that_can_be_lost(messages: Sequence[Message], taken: TakenOut) -> list[int]:
    return [
        number for number, one in enumerate(messages) if taken.says_something(taken.answer_of(one))
    ]


def _end_of(forms: Iterable[str], text: str, place: int, following: str) -> int | None:
    """Return where a message ends that begins at a place, before what follows; None where not."""
    for form in forms:
        end = place + len(form)
        if text.startswith(form, place) and text.startswith(following, end):
            return end
    return None


def _trimmed(message: Message, taken: TakenOut) -> Iterator[str]:
    """Yield what templates make of a text without changing what it says."""
    for text in taken.told(message):
        yield from (text, text.strip(), text.rstrip(), text.lstrip(), text.lstrip("\n"))


def _disguises(message: Message, taken: TakenOut) -> Iterator[str]:
    """Yield a text as it may stand in a prompt: as it is, or escaped in one of the usual ways."""
    for text in taken.told(message):
        yield from (text, text.upper(), text.lower())
        yield json.dumps(text, ensure_ascii=False)[1:-1]
        yield json.dumps(text)[1:-1]
        yield html.escape(text)
        yield html.escape(text).replace("&quot;", "&#34;").replace("&#x27;", "&#39;")
        yield repr(text)[1:-1]


def _arrives(form: str, seen: str, own: str, given: str) -> bool:
    """Tell whether a text stands in a prompt as often as it must.

    Args:
        form: the text, as it may stand there.
        seen: the prompt, plain.
        own: what the template writes itself, plain.
        given: all texts of the conversation, plain.
    """
    wanted = plain(form)
    if wanted not in seen:
        return False
    return seen.count(wanted) >= own.count(wanted) + max(1, given.count(wanted))
