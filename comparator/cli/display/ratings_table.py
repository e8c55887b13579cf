"""Ratings as plain text: a table with intervals, and in sentences what can be told of pairs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from comparator.cli.display.columns import aligned
from comparator.core.text import name_shown
from comparator.core.units import percent
from comparator.evaluation.ratings import RatedPair, Rating, Ratings

MOST_PAIRS = 12  # that are told in sentences
_HEAD = ("rating", "95 % within", "votes", "both bad", "configuration", "name")
_RIGHT = (0, 1, 2, 3)
_DIGITS = 8  # of a configuration
_NAMED = "name:"
NOTHING = (
    "No votes yet. 'comparator vote last A' says that the first answer of the latest comparison "
    "was the best; the page asks for votes as well."
)


def ratings_as_text(ratings: Ratings) -> str:
    """Return all that votes tell, for a terminal."""
    if not ratings.ratings:
        return "\n".join([NOTHING, *map(name_shown, ratings.notes)])
    rows = [_HEAD, *map(_row, ratings.ratings)]
    if ratings.by == "model":
        rows = [(*row[:4], row[5]) for row in rows]
    labels = _labels(ratings)
    lines = [*aligned(rows, _RIGHT), "", *_pairs(ratings, labels)]
    lines += [name_shown(note) for note in ratings.notes]
    lines.append(_next(ratings, labels))
    return "\n".join(lines)


def _row(one: Rating) -> tuple[str, ...]:
    low, high = one.interval
    bad = percent(one.both_bad / one.votes)
    ends = f"{percent(one.both_bad_interval[0])}–{percent(one.both_bad_interval[1])}"
    return (
        f"{one.rating:.0f}",
        f"{low:.0f} to {high:.0f}",
        f"{one.votes:,}",
        f"{bad} ({ends})" if one.both_bad else "none",
        "" if one.key.startswith(_NAMED) else name_shown(one.key[:_DIGITS]),
        name_shown(one.name),
    )


def _labels(ratings: Ratings) -> dict[str, str]:
    """Return what each contender is called in a sentence: its name, apart where two have one."""
    names = Counter(one.name for one in ratings.ratings)
    return {
        one.key: name_shown(one.name + f" ({one.key[:_DIGITS]})" * (names[one.name] > 1))
        for one in ratings.ratings
    }


def _pairs(ratings: Ratings, labels: dict[str, str]) -> Iterator[str]:
    """Yield a sentence for each pair, of many only for neighbours in the table."""
    order = {one.key: place for place, one in enumerate(ratings.ratings)}
    pairs = ratings.pairs
    if len(pairs) > MOST_PAIRS:
        pairs = [pair for pair in pairs if abs(order[pair.a] - order[pair.b]) == 1]
    yield from (_sentence(pair, labels) for pair in pairs[:MOST_PAIRS])
    if len(ratings.pairs) > min(len(pairs), MOST_PAIRS):
        yield "Only neighbours are told; --json has all pairs."


def _sentence(pair: RatedPair, labels: dict[str, str]) -> str:
    a, b = labels[pair.a], labels[pair.b]
    low, high = pair.interval
    figures = f"{low:+.0f} to {high:+.0f} points, {_likely(pair.probability_a_better)}"
    if not pair.is_connected:
        return f"{a} and {b}: no vote connects them, so nothing can be told."
    if pair.verdict == "alike":
        return f"{a} and {b} are about as good ({figures} that {a} is better)."
    if pair.verdict == "unclear":
        return f"Not enough to tell {a} from {b} ({figures} that {a} is better): {_needed(pair)}."
    better, worse = (a, b) if pair.verdict == "a" else (b, a)
    return f"{better} is better than {worse} ({figures} that {a} is)."


def _likely(probability: float) -> str:
    if probability > 0.999:
        return "over 99.9 %"
    return "under 0.1 %" if probability < 0.001 else f"{100 * probability:.0f} %"


def _needed(pair: RatedPair) -> str:
    if pair.votes_needed is None:
        return "more than 1,000 further votes on them would not settle it, as it looks"
    many = pair.votes_needed
    return f"about {many} more vote{'s' * (many != 1)} on them would, if it is as it looks"


def _next(ratings: Ratings, labels: dict[str, str]) -> str:
    if ratings.next_pair is None:
        return "Every pair is told apart or alike: no further vote is needed."
    a, b = ratings.next_pair
    return f"Most worth asking next: {labels[a]} against {labels[b]}."
