"""What a suite's figures can tell: rates and differences with intervals that hold what they say."""

from __future__ import annotations

import itertools
import json
import random
from fractions import Fraction

import pytest
from made_suites import item, slot, suite_of

from comparator.evaluation.statistics import paired, pairs_of, rates, summary_of
from comparator.evaluation.statistics.outcomes import PassShare

# ---- what counts ----


def test_a_cell_that_failed_counts_as_not_passed_and_one_that_waits_counts_nowhere():
    (line,) = summary_of(suite_of(["p", "f", "n", "w"]))
    assert (line["answered"], line["failed"], line["pending"]) == (2, 1, 1)
    assert (line["passed"], line["told"]) == (1, 3)
    assert line["pass_rate"] == pytest.approx(1 / 3)


def test_what_nothing_tells_right_or_wrong_has_no_rate_and_no_difference():
    kept = suite_of(["u", "f"], ["u", "u"], items=[item("a", ""), item("b", "llm-rubric")])
    assert [line["pass_rate"] for line in summary_of(kept)] == [None, None]
    assert [line["interval"] for line in summary_of(kept)] == [None, None]
    (pair,) = pairs_of(kept)
    assert pair["difference"] is None
    assert pair["interval"] is None
    assert pair["p_value"] is None
    assert pair["verdict"] == "unclear"
    assert "no prompt" in pair["sentence"]


def test_a_failure_counts_where_a_judge_could_tell_another_answer():
    kept = suite_of(["p"], ["f"], items=[item("a", "llm-rubric")])
    assert [line["pass_rate"] for line in summary_of(kept)] == [1.0, 0.0]


def test_an_interrupted_suite_and_an_empty_one_have_figures_of_what_is_there():
    lines = summary_of(suite_of(["p", "w"], ["w", "w"]))
    assert lines[0]["pass_rate"] == 1.0
    assert lines[1]["pass_rate"] is None
    assert pairs_of(suite_of(["p", "w"], ["w", "w"]))[0]["prompts"] == 0


def test_rates_are_told_by_tag():
    items = [item("a", tags=["facts"]), item("b", tags=["facts", "code"]), item("c")]
    (line,) = summary_of(suite_of(["p", "n", "n"], items=items))
    assert line["tags"]["facts"]["pass_rate"] == 0.5
    assert line["tags"]["code"]["passed"] == 0
    assert len(line["tags"]["code"]["interval"]) == 2


def test_speeds_of_a_batch_are_never_told_as_those_of_one():
    alone = suite_of(["p", "p"], speeds=[7.5])
    assert summary_of(alone)[0]["tokens_per_second"] == 7.5
    assert summary_of(alone)[0]["tokens_per_second_range"] == [7.5, 7.5]
    slots = [slot("m", summary={"aggregate_tokens_per_second": 60.0, "peak_bytes": 900})]
    (line,) = summary_of(suite_of(["p", "p"], slots=slots, batch=8))
    assert line["tokens_per_second"] is None
    assert line["aggregate_tokens_per_second"] == 60.0
    assert line["peak_bytes"] == 900


def test_all_of_it_is_ready_for_json():
    kept = suite_of(["ppn", "npf", "www"], ["nnn", "ppp", "ppp"])
    assert json.loads(json.dumps([summary_of(kept), pairs_of(kept)]))


# ---- rates ----


@pytest.mark.parametrize(
    ("passed", "told", "low", "high"),
    [
        (0, 10, 0.0, 0.3085),
        (10, 10, 0.6915, 1.0),
        (2, 3, 0.0943, 0.9916),
        (81, 263, 0.2527, 0.3676),
    ],
)
def test_the_interval_of_one_answer_to_a_prompt_is_that_of_clopper_and_pearson(
    passed, told, low, high
):
    """As tables have them, and R's binom.test."""
    shares = [PassShare(1, 1)] * passed + [PassShare(0, 1)] * (told - passed)
    assert rates.interval(shares) == pytest.approx((low, high), abs=1e-4)


