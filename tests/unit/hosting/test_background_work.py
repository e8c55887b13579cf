"""Long work in a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import pytest

from comparator.core.exceptions import ModelLoadError
from comparator.hosting.background_work import BackgroundWork, WorkStatus, WorkStopped
from comparator.hosting.errors import UNEXPECTED

Report = Callable[[int], None]
Stopping = Callable[[], bool]


def ended(work: Callable[[Report, Stopping], object]) -> WorkStatus[int]:
    """Do work to its end and return its last status."""
    background: BackgroundWork[int] = BackgroundWork("test", work)
    background.start()
    assert background.join(10)
    return background.status


def test_its_news_are_there_while_it_goes_on_and_after_its_end() -> None:
    may_end, seen = threading.Event(), threading.Event()

    def work(report: Report, _is_stopping: Stopping) -> None:
        report(1)
        may_end.wait(10)
        report(2)

    background: BackgroundWork[int] = BackgroundWork("test", work, seen.set)
    assert background.status == WorkStatus()
    background.start()
    assert seen.wait(10)
    assert background.status == WorkStatus(1)
    assert not background.join(0)
    seen.clear()
    may_end.set()
    assert seen.wait(10)
    assert background.join(10)
    assert background.status == WorkStatus(2, is_over=True)


def test_somebody_is_told_of_its_end_too() -> None:
    over: list[bool] = []
    background: BackgroundWork[int] = BackgroundWork(
        "test",
        lambda report, _stopping: report(1),
        lambda: over.append(background.status.is_over),
    )
    background.start()
    assert background.join(10)
    assert over == [False, True]


def test_it_ends_early_when_it_is_asked_to() -> None:
    begun = threading.Event()

    def work(report: Report, is_stopping: Stopping) -> None:
        report(1)
        begun.set()
        while not is_stopping():
            pass
        raise WorkStopped

    background: BackgroundWork[int] = BackgroundWork("test", work)
    background.start()
    assert begun.wait(10)
    background.stop()
    background.stop()
    assert background.join(10)
    assert background.status == WorkStatus(1, is_over=True, was_stopped=True)


def test_what_goes_wrong_is_a_sentence() -> None:
    def work(report: Report, _is_stopping: Stopping) -> None:
        report(1)
        raise ModelLoadError("The disk is full.")

    assert ended(work) == WorkStatus(1, is_over=True, trouble="The disk is full.")


def test_what_nobody_expected_goes_to_the_log_alone(caplog: pytest.LogCaptureFixture) -> None:
    def work(_report: Report, _is_stopping: Stopping) -> None:
        raise KeyError("a secret detail")

    with caplog.at_level(logging.ERROR):
        status = ended(work)
    assert status == WorkStatus(is_over=True, trouble=UNEXPECTED)
    assert "a secret detail" in caplog.text
