"""What chat templates take out of messages by design, so that nobody misses it.

Templates of reasoning models leave the thoughts out of past answers. Some read switches in a
message and remove them (SmolLM3 and Nemotron Nano v2, as their model cards say).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from comparator.core.conversation import Message
from runners.engines.template_thoughts import marks_of
from runners.engines.thinking import CHANNEL, KNOWN, MESSAGE, THINKING_CHANNEL, Pair

_CHANNEL = Pair(f"{CHANNEL}{THINKING_CHANNEL}", f"{CHANNEL}final{MESSAGE}")
_SWITCHES = ("/no_think", "/nothink", "/think", "/system_override")


@dataclass(frozen=True)
class TakenOut:
    """What one template may take out.

    Attributes:
        pairs: marks around thoughts.
        switches: words that its source names.
    """

    pairs: Sequence[Pair] = KNOWN
    switches: Sequence[str] = ()

    def answer_of(self, message: Message) -> str:
        """Return a past answer without its thought, blank if it is nothing else; others whole."""
        text = message.content
        if message.role != "assistant":
            return text
        for pair in (*self.pairs, _CHANNEL):
            if pair.closer in text:
                text = text.rpartition(pair.closer)[2]
            elif pair.opener and pair.opener in text:  # cut off while it thought
                text = text.partition(pair.opener)[0]
        return text

    def whole(self, message: Message) -> tuple[str, ...]:
        """Return a text; of a past answer also what is left of it without its thought."""
        answer = self.answer_of(message)
        return (message.content,) if answer == message.content else (message.content, answer)

    def told(self, message: Message) -> tuple[str, ...]:
        """Return what may be told of a message, the longest first."""
        texts = self.whole(message)
        forms = (*texts, *map(self.unswitched, texts), *map(self._spared, texts))
        return tuple(dict.fromkeys(forms))

    def unswitched(self, text: str) -> str:
        """Return a text without switches."""
        for switch in self.switches:
            text = text.replace(switch, "")
        return text

    def says_something(self, text: str) -> bool:
        """Tell whether a text is more than white space and switches."""
        return bool(self.unswitched(text).strip())

    def in_place(self, text: str, mark: str) -> str:
        """Return a mark for a text, with the switches of that text around it.

        So a template is in the same mode for both.
        """
        found = [one for one in self.switches if one in text]
        before = [one for one in found if text.lstrip().startswith(one)]
        return " ".join((*before, mark, *(one for one in found if one not in before)))

    def _spared(self, text: str) -> str:
        """Return a text without switches, but with the ``</think>`` that is in it."""
        closer, kept = "</think>", "\0"
        return self.unswitched(text.replace(closer, kept)).replace(kept, closer)


def by_template(source: str) -> TakenOut:
    """Return what a template may take out by its source in Jinja, empty where that is unknown."""
    named = (one for one in _SWITCHES if re.search(rf"(?<!<){re.escape(one)}(?!>)", source))
    return TakenOut(marks_of(source).pairs, tuple(named))
