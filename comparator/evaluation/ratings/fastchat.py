"""FastChat's vote log: one JSON object a line, as its arena writes and its notebooks read.

A line has ``tstamp``, ``type`` (``leftvote``, ``rightvote``, ``tievote``, ``bothbad_vote``, and
others that are no votes), ``models`` (two names; empty or hidden while the vote is blind) and
``states`` (two conversations with ``model_name``, ``conv_id``, ``messages`` and ``offset``). The
form is read off lm-sys/FastChat, ``fastchat/serve/gradio_block_arena_anony.py`` and
``monitor/clean_battle_data.py``. Addresses of voters are not read.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from comparator.core.exceptions import ConfigurationError
from comparator.core.text import without_surrogates
from comparator.evaluation.ratings.contests import MOST_CONTENDERS
from comparator.storage.votes import BOTH_BAD, LETTERS, TIE, Vote

TYPES = {"leftvote": "A", "rightvote": "B", "tievote": TIE, "bothbad_vote": BOTH_BAD}
MOST_LINES = 10_000_000
LONGEST_LINE_BYTES = 16 * 1024 * 1024
LONGEST_NAME = 300  # characters
MOST_LISTED = 5  # numbers of lines that are told
_SKIPPED_BYTES = 1024 * 1024
_MARK = b"\xef\xbb\xbf"
_HIDDEN = ("", "Model A", "Model B")
_HEADING = re.compile(r"^(?:<h3>[^:]*: |### Model [AB]: )(.*?)(?:</h3>)?\s*$", re.DOTALL)
# of a vote: each column's conversation as (role, text) pairs; empty where nobody has it
MessagesOf = Callable[[Vote], Sequence[Sequence[tuple[str, str]]]]


@dataclass
class Log:
    """What a log has, counted while it is read.

    Attributes:
        votes: lines that are votes.
        others: lines that are well, and no votes (chats, flags, votes on one answer alone).
        alone: votes on one model against itself, which say nothing.
        malformed: lines that cannot be understood.
        examples: the numbers of the first of these, from 1.
        names: of the models.
    """

    votes: int = 0
    others: int = 0
    alone: int = 0
    malformed: int = 0
    examples: list[int] = field(default_factory=list)
    names: set[str] = field(default_factory=set)

    def sentence(self) -> str:
        """Say what was left out and why; empty where nothing was."""
        said = []
        if self.malformed:
            listed = ", ".join(map(str, self.examples))
            more = ", …" if self.malformed > len(self.examples) else ""
            many = "lines cannot" if self.malformed > 1 else "line cannot"
            said.append(f"{self.malformed:,} {many} be understood (number {listed}{more})")
        if self.others:
            tell = "tell" if self.others > 1 else "tells"
            said.append(f"{self.others:,} {tell} of something else than a vote")
        if self.alone:
            are = "are votes" if self.alone > 1 else "is a vote"
            said.append(f"{self.alone:,} {are} on a model against itself")
        return f"Left out: {'; '.join(said)}." if said else ""


class _State(msgspec.Struct):
    model_name: str | None = None
    conv_id: str | None = None


class _Line(msgspec.Struct):
    type: str
    tstamp: float | None = None
    models: list[str | None] = []
    states: list[_State] = []
    comparator: Vote | None = None  # the whole vote, where this program wrote the line


class _Kind(msgspec.Struct):
    type: str


_LINES, _KINDS = msgspec.json.Decoder(_Line), msgspec.json.Decoder(_Kind)


def votes_in(path: Path, log: Log, owner: str = "") -> Iterator[Vote]:
    """Yield the votes of a log, line by line; ``log`` is told of what else there is.

    The same line has the same id each time, so that a log read twice counts once; equal lines of
    one log are told apart by their order.

    Raises:
        ConfigurationError: it cannot be read, is too long, or is of too many models.
    """
    try:
        with open(path, "rb") as file:
            yield from votes_of(file, log, owner)
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error.strerror or error}. Name a file of JSON lines."
        ) from error


def votes_of(file: BinaryIO, log: Log, owner: str = "") -> Iterator[Vote]:
    """Yield the votes of a log that is open, as ``votes_in``.

    Raises:
        ConfigurationError: it is too long, or of too many models.
        OSError: it cannot be read.
    """
    seen: Counter[int] = Counter()
    for number, line in enumerate(_lines(file), 1):
        if number > MOST_LINES:
            raise ConfigurationError(
                f"The log has more than {MOST_LINES:,} lines. Split it, and keep what matters."
            )
        vote = _read(line, log, number, seen) if line else None
        if line is None:
            _note_malformed(log, number)
        if vote is not None:
            log.votes += 1
            yield msgspec.structs.replace(vote, owner=owner, comparison="")


def _lines(file: BinaryIO) -> Iterator[bytes | None]:
    """Yield the lines, an empty one for a blank one and None for one that is too long."""
    is_first = True
    while line := file.readline(LONGEST_LINE_BYTES + 1):
        if is_first:
            line, is_first = line.removeprefix(_MARK), False
        if len(line) > LONGEST_LINE_BYTES:
            while line and not line.endswith(b"\n"):
                line = file.readline(_SKIPPED_BYTES)
            yield None
        else:
            yield line.strip()


def _note_malformed(log: Log, number: int) -> None:
    log.malformed += 1
    if len(log.examples) < MOST_LISTED:
        log.examples.append(number)


def _read(line: bytes, log: Log, number: int, seen: Counter[int]) -> Vote | None:
    try:
        if _KINDS.decode(line).type not in TYPES:
            log.others += 1
            return None
        read = _LINES.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        _note_malformed(log, number)
        return None
    own = read.comparator
    vote = own if own and _is_sound(own) else _of_line(read, seen)
    if vote is None:
        _note_malformed(log, number)
        return None
    if len(set(vote.configurations)) < 2:
        log.alone += 1
        return None
    _note_names(log, vote)
    return vote


def _note_names(log: Log, vote: Vote) -> None:
    log.names.update(vote.names)
    if len(log.names) > MOST_CONTENDERS:
        raise ConfigurationError(
            f"The log is of more than {MOST_CONTENDERS:,} models, which are too many to rate "
            "together. Nothing more of it is taken."
        )


def _of_line(read: _Line, seen: Counter[int]) -> Vote | None:
    """Return the vote of a line; None where its models cannot be told."""
    public = [_plain(name or "") for name in read.models]
    hidden = [state.model_name or "" for state in read.states]
    is_blind = len(public) != 2 or any(name in _HIDDEN for name in public)
    names = hidden if is_blind else public
    if len(names) != 2 or not all(0 < len(name) <= LONGEST_NAME for name in names):
        return None
    when = read.tstamp if read.tstamp and math.isfinite(read.tstamp) else 0.0
    names = [without_surrogates(name) for name in names]
    keys = [f"name:{name}" for name in names]
    told = [when, read.type, *names, *(state.conv_id for state in read.states)]
    return Vote(
        id=_id(told, seen),
        created=when,
        configurations=keys,
        names=names,
        models=keys,
        winner=TYPES[read.type],
        positions=[0, 1],
        is_blind=is_blind,
    )


def _plain(name: str) -> str:
    """Return a model's name without the heading in which the page shows it."""
    match = _HEADING.match(name)
    return match[1].strip() if match else name.strip()


