"""What a child tells its parent: messages, with times taken before they are written."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterable

from comparator.core.text import without_surrogates
from runners import protocol
from runners.base import PromptTokens


class Teller:
    """Writes messages to the parent, with times taken before the write."""

    def __init__(self, wire: socket.socket, started: float) -> None:
        self._wire = wire
        self._started = started

    def seconds(self) -> float:
        """Return the seconds since the parent began this run."""
        return max(0.0, time.monotonic() - self._started)

    def since_start(self, at: float | None) -> float:
        """Return the same of a moment of ``time.monotonic``; of now where there is none."""
        return self.seconds() if at is None else max(0.0, at - self._started)

    def tell(self, message: protocol.Message) -> None:
        """Send one message; waits when the parent is slow."""
        self._wire.sendall(protocol.encode(message))

    def progress(self, step: str, done: float, total: float) -> None:
        """Send how far a load or a job has come."""
        self.tell(protocol.Loading(step[:200], max(0.0, done), max(0.0, total)))


def prompted(piece: PromptTokens, number: int, seconds: float) -> protocol.Prompted:
    """Make the message that says what the model is given."""
    return protocol.Prompted(
        seconds,
        piece.prompt_tokens,
        without_surrogates(piece.rendered_prompt),
        piece.template_source,
        answer=number,
        date=piece.date,
        notes=sentences(piece.notes),
        special=piece.special[: 2 * protocol.MOST_MARKS],
        first_token=without_surrogates(piece.first_token)[:200],
    )


def sentences(told: Iterable[object] | None) -> tuple[str, ...]:
    """Return what an inferencer says, as much of it as a message holds."""
    texts = [without_surrogates(str(sentence)) for sentence in told or ()]
    longest = protocol.LONGEST_SENTENCE
    return tuple(sentence[:longest] for sentence in texts[: protocol.MOST_SENTENCES])