def test_it_is_what_scipy_calls_exact():
    from scipy.stats import binomtest

    for passed, told in itertools.product(range(6), range(1, 12)):
        if passed <= told:
            expected = binomtest(passed, told).proportion_ci(method="exact")
            assert rates.exact(passed, told) == pytest.approx(tuple(expected))


def test_repeats_that_agree_tell_no_more_than_one_answer_each():
    once = [PassShare(1, 1)] * 6 + [PassShare(0, 1)] * 4
    thrice = [PassShare(3, 3)] * 6 + [PassShare(0, 3)] * 4
    assert rates.interval(thrice) == pytest.approx(rates.interval(once))


def test_repeats_that_do_not_are_worth_more_but_never_more_than_they_are():
    mixed = [PassShare(number % 4, 4) for number in range(20)]
    assert 20 < rates.effective_number(mixed) <= 80
    assert rates.effective_number([PassShare(1, 2)] * 20) == 40


def test_each_prompt_counts_the_same_however_many_of_its_repeats_are_there():
    assert rates.pass_rate([PassShare(5, 5), PassShare(0, 1)]) == 0.5


def a_share(draw: random.Random, rate: float, alike: float, repeats: int) -> PassShare:
    """One prompt of a made suite, whose own rate is Beta's around the suite's."""
    number = 1 / alike - 1 if alike else 1e9
    own = draw.betavariate(rate * number, (1 - rate) * number)
    return PassShare(sum(draw.random() < own for _ in range(repeats)), repeats)


@pytest.mark.parametrize("prompts", [8, 30])
@pytest.mark.parametrize(
    ("rate", "alike", "repeats"), [(0.3, 0.4, 3), (0.9, 0.8, 3), (0.6, 0.5, 1)]
)
def test_95_of_100_rates_are_in_their_intervals(prompts, rate, alike, repeats):
    draw = random.Random(16)
    suites = [[a_share(draw, rate, alike, repeats) for _ in range(prompts)] for _ in range(400)]
    ends = [rates.interval(shares) for shares in suites]
    covered = sum(low <= rate <= high for low, high in ends) / len(ends)
    assert covered >= 0.94


def test_an_interval_that_took_repeats_for_prompts_would_not_hold_what_it_says():
    """That the simulation sees the mistake that the formula is there against."""
    draw = random.Random(16)
    covered = 0
    for _ in range(400):
        shares = [a_share(draw, 0.5, 0.8, 5) for _ in range(30)]
        low, high = rates.exact(sum(share.passed for share in shares), 150)
        covered += low <= 0.5 <= high
    assert covered / 400 < 0.85


# ---- differences ----


def differences(*numbers: int) -> list[Fraction]:
    """Return as many differences of 1, of -1 and of 0."""
    ups, downs, same = numbers
    return [Fraction(1)] * ups + [Fraction(-1)] * downs + [Fraction(0)] * same


@pytest.mark.parametrize(("ups", "downs", "same"), [(9, 1, 5), (3, 3, 0), (40, 12, 60), (5, 0, 1)])
def test_the_test_of_one_answer_to_a_prompt_is_mcnemars_exact_one(ups, downs, same):
    from statsmodels.stats.contingency_tables import mcnemar

    expected = mcnemar([[same, ups], [downs, 0]], exact=True).pvalue
    assert paired.p_value(differences(ups, downs, same)) == pytest.approx(expected)


def test_the_test_with_repeats_counts_every_turn_of_the_signs():
    found = [
        Fraction(1, 3),
        Fraction(2, 3),
        Fraction(-1, 3),
        Fraction(1, 2),
        Fraction(0),
        Fraction(1),
    ]
    reached = abs(sum(found))
    turns = list(itertools.product((1, -1), repeat=len(found)))
    as_far = sum(
        abs(sum(sign * one for sign, one in zip(signs, found, strict=True))) >= reached
        for signs in turns
    )
    assert paired.p_value(found) == pytest.approx(as_far / len(turns))


