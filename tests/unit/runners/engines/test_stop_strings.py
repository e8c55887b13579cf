"""Stop strings that come whole, in parts, twice, or not at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.engines.stop_strings import StopText


def feed_all(stops: list[str], parts: list[str]) -> tuple[str, bool]:
    stop_text = StopText(stops)
    shown = "".join(stop_text.feed(part) for part in parts)
    return shown + stop_text.rest(), stop_text.found


@pytest.mark.parametrize(
    ("stops", "parts", "shown", "found"),
    [
        ([], ["a", "b"], "ab", False),
        (["END"], ["one END two"], "one ", True),
        (["END"], ["one E", "N", "D two"], "one ", True),
        (["END"], ["one E", "NOUGH"], "one ENOUGH", False),
        (["END"], ["one EN"], "one EN", False),
        (["aab"], ["a", "a", "a", "b"], "a", True),
        (["xyz", "b"], ["abxyz"], "a", True),
        (["。"], ["你好", "。再见"], "你好", True),
        ([""], ["a"], "a", False),
    ],
)
def test_cases(stops: list[str], parts: list[str], shown: str, found: bool) -> None:
    assert feed_all(stops, parts) == (shown, found)


def test_nothing_is_shown_after_the_stop() -> None:
    stop_text = StopText(["x"])
    assert [stop_text.feed(text) for text in ("ax", "b")] == ["a", ""]
    assert stop_text.rest() == ""


@given(
    st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=3),
    st.lists(st.text("abc", max_size=4), max_size=8),
)
def test_parts_do_not_matter(stops: list[str], parts: list[str]) -> None:
    whole = "".join(parts)
    shown, found = feed_all(stops, parts)
    assert found == any(stop in whole for stop in stops)
    assert whole.startswith(shown)
    assert not any(stop in shown for stop in stops)
    if not found:
        assert shown == whole
