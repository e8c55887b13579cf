"""Twenty sessions at once: no error, no mixed-up answer, and no process left."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.ui.conftest import Server, until

CROWD = Path(__file__).parents[1] / "support" / "visiting_crowd.py"
SESSIONS = 20


def ask_at_once(server: Server, seconds: float, record: Callable[[str, Any], None]) -> None:
    """Let twenty sessions ask for so long, at least once each, and read what they met."""
    words = [server.url, str(seconds), str(SESSIONS), "session", "-", "Quick"]
    told = subprocess.run(
        [sys.executable, str(CROWD), *words], stdout=subprocess.PIPE, text=True, check=True
    )
    report = json.loads(told.stdout)
    record("answers", sum(report["answers"]))
    record("longest line", report["most_waiting"])
    assert report["wrong"] == []
    assert len(report["answers"]) == SESSIONS
    assert min(report["answers"]) >= 1, "nobody was left out"
    assert report["most_waiting"] >= 1, "they came at once"
    until(lambda: not server.runs())


def test_twenty_sessions_at_once_each_get_their_own_answer(
    server: Server, record_property: Callable[[str, Any], None]
) -> None:
    ask_at_once(server, 0, record_property)


@pytest.mark.slow
def test_twenty_sessions_ask_for_a_minute(
    server: Server, record_property: Callable[[str, Any], None]
) -> None:
    ask_at_once(server, 60, record_property)
