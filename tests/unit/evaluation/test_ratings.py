"""Ratings from votes: what is published, what other libraries say, and what few votes can tell."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterable, Iterator

import pytest

from comparator.core.exceptions import ConfigurationError
from comparator.evaluation.ratings import contests, ratings_of
from comparator.evaluation.ratings.contests import Meetings, contests_of
from comparator.evaluation.ratings.fit import PRIOR_DEVIATION, information, likeliest
from comparator.evaluation.ratings.habit import habit_note
from comparator.evaluation.ratings.ratings import POINTS, votes_needed
from comparator.storage.retention import Retention
from comparator.storage.votes import Contender, Tally, Vote, Votes

WITHOUT_PRIOR = 1_000.0, 1_000.0


def contender(name: str) -> Contender:
    return Contender(f"configuration of {name}", f"model of {name}", name)


def votes(names: str, winner: str, count: int = 1) -> Tally:
    """Return equal votes on contenders of one letter each."""
    return Tally(tuple(map(contender, names)), winner, count)


def by_name(found: Iterable[Tally]) -> dict[str, float]:
    return {one.name: one.rating for one in ratings_of(found).ratings}


# ---- what is published ----

# The Eastern division of baseball's American League in 1987: wins at home and defeats at home
# against each other team, in this order (Agresti, Categorical Data Analysis, 1990, table 10.6).
TEAMS = ("Milwaukee", "Detroit", "Toronto", "New York", "Boston", "Cleveland", "Baltimore")
AT_HOME = (
    "4-3 4-2 4-3 6-1 4-2 6-0",
    "3-3 4-2 4-3 6-0 6-1 4-3",
    "2-5 4-3 2-4 4-3 4-2 6-0",
    "3-3 5-1 2-5 4-3 4-2 6-1",
    "5-1 2-5 3-3 4-2 5-2 6-0",
    "2-5 3-3 3-4 4-3 4-2 2-4",
    "2-5 1-5 1-6 2-4 1-6 3-4",
)
# Their strengths over Baltimore's, as the same book and BradleyTerry2's vignette have them
# (Turner and Firth, Journal of Statistical Software 48, 2012, 3.1).
STRENGTHS = (1.5814, 1.4364, 1.2945, 1.2476, 1.1077, 0.6839, 0.0)


def baseball() -> Iterator[Tally]:
    for home, row in enumerate(AT_HOME):
        others = [team for team in TEAMS if team != TEAMS[home]]
        for other, games in zip(others, row.split(), strict=True):
            pair = contender(TEAMS[home]), contender(other)
            won, lost = map(int, games.split("-"))
            yield Tally(pair, "A", won)
            yield Tally(pair, "B", lost)


def test_the_likeliest_strengths_of_baseball_teams_are_the_published_ones():
    found = contests_of(baseball())
    means = likeliest(len(found.keys), found.meetings, *WITHOUT_PRIOR).means
    strengths = dict(zip(found.names, means, strict=True))
    for team, expected in zip(TEAMS, STRENGTHS, strict=True):
        assert strengths[team] - strengths["Baltimore"] == pytest.approx(expected, abs=1e-4)


# Six brands of chocolate pudding: how often the first was preferred, the second, neither
# (Davidson, JASA 65, 1970, table 2).
PUDDINGS = {
    "12": (19, 22, 16),
    "13": (16, 19, 12),
    "23": (19, 19, 10),
    "14": (18, 23, 13),
    "24": (23, 19, 9),
    "34": (19, 20, 15),
    "15": (13, 19, 18),
    "25": (16, 20, 12),
    "35": (16, 15, 17),
    "45": (17, 14, 16),
    "16": (18, 21, 12),
    "26": (22, 20, 12),
    "36": (13, 18, 10),
    "46": (14, 19, 18),
    "56": (11, 21, 12),
}
# His estimates, to which his seven steps had come.
WORTHS = {"1": 0.1388, "2": 0.1730, "3": 0.1617, "4": 0.1654, "5": 0.1587, "6": 0.2024}
TIES = 0.7468


def puddings() -> Iterator[Tally]:
    for pair, counts in PUDDINGS.items():
        for winner, count in zip(("A", "B", "tie"), counts, strict=True):
            yield votes(pair, winner, count)


def test_the_likeliest_strengths_of_puddings_with_ties_are_davidsons():
    found = contests_of(puddings())
    posterior = likeliest(len(found.keys), found.meetings, *WITHOUT_PRIOR)
    worths = {name: math.exp(mean) for name, mean in zip(found.names, posterior.means, strict=True)}
    whole = sum(worths.values())
    assert {name: worth / whole for name, worth in worths.items()} == pytest.approx(
        WORTHS, abs=5e-4
    )
    assert posterior.ties == pytest.approx(TIES, abs=2e-3)


# ---- what other libraries say of the same votes ----


def made_votes(number: int, names: str = "abcde", seed: int = 4) -> list[Tally]:
    """Return votes on contenders of which each is 80 points better than the next."""
    draw, found = random.Random(seed), []
    for _ in range(number):
        first, second = draw.sample(names, 2)
        lead = 80 * (ord(second) - ord(first)) / POINTS
        found.append(
            votes(first + second, "A" if draw.random() < 1 / (1 + math.exp(-lead)) else "B")
        )
    return found


def as_outcomes(found: Iterable[Tally], names: str) -> list[tuple[int, int]]:
    """Return votes as pairs of winner and loser."""
    outcomes = []
    for vote in found:
        first, second = (names.index(one.name) for one in vote.contenders)
        outcomes += [(first, second) if vote.winner == "A" else (second, first)] * vote.count
    return outcomes


def test_choix_finds_the_same_ratings_and_the_same_doubt_by_expectation_propagation():
    import choix

    found = made_votes(400)
    means, covariance = choix.ep_pairwise(5, as_outcomes(found, "abcde"), PRIOR_DEVIATION**-2)
    ratings = ratings_of(found)
    for one in ratings.ratings:
        place = "abcde".index(one.name)
        assert one.rating == pytest.approx(1000 + POINTS * (means[place] - means.mean()), abs=0.5)
    for pair in ratings.pairs:
        a, b = ("abcde".index(key[-1]) for key in (pair.a, pair.b))
        variance = covariance[a, a] + covariance[b, b] - 2 * covariance[a, b]
        deviation = (pair.interval[1] - pair.interval[0]) / POINTS / 2 / 1.96
        assert deviation == pytest.approx(math.sqrt(variance), rel=0.005)
        likely = math.erfc(-(means[a] - means[b]) / math.sqrt(2 * variance)) / 2
        assert pair.probability_a_better == pytest.approx(likely, abs=0.002)


def test_choix_and_evalica_find_the_same_likeliest_strengths():
    import choix
    import evalica

    found = made_votes(600)
    ours = contests_of(found)
    means = likeliest(len(ours.keys), ours.meetings, *WITHOUT_PRIOR).means
    strengths = {name: mean - means.mean() for name, mean in zip(ours.names, means, strict=True)}

    theirs = choix.ilsr_pairwise(5, as_outcomes(found, "abcde"))
    expected = dict(zip("abcde", theirs - theirs.mean(), strict=True))
    assert strengths == pytest.approx(expected, abs=1e-3)

    winners = [evalica.Winner.X if vote.winner == "A" else evalica.Winner.Y for vote in found]
    names = [[one.name for one in vote.contenders] for vote in found]
    scores = evalica.bradley_terry(*zip(*names, strict=True), winners, tolerance=1e-10).scores
    logarithms = {name: math.log(score) for name, score in scores.items()}
    middle = sum(logarithms.values()) / 5
    assert strengths == pytest.approx(
        {name: value - middle for name, value in logarithms.items()}, abs=1e-3
    )


# ---- few votes ----


def test_who_has_won_everything_has_a_finite_rating_and_a_wide_interval():
    ratings = ratings_of([votes("ab", "A", 5)])
    best, other = ratings.ratings
    assert best.name == "a"
    assert best.rating + other.rating == pytest.approx(2000)
    assert 300 < best.interval[1] - best.interval[0] < 1000
    (pair,) = ratings.pairs
    assert 0.95 < pair.probability_a_better < 0.999


def test_one_vote_says_little_and_fifty_say_a_lot():
    (few,), (many,) = (
        ratings_of([votes("ab", "A", 3 * size), votes("ab", "B", size)]).pairs for size in (1, 50)
    )
    assert few.verdict == "unclear"
    assert many.verdict == "a"
    assert few.probability_a_better < many.probability_a_better


def test_the_votes_that_are_needed_are_about_those_that_do_it():
    (pair,) = ratings_of([votes("ab", "A", 12), votes("ab", "B", 8)]).pairs
    assert pair.verdict == "unclear"
    more = pair.votes_needed
    assert 20 < more < 200
    share = 1 / (1 + math.exp(-pair.difference / POINTS))  # as it looks
    won = round(more * share)
    (later,) = ratings_of([votes("ab", "A", 12 + won), votes("ab", "B", 8 + more - won)]).pairs
    assert later.votes_needed <= more / 4


def test_equal_ones_are_promised_nothing():
    (pair,) = ratings_of([votes("ab", "A", 5), votes("ab", "B", 5)]).pairs
    assert pair.probability_a_better == pytest.approx(0.5)
    assert pair.votes_needed is None
    assert votes_needed(0.0, 1.0, 0.25) is None
    assert votes_needed(0.01, 1.0, 0.25) is None
    assert votes_needed(5.0, 0.1, 0.25) == 0


def test_what_a_vote_tells_is_most_where_both_are_equal_and_no_tie_is_likely():
    assert information(0, 0) == pytest.approx(0.25)
    assert information(2, 0) < information(1, 0) < information(0, 0)
    assert information(0, 1) < information(0, 0)


@pytest.mark.parametrize(("number", "asked"), [(2, 10), (4, 12), (4, 60)])
def test_95_of_100_differences_are_in_their_intervals(number, asked):
    """Strengths are drawn as the prior has them, and votes as the model has them."""
    draw, covered, pairs = random.Random(7), 0, 0
    for _ in range(120):
        names = "abcd"[:number]
        strengths = {name: draw.gauss(0, PRIOR_DEVIATION) for name in names}
        found = []
        for _ in range(asked):
            first, second = draw.sample(names, 2)
            lead = strengths[first] - strengths[second]
            won = draw.random() < 1 / (1 + math.exp(-lead))
            found.append(votes(first + second, "A" if won else "B"))
        for pair in ratings_of(found).pairs:
            true = POINTS * (strengths[pair.a[-1]] - strengths[pair.b[-1]])
            covered += pair.interval[0] <= true <= pair.interval[1]
            pairs += 1
    assert covered / pairs >= 0.92


# ---- ties, and several columns ----


def test_ties_bring_ratings_together_and_both_bad_counts_as_one_and_is_told_apart():
    decided = by_name([votes("ab", "A", 10)])
    tied = ratings_of([votes("ab", "A", 10), votes("ab", "tie", 10)])
    bad = ratings_of([votes("ab", "A", 10), votes("ab", "both_bad", 10)])
    assert tied.ratings[0].rating < decided["a"]
    assert [one.rating for one in bad.ratings] == [one.rating for one in tied.ratings]
    assert [one.both_bad for one in tied.ratings] == [0, 0]
    assert [one.both_bad for one in bad.ratings] == [10, 10]
    low, high = bad.ratings[0].both_bad_interval
    assert low < 0.5 < high
    assert 0 < tied.tie_rate < 1


def test_a_vote_for_one_of_four_beats_each_other_one_and_says_nothing_of_these():
    found = contests_of([votes("abcd", "B")])
    names = found.names
    met = {"".join(sorted(names[one] for one in pair)): how for pair, how in found.meetings.items()}
    assert {pair for pair, how in met.items() if how.wins or how.losses} == {"ab", "bc", "bd"}
    assert all(how.votes == 1 for how in met.values())
    assert found.total == 1
    ratings = by_name([votes("abcd", "B", 3)])
    assert ratings["b"] > ratings["a"] == pytest.approx(ratings["c"])


def test_a_vote_on_four_columns_tells_as_much_as_the_choice_of_one_of_four():
    """Fisher's information of that choice, where all are equal: 1/16 off the diagonal."""
    each = [votes("abcd", winner) for winner in "ABCD"]
    found = contests_of(each)
    told = {
        pair: (how.wins + how.losses) * information(0, 0) / 4
        for pair, how in found.meetings.items()
    }
    assert list(told.values()) == pytest.approx([1 / 16] * 6)


