"""Limits of time: what they mean, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from comparator.core.exceptions import ConfigurationError
from comparator.hosting.host import Host
from comparator.hosting.options import ServerOptions, deadlines_from
from runners.timeouts import Deadlines


@pytest.mark.parametrize(
    ("stage", "limit"), [("start", 1), ("load", 1), ("prompt", 2), ("generate", 3)]
)
def test_each_stage_has_its_limit(stage, limit):
    assert Deadlines(1, 2, 3, 4).of(stage) == limit


@pytest.mark.parametrize("value", [0, 0.0, None])
def test_nothing_is_for_ever(value):
    assert Deadlines(value, value, value, value) == Deadlines(None, None, None, None)


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf"), "60", True, [1]])
@pytest.mark.parametrize("position", range(4))
def test_what_is_no_duration_is_refused(position, value):
    values = [1.0, 1.0, 1.0, 1.0]
    values[position] = value
    name = ("load", "first token", "between tokens", "total")[position]
    with pytest.raises(ValueError, match=f"The limit of time for '{name}' must be a number"):
        Deadlines(*values)


class TestFlags:
    def test_what_is_not_given_keeps_its_default(self):
        assert deadlines_from() == Deadlines()
        assert deadlines_from(load=5) == Deadlines(load_seconds=5)
        assert deadlines_from(token=0).between_tokens_seconds is None
        assert deadlines_from(1, 2, 3, 4) == Deadlines(1, 2, 3, 4)

    @pytest.mark.parametrize("value", [-3.0, float("nan")])
    def test_a_wrong_one_is_a_wrong_setting(self, value):
        with pytest.raises(ConfigurationError, match="'total' must be a number of seconds"):
            deadlines_from(total=value)

    def test_the_page_takes_them(self, tmp_path: Path):
        limits = Deadlines(total_seconds=7)
        assert Host(ServerOptions(tmp_path, deadlines=limits)).engine.deadlines == limits
