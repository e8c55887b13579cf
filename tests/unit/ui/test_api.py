"""What the endpoint of a comparison tells, without a server."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from comparator.comparison.comparison import Comparison
from comparator.hosting.host import Host
from comparator.hosting.options import ServerOptions
from comparator.storage.history import History, Retention
from comparator.ui import api
from runners import protocol
from tests.unit.hosting.test_host import IdleEngine


def test_the_end_is_told_also_where_whoever_keeps_it_took_it_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "alpha.echo.json").write_text("{}")
    engine, history = IdleEngine(), History(tmp_path / "history.sqlite3", Retention())
    host = Host(ServerOptions(models_dir=tmp_path), engine, history)
    request = SimpleNamespace(session_hash="one")

    async def answered_meanwhile(_seconds: float) -> None:
        session = host.current("one")
        if session is None:
            return
        comparison = session.comparison
        with comparison._lock:
            comparison._waiting = []
        for message in (protocol.Token("hi", 1, 0.1), protocol.Answered("stop", 1, 0.2)):
            comparison._tell(0, message)
        comparison._tell(0, protocol.Finished(0.2))
        assert session.join(60)  # it is kept, so it is whole before its reader looks again

    monkeypatch.setattr(api.asyncio, "sleep", answered_meanwhile)
    # As it is for a moment in the thread that keeps it, before it notes what the reader lacks.
    taken_in = property(lambda it: all(builder.is_complete for builder in it._builders))
    monkeypatch.setattr(Comparison, "is_complete", taken_in)

    async def told() -> list[Any]:
        asked = ("hi", ["alpha"], "", {})
        return [one async for one in api._records(host, request, asked)]

    (record,) = asyncio.run(told())[-1]
    history.close()
    assert (record["content"], record["is_complete"], record["state"]) == ("hi", True, "done")
