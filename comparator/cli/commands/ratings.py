"""``comparator ratings``."""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from comparator.cli.commands.saving import Overwrite, refuse_overwriting, save
from comparator.cli.errors import FAILED, tell
from comparator.core.exceptions import ConfigurationError
from comparator.core.text import plain
from comparator.storage.history import History
from comparator.storage.votes import Vote, Votes

if TYPE_CHECKING:
    from comparator.evaluation.ratings import Ratings

_AT_ONCE = 10_000  # votes that are kept in one transaction


class By(str, Enum):
    """What is rated."""

    configuration = "configuration"
    model = "model"


Words = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Argument(
        metavar="[import FILE… | export]",
        help="'import FILE…' takes the votes of FastChat's vote logs; 'export' writes yours.",
        show_default=False,
    ),
]
ByWhat = Annotated[
    By, typer.Option("--by", help="Rate a model at each of its settings, or all of them as one.")
]
File = Annotated[
    Optional[Path],  # noqa: UP045
    typer.Option("--file", "-f", metavar="FILE", help="Where export writes; standard output else."),
]
Judge = Annotated[
    str,
    typer.Option(
        "--judge",
        metavar="SUITE",
        help="Rate by the verdicts of a suite's judge instead of by votes: its id, or last.",
        show_default=False,
    ),
]


def command(
    words: Words = None,
    by: ByWhat = By.configuration,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object instead.")] = False,
    judge: Judge = "",
    file: File = None,
    overwrite: Overwrite = False,
) -> int:
    """Rate models by the votes on their answers: how good, how sure, what to ask next."""
    votes = Votes()
    try:
        match words or []:
            case []:
                return _show_judged(judge, by, as_json) if judge else _show(votes, by, as_json)
            case ["import", first, *others]:
                return _import(votes, [Path(one) for one in (first, *others)])
            case ["export"]:
                return _export(votes, file, overwrite)
    finally:
        votes.close()
    raise ConfigurationError(
        "It is 'comparator ratings', 'comparator ratings import FILE…' or "
        "'comparator ratings export [-f FILE]'."
    )


def _show(votes: Votes, by: By, as_json: bool) -> int:
    from comparator.evaluation.ratings import ratings_of
    from comparator.evaluation.ratings.habit import habit_note

    tallies = votes.tallies()
    if not tallies and votes.trouble:
        tell(votes.trouble)
        return FAILED
    ratings, habit = ratings_of(tallies, by.value), habit_note(votes)
    _print(replace(ratings, notes=[*ratings.notes, *filter(None, [habit])]), as_json)
    return 0


def _show_judged(suite: str, by: By, as_json: bool) -> int:
    from comparator.cli.display.kept import from_suites
    from comparator.evaluation.ratings import ratings_of
    from comparator.evaluation.ratings.judged import notes_of_judge, votes_of_judge
    from comparator.storage.suites import Suites

    store = Suites()
    try:
        kept = from_suites(store, suite)
    finally:
        store.close()
    ratings = ratings_of(votes_of_judge(kept), by.value)
    _print(replace(ratings, notes=[*notes_of_judge(kept), *ratings.notes]), as_json)
    return 0


def _print(ratings: Ratings, as_json: bool) -> None:
    from comparator.cli.display.ratings_table import ratings_as_text

    if as_json:
        json.dump(plain(ratings.to_record()), sys.stdout, ensure_ascii=False, indent=2)
        print()
    else:
        print(ratings_as_text(ratings))


def _import(votes: Votes, files: Sequence[Path]) -> int:
    from comparator.evaluation.ratings.fastchat import Log, votes_in

    for file in files:
        log = Log()
        added = _add(votes, votes_in(file, log))
        if added is None:
            tell(votes.trouble)
            return FAILED
        if not log.votes:
            raise ConfigurationError(
                f"{file} has no vote of two models. {log.sentence()} It should be a vote log of "
                "FastChat, a JSON object on each line."
            )
        known = log.votes - added
        again = f"; {known:,} were there already" if known else ""
        print(f"{file}: {added:,} vote{'s' * (added != 1)} on {len(log.names):,} models{again}.")
        if log.sentence():
            tell(log.sentence())
    return 0


def _add(votes: Votes, found: Iterable[Vote]) -> int | None:
    """Keep votes, many at a time; None where they cannot be kept."""
    added, rest = 0, iter(found)
    while some := list(itertools.islice(rest, _AT_ONCE)):
        new = votes.add_many(some)
        if new is None:
            return None
        added += new
    return added


def _export(votes: Votes, file: Path | None, overwrite: bool) -> int:
    from comparator.evaluation.ratings.fastchat import lines_of
    from comparator.evaluation.votes import conversations_of

    if file is not None:
        refuse_overwriting(file, overwrite)
    history = History()
    found = votes.all()
    if not found and votes.trouble:
        tell(votes.trouble)
        return FAILED
    lines = lines_of(found, lambda vote: conversations_of(vote, history.get(vote.comparison)))
    text = "".join(f"{line}\n" for line in lines)
    history.close()
    if file is None:
        sys.stdout.write(text)
        return 0
    save(file, text)
    tell(f"{len(found):,} votes are written to {file}.")
    return 0