def _id(told: Sequence[Any], seen: Counter[int]) -> str:
    digest = hashlib.sha256(json.dumps(told).encode()).digest()
    key = int.from_bytes(digest[:8], "big")
    seen[key] += 1
    if seen[key] > 1:
        digest = hashlib.sha256(digest + str(seen[key]).encode()).digest()
    return digest[:12].hex()


def _is_sound(vote: Vote) -> bool:
    """Return whether a vote that a file gives could have been one of ours."""
    columns = len(vote.configurations)
    names = [*vote.names, *vote.configurations, *vote.models]
    return (
        2 <= columns <= len(LETTERS)
        and len(vote.names) == columns
        and len(vote.models) in (0, columns)
        and vote.winner in (TIE, BOTH_BAD, *LETTERS[:columns])
        and math.isfinite(vote.created)
        and 0 < len(vote.id) <= LONGEST_NAME
        and all(0 < len(name) <= LONGEST_NAME for name in names)
        and all(0 <= place < len(LETTERS) for place in vote.positions)
    )


def lines_of(votes: Iterable[Vote], messages_of: MessagesOf) -> Iterator[str]:
    """Yield votes as lines of such a log, without their line ends.

    FastChat knows two answers only: of a vote on more, each pair that it tells of is a line. What
    stood further left comes first, as in its arena: its readers take that for ``model_a``, and what
    a log says of a habit of the left rests on it. Where nobody noted the places it is the order of
    the columns. The whole vote stands in the further field ``comparator`` of each, by which it is
    read back as one, with its configurations.
    """
    for vote in votes:
        for line in _as_lines(vote, messages_of(vote)):
            yield json.dumps(line, ensure_ascii=False)


def _as_lines(vote: Vote, messages: Sequence[Sequence[tuple[str, str]]]) -> Iterator[Any]:
    whole = msgspec.to_builtins(msgspec.structs.replace(vote, owner="", comparison=""))
    for a, b in itertools.combinations(_from_left(vote), 2):
        kind = _type_of(vote.winner, a, b)
        if kind is None or vote.configurations[a] == vote.configurations[b]:
            continue
        yield {
            "tstamp": vote.created,
            "type": kind,
            "models": ["", ""] if vote.is_blind else [vote.names[a], vote.names[b]],
            "states": [_state(vote, place, messages) for place in (a, b)],
            "ip": "",
            "comparator": whole,
        }


def _from_left(vote: Vote) -> list[int]:
    """Return the numbers of a vote's columns in the order in which they were shown."""
    columns = range(len(vote.names))
    is_noted = len(vote.positions) == len(columns)
    return sorted(columns, key=vote.positions.__getitem__) if is_noted else list(columns)


def _type_of(winner: str, a: int, b: int) -> str | None:
    for kind, told in TYPES.items():
        if told == winner and winner in (TIE, BOTH_BAD):
            return kind
    if winner == LETTERS[a]:
        return "leftvote"
    return "rightvote" if winner == LETTERS[b] else None


def _state(vote: Vote, place: int, messages: Sequence[Sequence[tuple[str, str]]]) -> Any:
    """Return a column's conversation; its readers take what is said in it by turns."""
    told = messages[place] if place < len(messages) else [("user", ""), ("assistant", "")]
    return {
        "model_name": vote.names[place],
        "conv_id": f"{vote.id}-{place}",
        "system_message": "\n\n".join(text for role, text in told if role == "system"),
        "messages": [[role, text] for role, text in told if role != "system"],
        "offset": 0,
    }