def test_where_a_column_stands_changes_nothing():
    assert by_name([votes("ab", "A", 3), votes("ba", "A")]) == pytest.approx(
        by_name([votes("ba", "B", 3), votes("ab", "B")])
    )


def test_the_order_of_votes_changes_nothing():
    found = made_votes(60)
    assert ratings_of(found).to_record() == ratings_of(list(reversed(found))).to_record()


def test_none_is_held_against_itself():
    found = ratings_of([votes("aab", "A", 2), votes("aa", "A", 3)])
    assert [one.name for one in found.ratings] == ["a", "b"]
    assert [pair.votes for pair in found.pairs] == [2]
    assert found.votes == 2
    assert any("says nothing" in note for note in found.notes)


def test_by_model_the_settings_of_one_are_one():
    two = [Contender("cold", "model of a", "a"), Contender("hot", "model of a", "a")]
    b = contender("b")
    found = [Tally((two[0], b), "A", 4), Tally((two[1], b), "B", 4), Tally(tuple(two), "A", 9)]
    assert len(ratings_of(found).ratings) == 3
    (first, second) = ratings_of(found, "model").ratings
    assert first.rating == pytest.approx(second.rating)
    assert {first.key, second.key} == {"model of a", "model of b"}


# ---- what cannot be told ----


