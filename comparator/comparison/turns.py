"""From a kept comparison to what each of its columns is asked next.

Each model goes on from its own history: what it was asked, and what it answered. What it thought
before its answer is not put back, as chat templates leave earlier thoughts out, too: only
``content`` is. A column whose answer was stopped or broke off goes on from what it wrote, since
that is what its reader saw. A column that wrote nothing has no history to go on from: it is left
out, with a sentence.

Where a seed was drawn, a new one is drawn; one that a person gave stays.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from comparator.comparison.kept import KeptComparison, Record
from comparator.comparison.request import Files, Request
from comparator.comparison.slot_settings import DRAWN, GIVEN, MAKER, USUAL
from comparator.core.config import ModelConfig
from comparator.core.conversation import Conversation
from comparator.core.exceptions import ConfigurationError, MultiLLMError
from comparator.core.models import ModelInfo
from comparator.core.text import with_controls_shown
from comparator.core.units import fine_size

CUT_SHORT = "Its last answer broke off, and what there is of it stands in its history."
SAME_AGAIN = (
    "It takes the likeliest token each time, whatever the seed, so it answers the same again. Turn "
    "greedy off for another answer."
)
_CUT_STATES = ("failed", "stopped")
_LONGEST_NAME = 80


@dataclass(frozen=True)
class Turn:
    """What one column is asked next.

    Attributes:
        column: its place in the kept comparison, counted from 0.
        model: what its record says of its model: ``id``, ``name``, ``model_type``, ``path``, and
            ``size``.
        settings: those that a person gave, and what is not as by default besides. Without a seed
            that was drawn, and without the values of its maker: both are found again.
        conversation: what it alone is asked.
        notice: what a reader should know of it; empty where nothing is.
    """

    column: int
    model: Mapping[str, Any]
    settings: Mapping[str, Any]
    conversation: Conversation
    notice: str = ""


@dataclass(frozen=True)
class Turns:
    """What the columns of a kept comparison are asked next.

    Attributes:
        parent: the kept comparison's id.
        turns: who is asked what, in the order of the columns; never empty.
        left_out: why a column is not asked, by its place counted from 0.
        together: whether all models are to run at once.
        files: how the models' files are to be: empty, ``cold`` or ``warm``.
        date: what chat templates are told of the time; None for now.
    """

    parent: str
    turns: tuple[Turn, ...]
    left_out: Mapping[int, str] = field(default_factory=dict)
    together: bool = False
    files: str = ""
    date: str | None = None


def next_turn(kept: KeptComparison, question: str) -> Turns:
    """Return a further turn: every column is asked on, each behind its own answer.

    Raises:
        ConfigurationError: the question is empty or too long, or no column has an answer.
    """
    Conversation.of(question)  # so that what is wrong with it is not said of each column
    turns = _turns(kept, lambda record: answered(record).and_then(record["content"], question))
    noted = [
        replace(turn, notice=CUT_SHORT)
        if kept.records[turn.column].get("state") in _CUT_STATES
        else turn
        for turn in turns.turns
    ]
    return replace(turns, turns=tuple(noted))


def edited_turn(kept: KeptComparison, question: str, turn: int = -1) -> Turns:
    """Return the same with another question in place of one that was asked; later turns go.

    Args:
        kept: the comparison.
        question: what the user says instead.
        turn: which of the user's messages it takes the place of, counted from 0; the last.

    Raises:
        ConfigurationError: the question is empty or too long, or there is no such turn.
    """
    Conversation.of(question)
    return _turns(kept, lambda record: _edited(record, question, turn))


def regenerated(kept: KeptComparison, column: int) -> Turns:
    """Return what asks one column for another answer to the same question.

    With another seed, whoever chose the one there was: with the same it would answer the same. A
    continued answer is written anew from its begin.

    Raises:
        ConfigurationError: there is no such column, or its record is no conversation.
    """
    _check_column(kept, column)
    turns = _turns(kept, lambda record: asked(record).without_answer(), [column], kept.date)
    anew = [_with_another_seed(turn) for turn in turns.turns]
    return replace(turns, turns=tuple(anew), together=False)


def continued(kept: KeptComparison, column: int | None = None) -> Turns:
    """Return what lets answers go on that hit their limit or were stopped.

    Each may write as many tokens more as its ``max_tokens`` says. All such columns, or one.

    Raises:
        ConfigurationError: there is no such column, or none whose answer could go on.
    """
    if column is not None:
        _check_column(kept, column)
    chosen = None if column is None else [column]
    turns = _turns(kept, _going_on, chosen, kept.date)
    return replace(turns, together=kept.together and len(turns.turns) > 1)


def asked(record: Record) -> Conversation:
    """Return what a column was asked, as its record tells; with the begin of a continued answer.

    Raises:
        ConfigurationError: it tells of no conversation.
    """
    prompt = record.get("prompt") or {}
    conversation = Conversation.of(prompt.get("messages") or "")
    count = prompt.get("continued") or 0
    begun = str(record.get("content") or "")[:count] if isinstance(count, int) and count > 0 else ""
    return conversation.continuing(begun) if begun.strip() else conversation


def answered(record: Record) -> Conversation:
    """Return what a column was asked, where it has an answer.

    Raises:
        ConfigurationError: it wrote none.
    """
    if not str(record.get("content") or "").strip():
        raise ConfigurationError(f"it has no answer to go on from{_why_not(record)}")
    return asked(record).without_answer()


def present(turns: Turns, look_up: Callable[[Turn], ModelInfo]) -> tuple[Turns, list[ModelInfo]]:
    """Return the turns whose models are still there, and these models.

    Args:
        turns: who is asked what.
        look_up: returns the model of a turn.

    Raises:
        ConfigurationError: none of the models is there; and why not.
    """
    found: list[tuple[Turn, ModelInfo]] = []
    left_out = dict(turns.left_out)
    for turn in turns.turns:
        try:
            model = look_up(turn)
        except MultiLLMError as error:
            name = _name_of(turn.model)
            left_out[turn.column] = f"{name} is left out: its model is gone. {error}"
            continue
        notice = " ".join(filter(None, (turn.notice, _changed(turn, model))))
        found.append((replace(turn, notice=notice), model))
    if not found:
        raise ConfigurationError(" ".join(dict.fromkeys(left_out.values())))
    left = replace(turns, turns=tuple(turn for turn, _ in found), left_out=left_out)
    return left, [model for _, model in found]


def as_turns(request: Request, turns: Turns) -> Request:
    """Return a request in which each slot is asked what its turn says.

    Args:
        request: of the same models and settings, in the order of the turns.
        turns: who is asked what.
    """
    slots = [
        replace(
            slot,
            conversation=turn.conversation,
            notice=" ".join(filter(None, (slot.notice, turn.notice))),
        )
        for slot, turn in zip(request.slots, turns.turns, strict=True)
    ]
    notices = [request.notice, *turns.left_out.values()]
    return replace(
        request,
        conversation=turns.turns[0].conversation,
        slots=slots,
        notice=" ".join(filter(None, notices)) or None,
        files=Files(turns.files),
        date=turns.date or request.date,
        parent=turns.parent or None,
    )


def _changed(turn: Turn, model: ModelInfo) -> str:
    then = turn.model.get("size")
    if not isinstance(then, int) or not then or then == model.size:
        return ""
    return (
        f"The files of {_name_of(turn.model)} have changed since its last answer: "
        f"{fine_size(then)} then, {fine_size(model.size)} now."
    )


def _why_not(record: Record) -> str:
    if record.get("thinking"):
        return ": it came to an end while it thought. Raise max_tokens and ask it again."
    if record.get("error"):
        return ", since it failed. Ask it again first."
    return ". Ask it again first."


def _edited(record: Record, question: str, turn: int) -> Conversation:
    conversation = asked(record).without_answer()
    places = [n for n, one in enumerate(conversation.messages) if one.role == "user"]
    if not -len(places) <= turn < len(places):
        raise ConfigurationError(f"it has {len(places)} turns, and none with the number {turn}.")
    before = conversation.messages[: places[turn]]
    return Conversation.of([*before, {"role": "user", "content": question}])


def _going_on(record: Record) -> Conversation:
    conversation = answered(record)
    if (record.get("stats") or {}).get("finish_reason") == "stop":
        raise ConfigurationError("its answer is whole: the model ended it itself.")
    return conversation.continuing(record["content"])


def _turns(
    kept: KeptComparison,
    what: Callable[[Record], Conversation],
    columns: Sequence[int] | None = None,
    date: str | None = None,
) -> Turns:
    """Return what columns are asked; who cannot be is left out, and all cannot be refused."""
    turns: list[Turn] = []
    left_out: dict[int, str] = {}
    for column in range(len(kept.records)) if columns is None else columns:
        record = kept.records[column]
        try:
            turns.append(_turn(column, record, what(record)))
        except ConfigurationError as error:
            left_out[column] = f"{_name(record)} is left out: {error}"
    if not turns:
        said = " ".join(dict.fromkeys(left_out.values()))
        raise ConfigurationError(said or "This comparison has no columns.")
    return Turns(kept.id, tuple(turns), left_out, kept.together, kept.files, date)


def _turn(column: int, record: Record, conversation: Conversation) -> Turn:
    values, sources = record.get("config") or {}, record.get("config_sources") or {}
    settings = {
        name: values[name]
        for name, usual in USUAL.items()
        if name in values and _is_own(sources.get(name), values[name], usual)
    }
    if "seed" not in sources:  # nobody knows whether it was drawn
        settings = _without_seed(settings)
    ModelConfig.from_dict(settings)
    return Turn(column, dict(record.get("model") or {}), settings, conversation)


def _is_own(source: str | None, value: Any, usual: Any) -> bool:
    return source == GIVEN or (source not in (DRAWN, MAKER) and value != usual)


def _with_another_seed(turn: Turn) -> Turn:
    settings = _without_seed(turn.settings)
    notice = SAME_AGAIN if ModelConfig.from_dict(settings).is_greedy else turn.notice
    return replace(turn, settings=settings, notice=notice)


def _without_seed(settings: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in settings.items() if name != "seed"}


def _check_column(kept: KeptComparison, column: int) -> None:
    if not 0 <= column < len(kept.records):
        raise ConfigurationError(
            f"This comparison has {len(kept.records)} columns, and none with the number {column}."
        )


def _name(record: Record) -> str:
    return _name_of(record.get("model") or {})


def _name_of(model: Mapping[str, Any]) -> str:
    return with_controls_shown(str(model.get("name") or model.get("id") or "?"))[:_LONGEST_NAME]
