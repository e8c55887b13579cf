"""What chat templates are told of the time, and what is kept of that."""

from __future__ import annotations

import pytest

from comparator.core.dates import Clock, moment_of, moment_told
from comparator.core.exceptions import ConfigurationError

MOMENT = "2001-02-03T04:05:06"


@pytest.mark.parametrize(
    ("layouts", "date"),
    [
        ([], None),
        (["%d %b %Y"], "2001-02-03"),
        (["no date"], "2001-02-03"),
        (["%Y-%m-%d", "%A"], "2001-02-03"),
        (["%H:%M"], MOMENT),
        (["%Y", "%c", "%d"], MOMENT),
    ],
)
def test_the_day_is_kept_and_the_time_of_day_where_it_was_asked_for(
    layouts: list[str], date: str | None
) -> None:
    clock = Clock(MOMENT)
    told = [clock.strftime_now(layout) for layout in layouts]
    assert clock.date == date
    again = Clock(date)
    assert [again.strftime_now(layout) for layout in layouts] == told


def test_the_time_stands_still() -> None:
    clock = Clock()
    assert clock.strftime_now("%c %f") == clock.strftime_now("%c %f")


@pytest.mark.parametrize("date", ["yesterday", "2001-02-30", "03.02.2001", "9" * 1000])
def test_what_is_no_date_is_refused(date: str) -> None:
    with pytest.raises(ConfigurationError, match=r"date must be a date such as 2026-11-26 or"):
        Clock(date)


def test_a_comparison_is_told_one_moment() -> None:
    assert moment_told("2001-02-03") == "2001-02-03T00:00:00"
    assert moment_of(moment_told(None)).microsecond == 0
