"""Visitors, their comparisons and the line, on an engine that starts nothing."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from gguf import GGUFWriter

from comparator.comparison.comparison import Comparison
from comparator.core.exceptions import MultiLLMError
from comparator.hosting.admission_queue import LineFullError
from comparator.hosting.host import Host
from comparator.hosting.options import ServerOptions
from comparator.hosting.requests import RequestDraft, SlotDraft
from comparator.hosting.session import BusyError
from comparator.library.facts.lookup import facts_of
from comparator.services import inference_engine
from comparator.services.inference_engine import InferenceEngine
from runners import protocol
from runners.supervision.fork_server import ForkServers


class IdleEngine(InferenceEngine):
    """Starts comparisons in name only; a test ends them."""

    def __init__(self) -> None:
        super().__init__()
        self.started: list[Comparison] = []
        self.news = threading.Condition()

    def start(self, comparison: Comparison) -> Comparison:
        with self.news:
            self.started.append(comparison)
            self.news.notify_all()
        return comparison

    def wait_for(self, count: int) -> None:
        with self.news:
            assert self.news.wait_for(lambda: len(self.started) >= count, 5)


def _end(comparison: Comparison) -> None:
    """Tell what a child's end tells."""
    with comparison._lock:
        comparison._waiting = []
    comparison._tell(0, protocol.Answered("stop", 0, 0.1))
    comparison._tell(0, protocol.Finished(0.1))


@pytest.fixture
def engine() -> IdleEngine:
    return IdleEngine()


@pytest.fixture
def host(tmp_path: Path, engine: IdleEngine) -> Host:
    (tmp_path / "alpha.echo.json").write_text("{}")
    return Host(ServerOptions(models_dir=tmp_path, line_length=2), engine)


DRAFT = RequestDraft("hi", [SlotDraft("alpha")])


def test_what_writes_no_text_is_not_offered_once_its_facts_are_known(
    host: Host, tmp_path: Path
) -> None:
    writer = GGUFWriter(tmp_path / "embeds.gguf", "bert")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    shelf = host.shelf()
    (embeds,) = (model for model in shelf.offered if model.name == "embeds")
    facts_of(embeds)  # what the library's thread does behind
    shelf = host.shelf()
    assert [model.name for model in shelf.offered] == ["alpha"]
    (passed_over,) = shelf.skipped
    assert passed_over.path == embeds.path
    assert "writes no answers" in passed_over.reason


def _begin(host: Host, session: str, bell: Callable[[], None] = lambda: None) -> Any:
    return host.begin(session, DRAFT, bell)


def test_one_comparison_at_a_time_and_the_next_when_its_children_are_gone(
    host: Host, engine: IdleEngine
) -> None:
    first, second = _begin(host, "one"), _begin(host, "two")
    engine.wait_for(1)
    assert (first.position, second.position) == (0, 1)
    _end(first.comparison)
    engine.wait_for(2)
    assert second.position == 0
    _end(second.comparison)


def test_a_second_run_of_a_session_is_refused_until_the_first_is_stopped(host: Host) -> None:
    first = _begin(host, "one")
    with pytest.raises(BusyError, match="still running"):
        _begin(host, "one")
    host.stop("one")
    second = _begin(host, "one")
    assert first.is_stopping
    assert host.stop("one")
    assert second.join(60)


def test_stop_in_the_line_gives_the_place_back(host: Host, engine: IdleEngine) -> None:
    _, second, third = (_begin(host, name) for name in ("one", "two", "three"))
    with pytest.raises(LineFullError):
        _begin(host, "four")
    host.stop("two")
    assert second.join(60)
    assert third.position == 1
    _begin(host, "four")
    for name in ("one", "three", "four"):
        host.stop(name)
    assert second.comparison not in engine.started, "who left the line is never begun"


def test_another_sessions_key_stops_nothing(host: Host) -> None:
    session = _begin(host, "one")
    assert host.stop("somebody") is False
    assert not session.is_stopping
    host.stop("one")


def test_a_refused_question_leaves_no_trace(host: Host, engine: IdleEngine) -> None:
    with pytest.raises(MultiLLMError):
        host.begin("one", RequestDraft("hi", [SlotDraft("nothing")]), lambda: None)
    assert host.current("one") is None
    assert engine.started == []