def test_groups_that_no_vote_connects_are_finite_and_said():
    ratings = ratings_of([votes("ab", "A", 9), votes("cd", "A", 1)])
    assert all(math.isfinite(end) for one in ratings.ratings for end in one.interval)
    apart = [pair for pair in ratings.pairs if not pair.is_connected]
    assert len(apart) == 4
    assert all(math.isfinite(pair.probability_a_better) for pair in apart)
    assert any("No vote connects" in note for note in ratings.notes)


def test_no_votes_are_no_ratings():
    assert ratings_of([]).to_record()["ratings"] == []
    assert ratings_of([]).next_pair is None


def test_the_pair_that_is_asked_next_is_one_that_is_unclear_and_least_known():
    ratings = ratings_of([votes("ab", "A", 200), votes("bc", "A", 2), votes("bc", "B", 2)])
    assert {key[-1] for key in ratings.next_pair} == {"b", "c"}
    assert ratings_of([votes("ab", "A", 200)]).next_pair is None


def test_equals_after_many_votes_are_alike_and_not_asked_again():
    many = [votes("ab", winner, 2_000) for winner in "AB"]
    assert ratings_of(many).pairs[0].verdict == "alike"
    assert ratings_of(many).next_pair is None


# ---- as it is told ----


def test_json_has_what_was_agreed():
    told = json.loads(json.dumps(ratings_of(made_votes(30)).to_record()))
    assert {"configuration", "name", "rating", "interval", "votes"} <= set(told["ratings"][0])
    assert {"a", "b", "probability_a_better", "votes", "votes_needed"} <= set(told["pairs"][0])
    mean = sum(one["rating"] for one in told["ratings"]) / len(told["ratings"])
    assert mean == pytest.approx(1000)
    assert sum(one["votes"] for one in told["ratings"]) == 60


