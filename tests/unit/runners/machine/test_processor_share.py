"""What a process got of the processor: counters that say so, and counters that cannot be true."""

from __future__ import annotations

import math
import threading
from dataclasses import astuple, replace

import pytest

from runners.machine import control_groups, processor_share
from runners.machine.processor_share import (
    UNKNOWN,
    ProcessorShare,
    Reading,
    ShareReader,
    between,
    together,
)

START = Reading(100.0, {1: (5.0, 2.0)}, 5.0, throttled=1.0, stolen=3.0, busy=50.0)


def after(seconds: float = 10.0, **changes) -> Reading:
    return replace(START, at=START.at + seconds, **changes)


class TestBetween:
    def test_what_ran_of_what_was_asked_for(self):
        got = between(START, after(threads={1: (11.0, 4.0)}, process=11.0))
        assert got.share == pytest.approx(0.75)
        assert (got.run_seconds, got.waited_seconds) == pytest.approx((6.0, 2.0))
        assert got.elapsed_seconds == pytest.approx(10.0)

    def test_threads_are_added_up_and_new_ones_count_from_nothing(self):
        threads = {1: (10.0, 7.0), 2: (4.0, 0.0), 3: (1.0, 5.0)}
        got = between(START, after(threads=threads, process=15.0))
        assert (got.run_seconds, got.waited_seconds) == pytest.approx((10.0, 10.0))
        assert got.share == pytest.approx(0.5)

    def test_ended_threads_are_taken_to_have_waited_like_the_others(self):
        """Their time is in the process's clock alone."""
        before = replace(START, threads={1: (5.0, 2.0), 2: (1.0, 1.0)}, process=6.0)
        got = between(before, after(threads={1: (9.0, 4.0)}, process=14.0))
        assert got.run_seconds == pytest.approx(8.0)
        assert got.waited_seconds == pytest.approx(4.0)
        assert got.share == pytest.approx(2 / 3)

    def test_a_thread_whose_counters_went_back_is_a_new_one_with_an_old_number(self):
        got = between(START, after(threads={1: (3.0, 1.0)}, process=8.0))
        assert (got.run_seconds, got.waited_seconds) == pytest.approx((3.0, 1.0))

    @pytest.mark.parametrize(
        "threads", [{}, {1: (5.0, 2.0)}, {1: (5.01, 2.0)}], ids=["none", "still", "hardly any"]
    )
    def test_without_the_threads_that_ran_nothing_is_known_of_waits(self, threads):
        got = between(START, after(threads=threads, process=9.0))
        assert got.run_seconds == pytest.approx(4.0)
        assert got.share is got.waited_seconds is None

    def test_a_counter_that_cannot_be_true_is_not_believed(self):
        got = between(START, after(threads={1: (7.0, 2e6)}, process=7.0))
        assert got.share is got.waited_seconds is None

    def test_a_wait_from_before_is_not_more_than_the_span(self):
        """It is counted when the thread runs next."""
        got = between(START, after(1.0, threads={1: (5.5, 3.2)}, process=5.5))
        assert got.waited_seconds == pytest.approx(0.5)
        assert got.share == pytest.approx(0.5)

    def test_the_host_takes_as_much_of_this_process_as_it_had_of_what_ran(self):
        got = between(START, after(threads={1: (11.0, 2.0)}, process=11.0, stolen=6.0, busy=62.0))
        assert got.stolen_seconds == pytest.approx(1.5)
        assert got.share == pytest.approx(6.0 / 7.5)
        assert got.others_seconds == pytest.approx(6.0)

    def test_a_quota_is_told_apart(self):
        now = after(threads={1: (9.0, 5.0)}, process=9.0, throttled=3.5, quota_cores=1.5)
        got = between(START, now)
        assert got.throttled_seconds == pytest.approx(2.5)
        assert got.quota_cores == pytest.approx(1.5)

    @pytest.mark.parametrize("name", ["throttled", "stolen", "busy", "process"])
    @pytest.mark.parametrize("value", [None, 0.0])
    def test_what_is_missing_or_goes_back_is_unknown_alone(self, name, value):
        got = between(START, after(threads={1: (9.0, 3.0)}, **{"process": 9.0, name: value}))
        assert got.share == pytest.approx(0.8)
        told = {
            "throttled": got.throttled_seconds,
            "stolen": got.stolen_seconds,
            "busy": got.others_seconds,
        }
        assert told.get(name) is None

    @pytest.mark.parametrize("seconds", [0.0, -5.0])
    def test_a_clock_that_stands_or_goes_back_measures_nothing(self, seconds):
        assert between(START, after(seconds, threads={1: (9.0, 3.0)}, process=9.0)) == UNKNOWN

    def test_who_asked_for_nothing_has_no_share(self):
        assert between(START, after()).share is None

    @pytest.mark.parametrize("run", [0.0, 0.3, 5.0, 10.0, 10.9, 1e9])
    @pytest.mark.parametrize("waited", [0.0, 0.3, 9.9, 10.9, 1e9])
    def test_nothing_is_negative_and_no_share_above_one(self, run, waited):
        threads = {1: (5.0 + run, 2.0 + waited)}
        got = between(START, after(threads=threads, process=5.0 + run, stolen=2.0, busy=50.5))
        assert all(number is None or number >= 0 for number in astuple(got))
        assert got.share is None or 0 <= got.share <= 1


