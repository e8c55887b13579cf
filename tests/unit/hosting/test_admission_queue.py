"""The line in front of the comparisons."""

from __future__ import annotations

import threading

import pytest

from comparator.hosting.admission_queue import SUITE, Admission, LineFullError, Ticket


def test_first_is_admitted_and_the_others_wait_in_order() -> None:
    admission = Admission(at_once=1)
    first, second, third = (admission.enter() for _ in range(3))
    assert [ticket.position for ticket in (first, second, third)] == [0, 1, 2]
    assert first.is_admitted
    assert not second.is_admitted


def test_a_place_given_back_goes_to_the_longest_waiting() -> None:
    admission = Admission(at_once=1)
    first, second, third = (admission.enter() for _ in range(3))
    first.leave()
    assert second.wait(0)
    assert not third.is_admitted
    assert third.position == 1


def test_leaving_the_line_moves_those_behind_and_tells_them() -> None:
    admission, told = Admission(at_once=1), []
    admission.enter()
    second = admission.enter()
    third = admission.enter(lambda: told.append(third.position))
    second.leave()
    assert third.position == 1
    assert told == [1]
    assert second.wait(0) is False


def test_a_ticket_left_twice_gives_one_place_back() -> None:
    admission = Admission(at_once=1)
    first, second, third = (admission.enter() for _ in range(3))
    first.leave()
    first.leave()
    assert second.is_admitted
    assert not third.is_admitted


def test_of_suites_one_works_and_another_holds_no_comparison_up() -> None:
    admission = Admission(at_once=2)
    first, second = admission.enter(what=SUITE), admission.enter(what=SUITE)
    assert (first.position, second.position) == (0, 1)
    comparison, other = admission.enter(), admission.enter()
    assert comparison.is_admitted
    assert (second.position, other.position) == (1, 2)
    comparison.leave()
    assert other.is_admitted
    assert not second.is_admitted
    first.leave()
    assert second.is_admitted


def test_a_full_line_is_refused_in_words() -> None:
    admission = Admission(at_once=1, line_length=1)
    admission.enter()
    waiting = admission.enter()
    with pytest.raises(LineFullError, match="1 comparisons are waiting"):
        admission.enter()
    waiting.leave()
    assert admission.enter().position == 1


def test_never_more_than_so_many_at_once_from_many_threads() -> None:
    admission = Admission(at_once=2, line_length=100)
    at_work, most, lock = 0, 0, threading.Lock()
    both = threading.Barrier(2)

    def work(ticket: Ticket) -> None:
        nonlocal at_work, most
        assert ticket.wait(10)
        with lock:
            at_work += 1
            most = max(most, at_work)
        both.wait(10)
        with lock:
            at_work -= 1
        ticket.leave()

    threads = [threading.Thread(target=work, args=(admission.enter(),)) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert most == 2
    assert admission.enter().is_admitted


def test_who_waits_is_told_what_kind_of_work_is_before_it() -> None:
    admission = Admission(at_once=1)
    suite, other = admission.enter(what="suite"), admission.enter()
    assert other.waits_behind("suite")
    assert not suite.waits_behind("suite")
    third = admission.enter()
    suite.leave()
    assert not other.waits_behind("suite")
    assert not third.waits_behind("suite")
