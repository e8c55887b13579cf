"""A prompt of a suite as a comparison to vote on: one, whoever asks for it and how often."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from kept_suites import kept_suite

from comparator.core.exceptions import ConfigurationError
from comparator.hosting.host import Host
from comparator.hosting.options import ServerOptions
from comparator.hosting.suites.suite_votes import comparison_of
from comparator.storage.history import History, Retention
from tests.unit.hosting.test_host import IdleEngine

KEPT = kept_suite([[True, True], [False, None]])
TOGETHER = 4


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    history = History(tmp_path / "history.sqlite3", Retention())
    host = Host(ServerOptions(models_dir=tmp_path), IdleEngine(), history)
    yield host
    host.close()


def test_all_who_ask_at_once_for_one_prompt_see_the_same_order(host: Host, monkeypatch) -> None:
    """Else a vote would be counted for the answer that stands there in another's order."""
    find, looked = host.history.get, threading.Barrier(TOGETHER)

    def get(name: str, owner: str = "") -> object:
        found = find(name, owner)
        with contextlib.suppress(threading.BrokenBarrierError):
            looked.wait(0.2)  # all of them have looked, where nothing holds them
        return found

    monkeypatch.setattr(host.history, "get", get)
    with ThreadPoolExecutor(TOGETHER) as threads:
        asked = [threads.submit(comparison_of, host, KEPT, (0, 0), "") for _ in range(TOGETHER)]
        seen = [one.result() for one in asked]
    assert len({one.created for one in seen}) == 1
    assert host.voting.is_sealed(seen[0].id)


def test_a_prompt_that_one_model_alone_has_answered_cannot_be_voted_on(host: Host) -> None:
    with pytest.raises(ConfigurationError, match="two models"):
        comparison_of(host, KEPT, (1, 0), "")
    assert host.history.find() == []