def test_many_prompts_are_counted_and_approximated_alike(monkeypatch):
    draw = random.Random(3)
    found = [Fraction(draw.randint(-3, 4), 4) for _ in range(250)]
    exact, drawn = paired.p_value(found), paired.interval(found)
    monkeypatch.setattr(paired, "MOST_BY_DRAWING", 10)
    assert paired.p_value(found) == pytest.approx(exact, abs=0.001)
    assert paired.interval(found) == pytest.approx(drawn, abs=0.01)


def test_repeats_of_very_unequal_numbers_are_told_without_counting_for_ever(monkeypatch):
    told = [PassShare(n % 3, 11 + n % 10) for n in range(40)]  # their common unit: 1 / 232,792,560
    differences = [Fraction(one.passed, one.told) - Fraction(1, 13) for one in told]
    value = paired.p_value(differences)
    assert 0 < value < 1
    assert paired.p_value(list(reversed(differences))) == value
    few = [Fraction(1, 3), Fraction(2, 3), Fraction(-1, 3), Fraction(1), Fraction(1, 3)]
    exact = paired.p_value(few)
    monkeypatch.setattr(paired, "MOST_SUMS", 1)
    assert paired.p_value(few) == pytest.approx(exact, abs=0.02)


def test_no_flip_among_five_prompts_is_no_certainty():
    low, high = paired.interval(differences(0, 0, 5))
    assert low < -0.1
    assert high > 0.1
    assert paired.p_value(differences(0, 0, 5)) == 1.0


def test_an_interval_has_its_own_estimate_and_ends_where_rates_end():
    for numbers in [(1, 0, 0), (0, 4, 0), (30, 0, 0), (400, 0, 0)]:
        low, high = paired.interval(differences(*numbers))
        assert -1 <= low <= paired.mean(differences(*numbers)) <= high <= 1


def test_the_same_differences_have_the_same_interval_in_any_order():
    found = differences(7, 3, 11)
    assert paired.interval(found) == paired.interval(list(reversed(found)))


def made_differences(
    draw: random.Random, prompts: int, repeats: int, a: float, b: float
) -> list[Fraction]:
    """Two slots whose prompts' own rates go together half of the time."""
    found = []
    for _ in range(prompts):
        base = draw.random()
        other = base if draw.random() < 0.5 else draw.random()
        own_a, own_b = (0.9 if base < a else 0.1), (0.9 if other < b else 0.1)
        of_a, of_b = (sum(draw.random() < own for _ in range(repeats)) for own in (own_a, own_b))
        found.append(Fraction(of_a - of_b, repeats))
    return found


@pytest.mark.parametrize(
    ("prompts", "repeats", "a", "b"), [(12, 1, 0.8, 0.5), (40, 1, 0.5, 0.5), (40, 3, 0.7, 0.5)]
)
def test_95_of_100_differences_are_in_their_intervals(prompts, repeats, a, b):
    draw = random.Random(61)
    true = 0.8 * (a - b)
    covered = 0
    for _ in range(300):
        low, high = paired.interval(made_differences(draw, prompts, repeats, a, b))
        covered += low <= true <= high
    assert covered / 300 >= 0.93


@pytest.mark.slow
@pytest.mark.parametrize("prompts", [5, 20, 150, 400])
@pytest.mark.parametrize(("a", "b"), [(0.5, 0.5), (0.9, 0.6), (0.95, 0.95)])
def test_95_of_100_differences_are_in_their_intervals_for_suites_of_any_size(prompts, a, b):
    draw = random.Random(prompts)
    covered = 0
    for _ in range(500):
        low, high = paired.interval(made_differences(draw, prompts, 2, a, b))
        covered += low <= 0.8 * (a - b) <= high
    assert covered / 500 >= 0.92


def test_equal_slots_are_told_apart_by_chance_no_more_often_than_is_said():
    draw = random.Random(8)
    values = [paired.p_value(made_differences(draw, 25, 2, 0.6, 0.6)) for _ in range(400)]
    assert sum(value < 0.05 for value in values) / 400 <= 0.07


# ---- pairs ----


