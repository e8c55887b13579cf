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
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from comparator.core.conversation import Message
from runners.engines.thinking import CHANNEL, KNOWN, MESSAGE, THINKING_CHANNEL

# What begins and ends a thought in past answers, which templates of reasoning models leave out.
_THOUGHTS = {
    **{pair.opener: pair.closer for pair in KNOWN},
    f"{CHANNEL}{THINKING_CHANNEL}": f"{CHANNEL}final{MESSAGE}",
}


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
        messages: the conversation with a mark for each text that is not blank.
    """

    def __init__(self, messages: Sequence[Message]) -> None:
        word = f"m{secrets.token_hex(8)}n"
        self._pattern = re.compile(word + r"(\d+)e")
        self.messages = tuple(
            Message(one.role, f"{word}{number}e" if one.content.strip() else one.content)
            for number, one in enumerate(messages)
        )

    def left_out(self, frame: str) -> set[int]:
        """Return the numbers of messages whose marks are not in a frame, in whatever case."""
        seen = plain(frame)
        return {
            number
            for number, one in enumerate(self.messages)
            if one.content.strip() and one.content not in seen
        }

    def parts(self, frame: str) -> list[str]:
        """Return a frame cut at its marks: a text, the number of a message, a text, and so on."""
        return self._pattern.split(frame)

    def emptied(self, frame: str) -> str:
        """Return what a template writes itself, plain."""
        return self._pattern.sub("\n", plain(frame))


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
        end = _end_of(messages[number], text, place, following)
        if end is None:
            return None
        found.append(Span(place, end, number))
        place = end + len(following)
    all_there = {span.number for span in found}.issuperset(_that_can_be_lost(messages))
    return tuple(found) if all_there and place == len(text) else None


def lost(messages: Sequence[Message], text: str, frame: str | None, marks: Marks) -> list[int]:
    """Return the numbers of messages, from 0, whose text is not in a prompt.

    The arguments are those of ``spans``, whose answer goes before this one's.
    """
    seen = plain(text)
    own = marks.emptied(frame) if frame is not None else ""
    left_out = marks.left_out(frame) if frame is not None else set()
    there = (one for number, one in enumerate(messages) if number not in left_out)
    given = "\0".join(plain(_answer_of(one)) for one in there)
    return [
        number
        for number in _that_can_be_lost(messages)
        if number in left_out
        or not any(_arrives(form, seen, own, given) for form in _disguises(messages[number]))
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


def _that_can_be_lost(messages: Sequence[Message]) -> list[int]:
    return [number for number, one in enumerate(messages) if _answer_of(one).strip()]


def _end_of(message: Message, text: str, place: int, following: str) -> int | None:
    """Return where a message ends that begins at a place, before what follows; None where not."""
    for form in _trimmed(message):
        end = place + len(form)
        if text.startswith(form, place) and text.startswith(following, end):
            return end
    return None


def _trimmed(message: Message) -> Iterator[str]:
    """Yield what templates make of a text without changing what it says."""
    for text in _told(message):
        yield from (text, text.strip(), text.rstrip(), text.lstrip(), text.lstrip("\n"))


def _told(message: Message) -> tuple[str, ...]:
    """Return a text; of a past answer also what is left of it without its thought."""
    answer = _answer_of(message)
    return (message.content,) if answer == message.content else (message.content, answer)


def _answer_of(message: Message) -> str:
    """Return a past answer without its thought, blank if it is nothing else; other texts whole."""
    text = message.content
    if message.role != "assistant":
        return text
    for begin, end in _THOUGHTS.items():
        if end in text:
            text = text.rpartition(end)[2]
        elif begin in text:  # cut off while it thought
            text = text.partition(begin)[0]
    return text


def _disguises(message: Message) -> Iterator[str]:
    """Yield a text as it may stand in a prompt: as it is, or escaped in one of the usual ways."""
    for text in _told(message):
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