def test_a_million_votes_are_as_quick_as_their_counts():
    names = [f"{first}{second}" for first in "abcdefghij" for second in "abcdefghij"]
    found = [votes(pair, "A", 11_111) for pair in names if pair[0] < pair[1]]
    ratings = ratings_of(found)
    assert ratings.votes == 45 * 11_111
    assert [one.name for one in ratings.ratings] == list("abcdefghij")


def test_more_contenders_than_can_be_rated_are_refused(monkeypatch):
    monkeypatch.setattr(contests, "MOST_CONTENDERS", 3)
    with pytest.raises(ConfigurationError, match="more than 3"):
        ratings_of([votes("ab", "A"), votes("cd", "A")])


def test_the_fit_stands_at_a_maximum():
    """Strengths a little aside are less likely, also with lopsided counts and many ties."""
    from comparator.evaluation.ratings.fit import _Contests

    meetings = {(0, 1): Meetings(10_000, 1, 50_000, 60_001), (1, 2): Meetings(1, 0, 0, 1)}
    posterior = likeliest(3, meetings)
    fit = _Contests(3, meetings)
    best = [*posterior.means, math.log(posterior.ties)]
    import numpy as np

    value = fit.value(np.array(best))
    for place in range(4):
        for aside in (-1e-3, 1e-3):
            moved = np.array(best)
            moved[place] += aside
            assert fit.value(moved) < value