def test_whoever_ends_is_forgotten(host: Host, engine: IdleEngine) -> None:
    session = _begin(host, "one")
    engine.wait_for(1)
    _end(session.comparison)
    until = threading.Event()
    for _ in range(500):
        if host.current("one") is None:
            return
        until.wait(0.01)
    pytest.fail("the session still has a comparison")


def test_records_carry_no_path_of_the_machine(host: Host, tmp_path: Path) -> None:
    [record] = host.model_records()
    assert record["path"] is None
    assert record["file"] == "alpha.echo.json"
    session = _begin(host, "one")
    assert str(tmp_path) not in str(host.records(session.comparison))
    host.stop("one")


def test_a_closed_host_takes_nothing_more(host: Host) -> None:
    session = _begin(host, "one")
    host.close()
    assert session.is_stopping
    with pytest.raises(MultiLLMError, match="being closed"):
        _begin(host, "two")


def test_a_failed_column_is_asked_again_in_a_comparison_of_its_own(host: Host) -> None:
    first = host.begin(
        "one", RequestDraft("hi", [SlotDraft("alpha", {"seed": 3})] * 2), lambda: None
    )
    with pytest.raises(BusyError, match="still running"):
        host.again("one", first.comparison, 0, 0, lambda: None)
    first.stop()
    first.comparison.drain()
    retry = host.again("one", first.comparison, 1, 1, lambda: None)
    [slot] = retry.comparison.request.slots
    assert (slot.model.id, slot.config.seed) == (first.comparison.request.slots[1].model.id, 3)
    assert retry.comparison.request.conversation.question == "hi"
    host.stop("one", 0)  # the column of another comparison
    assert not retry.comparison.has_ended
    host.stop("one", 1)
    assert retry.comparison.has_ended


def test_a_column_that_still_ends_is_not_asked_again(host: Host, engine: IdleEngine) -> None:
    first = _begin(host, "one")
    engine.wait_for(1)
    first._stop_asked = True  # stopped, and its child is not gone yet
    with pytest.raises(BusyError):
        host.again("one", first.comparison, 0, 0, lambda: None)
    _end(first.comparison)


def test_a_comparison_that_has_ended_holds_nobody_up(host: Host, engine: IdleEngine) -> None:
    first = _begin(host, "one")
    engine.wait_for(1)
    _end(first.comparison)
    second = _begin(host, "one")  # at once, whether or not the last one is tidied up
    assert host.current("one") is second
    host.stop("one")


def test_a_models_own_code_is_refused_on_a_public_page_alone(tmp_path: Path) -> None:
    (tmp_path / "alpha.echo.json").write_text("{}")
    draft = RequestDraft("hi", [SlotDraft("alpha")], settings={"trust_remote_code": True})
    public = Host(ServerOptions(models_dir=tmp_path, share=True), IdleEngine())
    with pytest.raises(MultiLLMError, match="refused on a page that others can reach"):
        public.begin("one", draft, lambda: None)
    private = Host(ServerOptions(models_dir=tmp_path), IdleEngine())
    private.begin("one", draft, lambda: None)
    private.stop("one")


def test_no_folder_is_no_model(tmp_path: Path) -> None:
    host = Host(ServerOptions(models_dir=tmp_path / "missing"), IdleEngine())
    assert host.shelf().offered == []
    assert host.model_records() == []


def test_the_engines_of_chosen_models_start_and_what_is_no_model_is_passed_over(
    host: Host, engine: IdleEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    warmed: list[list[str]] = []
    monkeypatch.setattr(engine, "warm_up", lambda models: warmed.append([m.name for m in models]))
    (alpha,) = host.library.rescan().offered
    host.choose([alpha.id, "", None, 7, "no such model"])
    assert warmed == [["alpha"]]


def test_a_page_keeps_engines_warm_for_as_long_as_it_was_told(
    tmp_path: Path, engine: IdleEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference_engine, "fork_servers", ForkServers())
    Host(ServerOptions(models_dir=tmp_path, keep_warm_minutes=0.5), engine)
    assert engine.keep_warm_seconds == inference_engine.fork_servers.keep_warm_seconds == 30
