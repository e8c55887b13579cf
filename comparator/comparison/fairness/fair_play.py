"""Whether a comparison was fair: what differed between its columns, and what each was given.

Pure: records in, values out, so that page, exports and command line show the same. Nothing here is
worded in a language but by ``fair_play_words``.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import msgspec

from comparator.comparison.fairness.settings_taken import Setting, settings_taken
from comparator.comparison.record_facts import (
    Record,
    count_of,
    end_of,
    kind_of,
    list_of,
    name_of,
    number_of,
    room_of,
    source_of,
    span_of,
    text_of,
    texts_of,
    value_of,
)
from comparator.core.config import ModelConfig

# What a difference means: it makes the comparison uneven, a person chose it, or it is in the nature
# of what is compared and only said.
UNEVEN, CHOSEN, NATURAL = "uneven", "chosen", "natural"
_RANKS = (UNEVEN, CHOSEN, NATURAL)
COLD_SHARE, WARM_SHARE = 0.1, 0.9  # of files in the system's cache; between them they are partly
_OWN_TEMPLATES = ("gguf", "tokenizer")
_UNFINISHED = ("stopped", "failed", "cut_context")
_LONGEST_SHOWN = 200  # characters of a message in a row
_TOLD_APART = ("system_prompt", "lora")  # settings with rows of their own

Values = list[Any]
VerdictOf = Callable[[Sequence[Record], Values], str]


@dataclass(frozen=True)
class Difference:
    """What was not the same in all columns.

    Attributes:
        name: what differed, as ``fair_play_words.NAMES`` or a setting's name.
        values: what it was in each column, in their order; None for nothing.
        verdict: ``uneven``, ``chosen`` or ``natural``.
    """

    name: str
    values: Values
    verdict: str


@dataclass(frozen=True)
class GivenColumn:
    """What one column was given.

    Attributes:
        name: its model's.
        pieces: the rendered prompt in parts, each a text and whether it is a special token.
        template: where its chat template comes from.
        prompt_tokens: of the prompt; None where it never came to one.
        context_tokens: what prompt and answer may take together; None where it was not loaded.
        answer_tokens: that were written.
        tokens_left: of the context, after the answer.
        settings: every value, first those that were not taken as they were asked.
    """

    name: str
    pieces: list[tuple[str, bool]]
    template: str
    prompt_tokens: int | None
    context_tokens: int | None
    answer_tokens: int
    tokens_left: int | None
    settings: list[Setting]

    @property
    def changed(self) -> list[Setting]:
        """The settings that were not taken as they were asked."""
        return [setting for setting in self.settings if setting.state == "changed"]


@dataclass(frozen=True)
class FairPlay:
    """What can be said of a comparison's fairness.

    Attributes:
        differences: what was not the same in all columns, what makes it uneven first.
        columns: what each column was given.
    """

    differences: list[Difference]
    columns: list[GivenColumn]

    @property
    def uneven(self) -> list[Difference]:
        """The differences that make the comparison uneven."""
        return [one for one in self.differences if one.verdict == UNEVEN]

    @property
    def is_fair(self) -> bool:
        """Whether nothing speaks against it, and every setting that was given was taken."""
        given = (setting for column in self.columns for setting in column.changed)
        return not self.uneven and not any(setting.source == "given" for setting in given)

    def to_record(self) -> dict[str, Any]:
        """Return it ready for JSON."""
        told: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(self))
        return {**told, "is_fair": self.is_fair}


def of(records: Sequence[Record]) -> FairPlay:
    """Return what differed between the columns of a comparison, and what each was given.

    Args:
        records: of its columns, as ``InferenceResult.to_record`` makes them.
    """
    found = list(_differences(records)) if len(records) > 1 else []
    found.sort(key=lambda one: _RANKS.index(one.verdict))
    return FairPlay(found, [given(record) for record in records])


def given(record: Record) -> GivenColumn:
    """Return what one column was given."""
    room, answer = room_of(record), count_of(record, "stats", "token_count") or 0
    return GivenColumn(
        name=name_of(record),
        pieces=pieces(record),
        template=text_of(record, "prompt", "template_source"),
        prompt_tokens=count_of(record, "stats", "prompt_tokens"),
        context_tokens=count_of(record, "engine", "context_length") or None,
        answer_tokens=answer,
        tokens_left=None if room is None else max(0, room - answer),
        settings=settings_taken(record),
    )


def pieces(record: Record) -> list[tuple[str, bool]]:
    """Return a rendered prompt in parts, each with whether the model read it as a special token."""
    text, first = (text_of(record, "prompt", name) for name in ("rendered", "first_token"))
    parts = [(first, True)] if first else []
    place = 0
    places = list_of(record, "prompt", "special")
    for begin, end in zip(places[::2], places[1::2], strict=False):
        if type(begin) is not int or type(end) is not int or not place <= begin < end <= len(text):
            break
        parts += [(text[place:begin], False), (text[begin:end], True)]
        place = end
    return [part for part in (*parts, (text[place:], False)) if part[0]]


def _differences(records: Sequence[Record]) -> Iterable[Difference]:
    for name, look, judge in _FACTS:
        values = [look(record) for record in records]
        if _differ(values) or (name == "disturbed" and any(values)):
            yield Difference(name, values, judge(records, values))
    yield from _of_time(records)
    yield from _of_settings(records)


def _differ(values: Values) -> bool:
    """Whether values are not all the same; what is not known of a column is no difference."""
    known = [value for value in values if value is not None]
    return any(value != known[0] for value in known)


def _of_settings(records: Sequence[Record]) -> Iterable[Difference]:
    for name in vars(ModelConfig()):
        if name in _TOLD_APART:
            continue
        values = [value_of(record, "config", name) for record in records]
        if any(value != values[0] for value in values):
            yield Difference(name, values, _chosen(name)(records, values))


def _of_time(records: Sequence[Record]) -> Iterable[Difference]:
    """Yield the order in which columns ran, and beside how many of the others each did."""
    spans = [span_of(record) for record in records]
    ran = sorted(span for span in spans if span is not None)
    if len(ran) < 2:
        return
    beside = [None if span is None else _beside(span, ran) for span in spans]
    if _differ(list(beside)):
        yield Difference("beside", list(beside), UNEVEN)
    if not any(beside):
        order = [None if span is None else ran.index(span) + 1 for span in spans]
        yield Difference("order", list(order), NATURAL)


def _beside(span: tuple[float, float], others: Sequence[tuple[float, float]]) -> int:
    """Return how many of the others ran at some time of a span; a run is none of its others."""
    begin, end = span
    return sum(other[0] < end and begin < other[1] for other in others) - (begin < end)


def _is_chosen(records: Sequence[Record], setting: str) -> bool:
    """Whether a person gave columns different values of a setting."""
    asked = [value_of(record, "config", setting) for record in records]
    is_given = any(source_of(record, setting) == "given" for record in records)
    return is_given and any(value != asked[0] for value in asked)


def _chosen(*settings: str, otherwise: str = NATURAL) -> VerdictOf:
    """Return the verdict on what follows from settings: chosen where these were made to differ."""

    def judge(records: Sequence[Record], _values: Values) -> str:
        return CHOSEN if any(_is_chosen(records, name) for name in settings) else otherwise

    return judge


def _within_one_engine(records: Sequence[Record], values: Values) -> str:
    """Uneven where one engine had several; different engines have their own by nature."""
    pairs = sorted(
        (kind_of(record), str(value))
        for record, value in zip(records, values, strict=True)
        if value is not None
    )
    several = (len(set(group)) > 1 for _kind, group in groupby(pairs, key=lambda pair: pair[0]))
    return UNEVEN if any(several) else NATURAL


def _threads(records: Sequence[Record], values: Values) -> str:
    return CHOSEN if _is_chosen(records, "n_threads") else _within_one_engine(records, values)


def _shared_or_uneven(records: Sequence[Record], values: Values) -> str:
    """Tell models that were to run at once, and disturbed each other alike, from the others."""
    spans = [span for span in map(span_of, records) if span is not None]
    all_beside = len(spans) == len(records) and all(_beside(span, spans) for span in spans)
    return CHOSEN if all_beside and not _differ(values) else UNEVEN


def _ended(_records: Sequence[Record], values: Values) -> str:
    return UNEVEN if any(value in _UNFINISHED for value in values) else NATURAL


def _template(records: Sequence[Record], values: Values) -> str:
    if all(value in _OWN_TEMPLATES for value in values if value is not None):
        return NATURAL
    return _chosen("prompt_format", otherwise=UNEVEN)(records, values)


def _said_by(record: Record, role: str) -> list[str]:
    messages = list_of(record, "prompt", "messages")
    return [text_of(one, "content") for one in messages if text_of(one, "role") == role]


def _question(record: Record) -> str | None:
    asked = _said_by(record, "user")
    return asked[-1][:_LONGEST_SHOWN] if asked else None


def _system(record: Record) -> str:
    return "".join(_said_by(record, "system"))[:_LONGEST_SHOWN]


def _figures_of(record: Record) -> str:
    """Of an answer that was gone on with, tokens and times are those of the rest alone."""
    return "rest" if count_of(record, "prompt", "continued") else "whole"


def _files(record: Record) -> str | None:
    share = number_of(record, "stats", "files_cached")
    if share is None:
        return None
    return "cold" if share <= COLD_SHARE else "warm" if share >= WARM_SHARE else "partly"


def _disturbed(record: Record) -> list[str]:
    told = texts_of(record, "stats", "disturbed")
    return [stage for stage in ("load", "prefill", "decode") if stage in told]


def _adapters(record: Record) -> list[str]:
    return [os.path.basename(one.rstrip("/")) for one in texts_of(record, "config", "lora")]


def _template_source(record: Record) -> str | None:
    """Return where its chat template comes from; None where it never came to a prompt."""
    source = text_of(record, "prompt", "template_source")
    return source if source and text_of(record, "prompt", "rendered") else None


def _read(name: str, *path: str) -> Callable[[Record], Any]:
    return lambda record: value_of(record, *path, name) or None


# What is looked at, how it is read of a record, and what a difference in it means. Rows come in
# this order within each verdict.
_FACTS: tuple[tuple[str, Callable[[Record], Any], VerdictOf], ...] = (
    ("ended", lambda record: end_of(record) or None, _ended),
    ("question", _question, _chosen(otherwise=UNEVEN)),
    ("figures", _figures_of, _chosen(otherwise=UNEVEN)),
    ("template", _template_source, _template),
    (
        "fallbacks",
        lambda record: texts_of(record, "engine", "fallbacks"),
        _chosen(otherwise=UNEVEN),
    ),
    ("disturbed", _disturbed, _shared_or_uneven),
    ("files", _files, _chosen(otherwise=UNEVEN)),
    ("device", _read("device", "engine"), _chosen("use_gpu", "n_gpu_layers", otherwise=UNEVEN)),
    ("threads", _read("threads", "engine"), _threads),
    ("engine", _read("name", "engine"), _within_one_engine),
    ("way", _read("way", "engine"), _within_one_engine),
    ("context", _read("context_length", "engine"), _chosen("n_ctx")),
    ("system_prompt", _system, _chosen("system_prompt")),
    ("lora", _adapters, _chosen("lora")),
    ("dtype", _read("dtype", "engine"), _chosen()),
    ("prompt_notes", lambda record: texts_of(record, "prompt", "notes"), _chosen()),
    ("date", _read("date", "prompt"), _chosen()),
)
