"""What ``comparator run -c`` asks: a further turn of a comparison of the history."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from comparator.cli.commands.messages_file import STANDARD_INPUT
from comparator.cli.display.kept import from_history
from comparator.comparison import turns as of_turns
from comparator.comparison.request import Files, Request
from comparator.comparison.turns import Turns
from comparator.core.config_text import assigned
from comparator.core.dates import moment_told
from comparator.core.exceptions import ConfigurationError
from comparator.hosting.requests import AdapterLookUp, LookUp, request_of
from comparator.hosting.turn_requests import by_place, request_of_turns
from comparator.services.inference_engine import InferenceEngine
from comparator.storage.history import History
from comparator.storage.kept_comparison import KeptComparison


@dataclass(frozen=True)
class Further:
    """A further turn, as it was asked for.

    Attributes:
        name: an id in the history, the begin of one, or ``last``.
        question: what is asked, ``-`` for what standard input has; None lets cut answers go on.
        settings: what is set for all columns in place of what they had.
        assignments: the same as ``[N.]NAME=VALUE``, N counting the columns of the comparison.
        together: run all at once, also where they did not before.
        files: how the models' files are to be, where that is said.
        date: what chat templates are told of the time, where that is said.
    """

    name: str
    question: str | None
    settings: Mapping[str, Any] = field(default_factory=dict)
    assignments: Sequence[str] = ()
    together: bool = False
    files: Files = Files.AS_THEY_ARE
    date: str | None = None


def request_on(
    further: Further,
    history: History,
    engine: InferenceEngine,
    look_up: LookUp,
    adapter: AdapterLookUp | None = None,
) -> tuple[Request, list[str]]:
    """Return the request of a further turn, and why which columns are left out.

    Raises:
        ConfigurationError: there is no such comparison, or nothing of it to go on from; or the
            question or a setting is wrong.
    """
    kept = _named(history, further.name)
    turns = _turns(kept, further)
    request, there = request_of_turns(
        turns, by_place(look_up), lambda draft, named: request_of(draft, engine, named, adapter)
    )
    return replace(request, files=further.files or request.files), list(there.left_out.values())


def _named(history: History, name: str) -> KeptComparison:
    try:
        return from_history(history, name)
    except ConfigurationError as error:
        if not name.isdigit():
            raise
        raise ConfigurationError(f"{error} The context is set by --ctx-size.") from None


def _turns(kept: KeptComparison, further: Further) -> Turns:
    if further.question is None:
        turns = of_turns.continued(kept)
    else:
        typed = sys.stdin.read() if further.question == STANDARD_INPUT else further.question
        turns = of_turns.next_turn(kept, typed)
    changed = assigned(further.assignments, len(kept.records), "column")
    return replace(
        turns,
        together=turns.together or further.together,
        date=moment_told(further.date) if further.date else turns.date,
        turns=tuple(
            replace(turn, settings={**turn.settings, **further.settings, **changed[turn.column]})
            for turn in turns.turns
        ),
    )