class TestTogether:
    def test_spans_are_weighed_by_what_was_asked_for(self):
        spans = [ProcessorShare(0.5, 1.0, 1.0), ProcessorShare(1.0, 6.0, 0.0)]
        assert together(spans).share == pytest.approx(7 / 8)

    @pytest.mark.parametrize("spans", [[], [UNKNOWN], [UNKNOWN, ProcessorShare(1.0, 6.0, 0.0)]])
    def test_it_is_unknown_where_a_part_is(self, spans):
        assert together(spans).share is None


class TestReader:
    def test_each_span_begins_where_the_last_one_ended(self):
        readings = iter(
            [
                START,
                after(10.0, threads={1: (15.0, 2.0)}, process=15.0),
                after(20.0, threads={1: (20.0, 7.0)}, process=20.0),
            ]
        )
        reader = ShareReader(lambda: next(readings))
        assert reader.since_last().share == pytest.approx(1.0)
        assert reader.since_last().share == pytest.approx(0.5)

    def test_a_reading_that_fails_is_unknown_and_ends_nothing(self):
        def broken() -> Reading:
            raise OSError("no /proc")

        assert ShareReader(broken).since_last() == UNKNOWN


@pytest.fixture
def counters(tmp_path, monkeypatch):
    """Put files in the place of the system's."""
    for name, value in (("TASKS", "task"), ("PROCESSORS", "stat")):
        monkeypatch.setattr(processor_share, name, str(tmp_path / value))
    monkeypatch.setattr(control_groups, "MOUNTED", str(tmp_path / "groups"))
    monkeypatch.setattr(control_groups, "OWN", str(tmp_path / "own"))
    monkeypatch.setattr(processor_share.os, "sched_getaffinity", lambda _: {0, 2}, raising=False)

    def put(path: str, text: str) -> None:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)

    return put


class TestReading:
    def test_threads_are_read_each_and_what_is_no_thread_is_passed_over(self, counters):
        counters("task/11/schedstat", "2000000000 500000000 7\n")
        counters("task/12/schedstat", "1000000000 0 3\n")
        counters("task/13/schedstat", "")
        counters("task/14/comm", "ended\n")
        assert processor_share.reading().threads == {11: (2.0, 0.5), 12: (1.0, 0.0)}

    def test_only_processors_that_may_be_used_count(self, counters, monkeypatch):
        monkeypatch.setattr(processor_share, "_TICKS", 100)
        counters(
            "stat",
            "cpu  9 9 9 9 9 9 9 9 9 9\n"
            "cpu0 100 200 300 9 9 10 20 400 0 0\n"
            "cpu1 9 9 9 9 9 9 9 9 9 9\n"
            "cpu2 100 0 0 9 9 0 0 100 0 0\nintr 5\n",
        )
        now = processor_share.reading()
        assert now.stolen == pytest.approx(5.0)
        assert now.busy == pytest.approx(7.3)

    def test_an_old_kernel_without_stolen_time_leaves_it_unknown(self, counters):
        counters("stat", "cpu0 100 200 300 9\ncpu2 1 1 1 1\n")
        assert processor_share.reading().stolen is None

    @pytest.mark.parametrize(
        ("own", "folder", "text"),
        [
            ("0::/a/b", "groups/a", "usage_usec 9\nnr_throttled 2\nthrottled_usec 2500000\n"),
            ("4:cpu,cpuacct:/a", "groups/cpu,cpuacct/a", "throttled_time 2500000000\n"),
        ],
        ids=["version 2", "version 1"],
    )
    def test_a_quota_is_read_of_either_version(self, counters, own, folder, text):
        counters("own", own + "\n")
        counters(f"{folder}/cpu.stat", text)
        assert processor_share.reading().throttled == pytest.approx(2.5)

    def test_what_a_quota_pays_for_is_told_where_it_has_bitten(self, counters):
        counters("own", "0::/\n")
        counters("groups/cpu.max", "150000 100000\n")
        counters("groups/cpu.stat", "throttled_usec 0\n")
        assert processor_share.reading().quota_cores is None
        counters("groups/cpu.stat", "throttled_usec 5\n")
        assert processor_share.reading().quota_cores == pytest.approx(1.5)

    def test_where_there_is_nothing_nothing_is_told(self, counters):
        now = processor_share.reading()
        assert (now.threads, now.throttled, now.stolen) == ({}, None, None)
        assert now.process is not None


def test_this_process_is_measured_where_the_system_counts_waits():
    """Threads that compute are seen to run, and no number leaves its bounds."""
    reader = ShareReader()
    if not processor_share.reading().threads:
        pytest.skip("this system does not count waits")
    computing = [threading.Thread(target=math.factorial, args=(3000,)) for _ in range(2)]
    for thread in computing:
        thread.start()
    for thread in computing:
        thread.join()
    got = reader.since_last()
    assert got.run_seconds is not None
    assert got.run_seconds > 0
    assert got.share is None or 0 < got.share <= 1
