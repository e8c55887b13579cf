"""What a page's owner says of the history and of tools."""

from __future__ import annotations

from pathlib import Path

import pytest

from comparator.core.exceptions import ConfigurationError
from comparator.hosting.options import ServerOptions, wants_mcp

HERE = Path("models")


def test_it_is_on_unless_somebody_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COMPARATOR_HISTORY", raising=False)
    assert ServerOptions(HERE).retention.is_on
    assert not ServerOptions(HERE, keeps_history=False).retention.is_on
    monkeypatch.setenv("COMPARATOR_HISTORY", "off")
    assert not ServerOptions(HERE).retention.is_on


def test_what_strangers_ask_does_not_lie_here_for_ever() -> None:
    retention = ServerOptions(HERE, public=True).retention
    assert (retention.days, retention.days_of_visitors) == (0, 30)


def test_a_wrong_variable_ends_the_start_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPARATOR_HISTORY_MOST", "lots")
    with pytest.raises(ConfigurationError, match="COMPARATOR_HISTORY_MOST"):
        _ = ServerOptions(HERE).retention


@pytest.mark.parametrize(
    ("value", "wanted"), [("1", True), ("on", True), ("", False), ("0", False)]
)
def test_tools_are_offered_where_that_is_said(
    value: str, wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COMPARATOR_MCP", value)
    assert wants_mcp() is wanted
    assert ServerOptions(HERE).mcp is wanted
    assert wants_mcp(True)