def test_a_pair_has_its_difference_its_flips_and_a_verdict_in_words():
    (pair,) = pairs_of(suite_of(["p"] * 20, ["n"] * 14 + ["p"] * 6))
    assert (pair["a"], pair["b"], pair["prompts"]) == (0, 1, 20)
    assert pair["difference"] == pytest.approx(0.7)
    assert pair["flips"] == pair["only_a"] == list(range(14))
    assert pair["mcnemar"] == {
        "both": 6,
        "only_a": 14,
        "only_b": 0,
        "neither": 0,
        "p_value": 2**-13,
    }
    assert pair["verdict"] == "a"
    assert pair["prompts_needed"] == 0
    assert pair["sentence"].startswith("m0 passes more than m1: by 70 points (")


def test_few_prompts_are_not_enough_to_tell_and_how_many_would_be_is_said():
    (pair,) = pairs_of(suite_of(["p", "p", "n"], ["p", "n", "n"]))
    assert pair["verdict"] == "unclear"
    assert pair["flips"] == [1]
    assert 1 < pair["prompts_needed"] < 100
    assert pair["sentence"].startswith("Not enough to tell m0 from m1")
    assert f"about {pair['prompts_needed']} more" in pair["sentence"]


@pytest.mark.parametrize("prompts", [1, 3, 5])
def test_fewer_prompts_than_any_test_takes_are_never_promised_to_be_enough(prompts):
    """Six that all differ the same way are p = 0.031, and five are p = 0.062."""
    (pair,) = pairs_of(suite_of(["p"] * prompts, ["n"] * prompts))
    assert pair["verdict"] == "unclear"
    assert pair["prompts_needed"] == 6 - prompts


def test_where_nothing_differs_no_number_of_prompts_is_promised():
    (pair,) = pairs_of(suite_of(["p", "n"], ["p", "n"]))
    assert pair["prompts_needed"] is None
    assert pair["verdict"] == "unclear"


def test_many_prompts_without_a_difference_are_alike():
    rows = ["p" if number % 3 else "n" for number in range(300)]
    (pair,) = pairs_of(suite_of(rows, rows))
    assert pair["verdict"] == "alike"
    assert "about as often" in pair["sentence"]


def test_several_pairs_are_held_to_more_than_one():
    """Six flips of six are p = 0.031 alone, and too little among three pairs (Holm)."""
    rows = [["p"] * 6 + ["n"] * 4, ["n"] * 10, ["n"] * 10]
    alone, *_others = pairs_of(suite_of(*rows[:2]))
    assert alone["p_value"] == pytest.approx(2**-5)
    assert alone["adjusted_p_value"] == alone["p_value"]
    assert alone["verdict"] == "a"
    three = pairs_of(suite_of(*rows))
    assert [pair["p_value"] for pair in three] == pytest.approx([2**-5, 2**-5, 1.0])
    assert [pair["adjusted_p_value"] for pair in three] == pytest.approx([3 / 32, 3 / 32, 1.0])
    assert {pair["verdict"] for pair in three} == {"unclear"}


def test_a_sentence_tells_the_difference_from_the_better_ones_side():
    (pair,) = pairs_of(suite_of(["n"] * 20, ["p"] * 20))
    low, high = pair["interval"]
    assert high < 0
    expected = f"m1 passes more than m0: by 100 points ({-100 * high:.0f} to {-100 * low:.0f})."
    assert pair["sentence"] == expected


def test_only_prompts_of_which_both_can_be_told_are_compared():
    (pair,) = pairs_of(suite_of(["p", "p", "w"], ["w", "n", "p"]))
    assert pair["prompts"] == 1
    assert pair["flips"] == [1]


def test_with_repeats_a_flip_is_a_prompt_that_one_mostly_passes_and_the_other_mostly_does_not():
    (pair,) = pairs_of(suite_of(["ppn", "pnn", "ppp"], ["pnn", "pnn", "ppn"]))
    assert pair["flips"] == [0]
    assert pair["difference"] == pytest.approx((1 / 3 + 0 + 1 / 3) / 3)