@pytest.mark.parametrize("count", [1, 40, 5_000, 1_000_000])
@pytest.mark.parametrize("winners", ["A", "AB", "AAB", "At", "t"])
def test_ratings_are_sound_for_any_number_of_votes_however_lopsided(count, winners):
    said = {"t": "tie"}
    found = [votes("ab", said.get(winner, winner), count) for winner in winners]
    found.append(votes("bc", "B", 1))
    ratings = ratings_of(found)
    for pair in ratings.pairs:
        assert pair.interval[0] < pair.difference < pair.interval[1]
        assert 0 <= pair.probability_a_better <= 1
    a, b = (next(one.rating for one in ratings.ratings if one.name == name) for name in "ab")
    won = winners.count("A") - winners.count("B")
    assert a > b if won else abs(a - b) < 150


@pytest.mark.parametrize("count", [10_000, 100_000, 10_000_000])
def test_a_chain_of_lopsided_votes_has_ratings(count):
    """What one pair's votes say then contradicts what the other's leave, by far."""
    ratings = ratings_of([votes("ab", "A", count), votes("bc", "A", count)])
    assert [one.name for one in ratings.ratings] == ["a", "b", "c"]
    assert ratings.ratings[0].rating - ratings.ratings[2].rating > 1000


def test_leads_next_to_nothing_have_no_number_of_votes():
    assert votes_needed(1e-170, 1.0, 0.2) is None


@pytest.mark.parametrize(
    ("first", "second", "is_habit"), [(9, 1, True), (6, 4, False), (0, 0, False)]
)
def test_a_habit_of_choosing_a_place_is_said_where_chance_does_not_explain_it(
    tmp_path, first, second, is_habit
):
    store = Votes(tmp_path / "votes.sqlite3", Retention())
    two = {"configurations": ["x", "y"], "names": ["a", "b"], "positions": [1, 0]}
    winners = ["B"] * first + ["A"] * second
    store.add_many(
        [Vote(id=str(n), created=1.0, winner=winner, **two) for n, winner in enumerate(winners)]
    )
    assert bool(habit_note(store)) == is_habit
    if is_habit:
        assert "Of 10 votes for one of two answers 9 went to the one that was shown" in habit_note(
            store
        )
    store.close()
