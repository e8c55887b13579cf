"""The columns of a board: one that a comparison fills, and one whose record is kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Union

from comparator.comparison.kept import Record
from comparator.comparison.written import AnswerPart, ReadingPlace
from comparator.core import units
from comparator.core.models import InferenceResult, RunState
from comparator.core.text import with_controls_shown
from comparator.core.time_left import TimeLeft
from comparator.hosting.session import Session
from comparator.library.labels import ENGINE_NAMES
from comparator.ui.compare import render

View = dict[str, Any]
NOTHING_WRITTEN: View = {
    **dict.fromkeys(("text", "thought", "notice"), ""),
    **{key: [] for key in ("numbers", "details", "fallbacks")},
    "thinking": None,
    "cut": False,
}
LONGEST_BEGIN = 1000  # characters of a question that stands in the form as well


class Column:
    """One column: which comparison fills it, and its text as far as it has been taken in.

    Attributes:
        session: the comparison.
        slot: its place in that.
        attempt: how often the column was begun anew.
        asked_on: whether its question was asked on the board, and does not stand in the form.
        shows_tokens: whether its view tells the answer's tokens as soon as it is over.
        view: what it shows, made by ``redraw``.
    """

    def __init__(
        self, session: Session, slot: int, attempt: int = 0, asked_on: bool = False
    ) -> None:
        self.session: Session = session
        self.slot = slot
        self.attempt = attempt
        self.asked_on = asked_on
        self.shows_tokens = False
        self._text = self._thought = ""
        self._place = ReadingPlace()
        self._left = TimeLeft()
        comparison = session.comparison
        asked = comparison.request.asked(comparison.request.slots[slot])
        self._turns, self._question = said_before(asked.records())
        self.view: View = {}
        self.redraw()

    def redraw(self) -> None:
        """Take in what is new and make the view anew."""
        comparison = self.session.comparison
        added = comparison.written_since(self.slot, self._place)
        if added.is_anew:
            self._text = self._thought = ""
        self._place = added.place
        self._text += with_controls_shown(added.answer) if added.answer else ""
        self._thought += with_controls_shown(added.thought) if added.thought else ""
        result, label = comparison.status(self.slot), comparison.request.slots[self.slot].label
        shown = render.Shown(self._text, self._thought, self._turns, self._question)
        column = render.column(result, shown, label, self.session.position)
        self.view = {
            **column,
            "attempt": self.attempt,
            "asked_on": self.asked_on,
            "seconds_left": self._seconds_left(result),
        }
        if self.shows_tokens and result.is_complete:
            self.view["tokens"] = token_lengths(comparison.pieces(self.slot))

    def _seconds_left(self, result: InferenceResult) -> int | None:
        """Return how long the load will still take; None where that is not known."""
        if result.state is not RunState.LOADING or result.progress is None:
            return None
        left = self._left.after(result.progress)
        return None if left is None else round(left)

    @property
    def is_complete(self) -> bool:
        """Whether nothing will be added."""
        return self.session.comparison.status(self.slot).is_complete

    @property
    def looks(self) -> int:
        """How many looks at its model's memory there were, at hardly any cost."""
        return self.session.comparison.looks(self.slot)

    def record(self) -> Record:
        """Return its record as it stands."""
        return self.session.comparison.result(self.slot).to_record()

    def record_so_far(self) -> Record:
        """Return its record without its texts, with the looks at its memory so far."""
        record = self.session.comparison.status(self.slot).to_record()
        if record["receipt"]:
            return record
        return {**record, "receipt": {"samples": self.session.comparison.samples(self.slot)}}


class KeptColumn:
    """A column whose record is there already: of a comparison that is over and kept.

    Args:
        slot: its place.
        record: its record.
        attempt: as ``Column.attempt``.
    """

    session = None
    is_complete = True
    asked_on = False
    looks = 0

    def __init__(self, slot: int, record: Record, attempt: int = 0) -> None:
        self.slot = slot
        self.attempt = attempt
        self.shows_tokens = False
        self._record = record
        self.view: View = {}
        self.redraw()

    def redraw(self) -> None:
        """Make the view."""
        result = InferenceResult.from_record(self._record)
        thought = result.thinking.text if result.thinking else ""
        shown = render.Shown(
            with_controls_shown(result.content),
            with_controls_shown(thought),
            *said_before(result.prompt.messages, with_first=True),
        )
        column = render.column(result, shown, label_of(self._record))
        self.view = {**column, "attempt": self.attempt, "reopened": True}
        if self.shows_tokens:
            self.view["tokens"] = None  # they are not kept

    def record(self) -> Record:
        """Return its record."""
        return self._record

    record_so_far = record


class LeftOutColumn(KeptColumn):
    """A column that could not be asked what the others are; its record stays the one before.

    Args:
        slot: its place.
        record: what it said last.
        question: what it would have been asked.
        why: the reason, as a sentence.
    """

    def __init__(self, slot: int, record: Record, question: str, why: str) -> None:
        self._question, self._why = question, why
        super().__init__(slot, record)

    def redraw(self) -> None:
        """Make the view: its last answer stands among the earlier turns."""
        super().redraw()
        said = {"question": self.view["question"], "answer": self.view["text"]}
        self.view |= {
            "turns": [*self.view["turns"], said],
            "question": with_controls_shown(self._question),
            "state": "failed",
            "error": with_controls_shown(self._why),
            "left_out": True,
            **NOTHING_WRITTEN,
        }


AnyColumn = Union[Column, KeptColumn]  # noqa: UP007


def said_before(
    messages: Sequence[Mapping[str, str]], with_first: bool = False
) -> tuple[list[render.Turn], str]:
    """Return the turns before the last question, and that question, with controls shown.

    The question of a conversation without earlier turns stands in the page's own field, so that
    its begin does here unless all of it is asked for (``with_first``).
    """
    turns: list[render.Turn] = []
    for message in messages:
        said = with_controls_shown(message["content"])
        if message["role"] == "user":
            turns.append({"question": said, "answer": ""})
        elif message["role"] == "assistant" and turns:
            turns[-1]["answer"] += said
    if not turns:
        return [], ""
    question = turns.pop()["question"]
    if turns or with_first or len(question) <= LONGEST_BEGIN:
        return turns, question
    return [], question[:LONGEST_BEGIN] + "…"


def token_lengths(pieces: Iterable[AnswerPart]) -> list[list[Any]]:
    """Return for each piece how long it is, of how many tokens, and how likely it was found.

    The length is that of the text as it is shown, in UTF-16 code units: what a browser counts.
    """
    return [
        [_utf16_length(with_controls_shown(piece.text)), piece.tokens, piece.probability]
        for piece in pieces
    ]


def label_of(record: Record) -> str:
    """Return engine, quantisation and size of a record's model in words; its files may be gone."""
    model = record.get("model") or {}
    kind = str(model.get("model_type") or "")
    told = str((record.get("engine") or {}).get("dtype") or "") if kind == "gguf" else ""
    quantisation = "" if " " in told else told  # of earlier versions: "llama 256M Q8_0"
    parts = (ENGINE_NAMES.get(kind, kind), quantisation, units.size(model.get("size")))
    return with_controls_shown(" · ".join(part for part in parts if part))


def _utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2
