"""When a speed counts as disturbed, by whom, and what is said of it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from comparator.comparison import disturbance as module
from comparator.comparison.disturbance import (
    COMPARISON,
    HOST,
    ITSELF,
    JOB,
    PAGE,
    PROGRAMS,
    QUOTA,
    TOGETHER,
    Beside,
    disturbance,
    is_disturbed,
    shared,
    takers,
)
from runners.machine.processor_share import UNKNOWN, ProcessorShare


def share(
    run: float, waited: float, *, quota: float = 0.0, host: float = 0.0, others: float | None = None
) -> ProcessorShare:
    """What the reader tells of a span; others took all that was waited for, unless given."""
    return ProcessorShare(
        share=run / (run + waited + host),
        run_seconds=run,
        waited_seconds=waited,
        throttled_seconds=quota,
        stolen_seconds=host,
        others_seconds=waited if others is None else others,
        elapsed_seconds=(run + waited) / 2,
    )


QUIET = share(9.8, 0.1)
BUSY = share(6.6, 3.4)


class TestThreshold:
    def test_a_quiet_run_is_not_disturbed_and_nothing_is_said(self):
        found = disturbance({"load": QUIET, "prefill": QUIET, "decode": QUIET})
        assert not found
        assert found.stages == ()
        assert found.sentence == ""

    @pytest.mark.parametrize(("stage", "at"), module.UNDISTURBED_SHARES.items())
    def test_below_the_threshold_of_its_stage_it_is(self, stage, at):
        assert not is_disturbed(share(at, 1 - at - 1e-9), Beside().least[stage])
        assert is_disturbed(share(at - 0.01, 1.01 - at), Beside().least[stage])

    def test_a_browser_that_draws_the_page_takes_some_of_a_quiet_machine(self):
        """What it takes of two cores is no disturbance of the machine; a neighbour is."""
        drawn = {"load": share(8.4, 1.6), "prefill": share(7.5, 2.5), "decode": share(7.7, 2.3)}
        assert disturbance(drawn)
        assert not disturbance(drawn, Beside(page=True))
        assert disturbance({"decode": BUSY}, Beside(page=True))

    def test_each_stage_is_judged_apart(self):
        found = disturbance({"load": BUSY, "prefill": QUIET, "decode": QUIET})
        assert found.stages == ("load",)

    @pytest.mark.parametrize("nothing", [None, UNKNOWN, share(0.05, 0.1)])
    def test_what_is_unknown_or_too_short_is_not_judged(self, nothing):
        assert not is_disturbed(nothing, 0.9)
        shares = {} if nothing is None else {"decode": nothing}
        assert not disturbance(shares)


class TestByWhom:
    @pytest.mark.parametrize(
        ("beside", "who"),
        [
            (Beside(), PROGRAMS),
            (Beside(page=True), PAGE),
            (Beside(jobs=1, page=True), JOB),
            (Beside(comparisons=1, jobs=1), COMPARISON),
            (Beside(together=2, comparisons=1), TOGETHER),
        ],
    )
    def test_what_others_took_is_put_down_to_ours_where_they_ran(self, beside, who):
        assert takers(BUSY, beside) == {who: pytest.approx(0.34)}

    def test_the_quota_and_others_share_what_was_waited_for(self):
        found = takers(share(6, 4, quota=3, others=1), Beside())
        assert found == {QUOTA: pytest.approx(0.3), PROGRAMS: pytest.approx(0.1)}
        assert list(found) == [QUOTA, PROGRAMS]

    def test_a_quota_alone_takes_all_of_it(self):
        """How long the kernel says that a quota held threads back is less than they waited."""
        assert takers(share(7.5, 2.5, quota=1, others=0), Beside()) == {QUOTA: pytest.approx(0.25)}

    def test_a_quota_took_what_it_does_not_pay_for_though_others_ran_as_well(self):
        """Half a core for two threads, beside a busy machine; the kernel counts it once."""
        told = replace(share(5, 15, quota=6, others=14), elapsed_seconds=10.0, quota_cores=0.5)
        assert takers(told, Beside()) == {QUOTA: pytest.approx(0.75)}

    def test_a_quota_that_was_hardly_reached_is_not_put_forward(self):
        told = replace(share(5, 15, quota=0.1, others=14.9), elapsed_seconds=10.0, quota_cores=0.5)
        assert set(takers(told, Beside())) == {PROGRAMS}

    def test_the_host_is_named_apart(self):
        assert takers(share(8, 0, host=2), Beside()) == {HOST: pytest.approx(0.2)}

    def test_without_others_its_own_threads_are_in_each_others_way(self):
        """Four threads on two cores with nobody else there."""
        assert takers(share(10, 10, others=0.1), Beside()) == {ITSELF: pytest.approx(0.495)}

    def test_small_parts_are_not_named(self):
        assert set(takers(share(6, 4, quota=0.1, others=3.9), Beside())) == {PROGRAMS}

    def test_where_nobody_counts_others_they_are_what_is_left(self):
        told = ProcessorShare(0.66, 6.6, 3.4, None, None, None, 5.0)
        assert takers(told, Beside()) == {PROGRAMS: pytest.approx(0.34)}

    def test_who_asked_for_nothing_lost_nothing(self):
        assert takers(UNKNOWN, Beside()) == {}


class TestSentences:
    def test_who_took_how_much_at_which_stage(self):
        found = disturbance({"decode": BUSY})
        assert found.sentence == (
            "Other programs took 34 % of the processor while it wrote; "
            "alone it would have been faster."
        )

    def test_several_stages_are_one_sentence(self):
        found = disturbance({"load": share(8, 2), "prefill": share(5, 5), "decode": BUSY})
        assert found.sentence == (
            "Other programs took 34 % of the processor while it wrote, 50 % while it read the "
            "prompt and 20 % while it loaded; alone it would have been faster."
        )

    def test_each_who_took_something_has_a_sentence(self):
        found = disturbance({"decode": share(5, 3, quota=3, others=0, host=2)})
        assert found.sentence == (
            "The limit of processor time of its container took 30 % of the processor while it "
            "wrote; without that it would have been faster. The host of this virtual machine took "
            "20 % of the processor while it wrote; without that it would have been faster."
        )

    def test_too_many_threads_are_its_own_fault(self):
        found = disturbance({"decode": share(5, 5, others=0)})
        assert found.sentence == (
            "Its own threads, which are more than the free cores, took 50 % of the processor "
            "while it wrote; with fewer threads it may be faster."
        )

    @pytest.mark.parametrize(
        ("beside", "begin"),
        [
            (Beside(comparisons=1), "Another comparison here took 34 %"),
            (Beside(jobs=1), "Work of this program in the background took 34 %"),
            (Beside(together=1), "The models that ran beside it took 34 %"),
        ],
    )
    def test_ours_are_named(self, beside, begin):
        assert disturbance({"decode": BUSY}, beside).sentence.startswith(begin)

    def test_running_together_says_that_speeds_are_shared(self):
        assert shared(1, None) == "It ran at once with another model, so its speed is shared."
        assert shared(3, 0.52) == (
            "It ran at once with 3 other models, so its speed is shared. It got 52 % of the "
            "processor time that it asked for."
        )
