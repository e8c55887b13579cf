"""Suites of a page and whose they are, on runs that start nothing."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
from idle_suites import IdleRuns, with_idle_suites

from comparator.core.exceptions import ConfigurationError, MultiLLMError
from comparator.hosting.host import Host
from comparator.hosting.limits import PublicLimits, TooOftenError
from comparator.hosting.options import ServerOptions
from comparator.hosting.requests import RequestDraft, SlotDraft
from comparator.hosting.session import BusyError
from comparator.hosting.suites import evaluations as module
from comparator.hosting.suites import live_suite
from comparator.hosting.suites.suite_drafts import SuiteDraft, batch_of
from comparator.hosting.suites.suite_sources import told_source
from comparator.hosting.suites.suites_seen import as_seen
from comparator.storage.history import History, Retention
from comparator.storage.kept_comparison import KeptComparison
from comparator.storage.measurements import Measured
from tests.unit.hosting.test_host import DRAFT, IdleEngine, _end

PASTED = {"kind": "paste", "text": "one\ntwo\n"}
ASKED = RequestDraft("", [SlotDraft("alpha"), SlotDraft("beta")])
SUITE = SuiteDraft(PASTED, ASKED)
LIMITS = PublicLimits(suite_answers=8, visitor_per_minute=3)


def _host(folder: Path, **options: Any) -> Host:
    for name in ("alpha", "beta"):
        (folder / f"{name}.echo.json").write_text("{}")
    history = History(folder / "history.sqlite3", Retention())
    return Host(ServerOptions(models_dir=folder, **options), IdleEngine(), history)


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    host = _host(tmp_path)
    yield host
    host.close()


@pytest.fixture
def public(tmp_path: Path) -> Iterator[Host]:
    host = _host(tmp_path, public=True, limits=LIMITS)
    yield host
    host.close()


@pytest.fixture
def runs(host: Host, tmp_path: Path) -> IdleRuns:
    return with_idle_suites(host, tmp_path)


@pytest.fixture
def public_runs(public: Host, tmp_path: Path) -> IdleRuns:
    return with_idle_suites(public, tmp_path)


def test_a_suite_is_asked_kept_and_found_as_it_ends(host: Host, runs: IdleRuns) -> None:
    live = host.evaluations.begin("one", replace(SUITE, repeats="2", name=" Mine "), "")
    run = runs.wait_for(1)
    assert [slot.model.name for slot in runs.given[0]] == ["alpha", "beta"]
    kept = host.evaluations.get(live.id, "")
    assert kept is not None
    assert (kept.name, len(kept.suite.items), kept.repeats) == ("Mine", 2, 2)
    run.answer(0, 0, True)
    told = host.evaluations.get("last", "")
    assert told is not None
    assert [cell.state for cell in told.cells].count("done") == 1
    run.end()
    assert live.join(60)
    (entry,) = host.evaluations.find("", 10)
    assert (entry.name, entry.state, entry.done) == ("Mine", "interrupted", 1)
    assert host.evaluations.live("") is None


def test_a_suite_that_is_whole_is_read_once_and_forgotten_with_its_deletion(
    host: Host, runs: IdleRuns
) -> None:
    live = host.evaluations.begin("one", SUITE, "")
    run = runs.wait_for(1)
    for slot, prompt in ((0, 0), (0, 1), (1, 0), (1, 1)):
        run.answer(slot, prompt, True)
    run.end()
    assert live.join(60)
    first = host.evaluations.get(live.id[:6], "")
    assert first is not None
    assert host.evaluations.get(live.id, "") is first
    assert host.evaluations.get(live.id, "ben") is None
    host.evaluations.remove(live.id, "")
    assert host.evaluations.get(live.id, "") is None


def test_a_suite_and_comparisons_wait_for_each_other(host: Host, runs: IdleRuns) -> None:
    engine: Any = host.engine
    first = host.begin("anna", DRAFT, lambda: None)
    engine.wait_for(1)
    live = host.evaluations.begin("ben", SUITE, "")
    behind = host.begin("carl", DRAFT, lambda: None)
    assert (live.position, behind.position, behind.waits_for) == (1, 2, "")
    assert not runs.made
    _end(first.comparison)
    run = runs.wait_for(1)
    assert (live.position, behind.position) == (0, 1)
    assert "suite" in behind.waits_for
    run.end()
    engine.wait_for(2)
    assert (behind.position, behind.waits_for) == (0, "")
    _end(behind.comparison)


def test_a_second_suite_is_refused_until_the_first_has_ended(host: Host, runs: IdleRuns) -> None:
    live = host.evaluations.begin("one", SUITE, "")
    with pytest.raises(BusyError, match="A suite is running"):
        host.evaluations.begin("two", SUITE, "")
    runs.wait_for(1)
    assert host.evaluations.stop("")
    assert live.join(60)
    again = host.evaluations.begin("two", SUITE, "")
    runs.wait_for(2)
    assert host.evaluations.stop_session("two")
    assert again.join(60)
    assert not host.evaluations.stop("")


def test_a_suite_that_is_stopped_in_the_line_gives_its_place_back(
    host: Host, runs: IdleRuns
) -> None:
    first = host.begin("anna", DRAFT, lambda: None)
    live = host.evaluations.begin("ben", SUITE, "")
    behind = host.begin("carl", DRAFT, lambda: None)
    assert behind.position == 2
    live.stop()
    assert live.join(60)
    assert behind.position == 1
    assert not runs.made
    _end(first.comparison)
    host.engine.wait_for(2)  # type: ignore[attr-defined]
    _end(behind.comparison)


def test_the_time_is_told_where_every_model_has_written_here(host: Host, runs: IdleRuns) -> None:
    def seconds(**settings: Any) -> float | None:
        return host.evaluations.most_seconds(replace(ASKED, settings=settings), 10, "2")

    speeds = {"alpha": 10.0}

    class Known:
        def of(self, model: Any) -> Measured | None:
            speed = speeds.get(model.name)
            return Measured(1.0, speed, 1, 1, 1) if speed else None

    host.engine.measurements = Known()  # type: ignore[assignment]
    assert seconds(max_tokens=100) is None
    speeds["beta"] = 50.0
    assert seconds(max_tokens=100) == pytest.approx(20 * (10 + 2))
    assert seconds(max_tokens=None) is None
    assert seconds(max_tokens=-1) is None


def test_what_was_interrupted_goes_on_and_what_is_gone_is_said(host: Host, runs: IdleRuns) -> None:
    live = host.evaluations.begin("one", SUITE, "")
    runs.wait_for(1).answer(0, 1, True)
    with pytest.raises(ConfigurationError, match="Stop it first"):
        host.evaluations.remove(live.id, "")
    host.evaluations.stop("")
    assert live.join(60)
    again = host.evaluations.resume("two", live.id, "")
    run = runs.wait_for(2)
    assert [cell.state for cell in run.kept().cells].count("pending") == 3
    run.end()
    assert again.join(60)
    host.evaluations.remove(live.id, "")
    for act in (host.evaluations.remove, lambda *names: host.evaluations.resume("two", *names)):
        with pytest.raises(ConfigurationError, match="not kept here"):
            act(live.id, "")


def test_a_suite_goes_on_also_where_its_judge_is_gone(host: Host, runs: IdleRuns) -> None:
    live = host.evaluations.begin("one", replace(SUITE, judge="beta"), "")
    runs.wait_for(1)
    host.evaluations.stop("")
    assert live.join(60)
    kept = runs.store.get(live.id)
    assert kept is not None
    assert kept.judge is not None
    model = {**kept.judge["model"], "id": "gone", "path": "/nowhere/gone.gguf"}
    judge = {**kept.judge, "model": model}
    runs.store.update(msgspec.structs.replace(kept, judge=judge))
    again = host.evaluations.resume("two", live.id, "")
    runs.wait_for(2).end()
    assert again.join(60)


def test_a_page_that_is_closed_leaves_ones_own_suite_running(host: Host, runs: IdleRuns) -> None:
    live = host.evaluations.begin("one", SUITE, "")
    runs.wait_for(1)
    host.evaluations.leave("one")
    assert not live.is_stopping
    host.close()
    assert live.join(60)
    assert runs.made[0].was_stopped
    with pytest.raises(ConfigurationError, match="being closed"):
        host.evaluations.begin("one", SUITE, "")


def test_on_a_public_page_nobody_reaches_anothers_suite(
    public: Host, public_runs: IdleRuns
) -> None:
    suites = public.evaluations
    live = suites.begin("anna-tab", SUITE, "anna", "192.0.2.1", "anna")
    run = public_runs.wait_for(1)
    assert suites.get(live.id, "ben") is None
    assert suites.get("last", "ben") is None
    assert suites.find("ben", 10) == []
    assert not suites.stop("ben")
    for act in (suites.remove, lambda name, owner: suites.resume("ben-tab", name, owner)):
        with pytest.raises(ConfigurationError, match="not kept here"):
            act(live.id, "ben")
    other = suites.begin("ben-tab", SUITE, "ben", "192.0.2.2", "ben")
    assert other.position == 1
    with pytest.raises(BusyError):  # another browser of the same visitor
        suites.begin("anna-other", SUITE, "anna2", "192.0.2.1", "anna2")
    suites.leave("anna-tab")
    assert live.join(60)
    assert run.was_stopped
    public_runs.wait_for(2).end()
    assert other.join(60)


def test_public_limits_hold_for_suites(public: Host, public_runs: IdleRuns) -> None:
    def refused(match: str, draft: SuiteDraft) -> None:
        with pytest.raises(MultiLLMError, match=match):
            public.evaluations.begin("tab", draft, "anna", "192.0.2.1", "anna")

    refused("12 answers; this public page takes 8", replace(SUITE, repeats=3))
    refused("judge", replace(SUITE, judge="alpha"))
    refused("prompt has", replace(SUITE, source={"kind": "paste", "text": "a\n" + "b" * 9000}))
    asks_python = [{"prompt": "a", "assert": [{"type": "python", "value": "True"}]}]
    refused("'python'", replace(SUITE, source=told_source(asks_python)))
    many = [{"prompt": "a", "assert": [{"type": "contains", "value": "b"}] * 21}]
    refused("Prompt 1 has 21 assertions", replace(SUITE, source=told_source(many)))
    refused("max_tokens", replace(SUITE, asked=replace(ASKED, settings={"max_tokens": 4096})))
    assert not public_runs.made
    for number in range(LIMITS.visitor_per_minute):
        live = public.evaluations.begin("tab", SUITE, "anna", "192.0.2.1", "anna")
        public_runs.wait_for(number + 1).end()
        assert live.join(60)
    with pytest.raises(TooOftenError):
        public.evaluations.begin("tab", SUITE, "anna", "192.0.2.1", "anna")


def test_on_a_public_page_no_sentence_tells_where_anything_lies(
    public: Host, public_runs: IdleRuns, tmp_path: Path
) -> None:
    live = public.evaluations.begin("tab", SUITE, "anna", "192.0.2.1", "anna")
    run = public_runs.wait_for(1)
    run.why = "See /srv/log/x.txt."
    run.refusals[0] = f"The model at {tmp_path}/alpha.echo.json is another now."
    assert live.trouble == "See x.txt. The model at alpha.echo.json is another now."
    run.end()
    assert live.join(60)


def test_a_public_page_reads_no_parquet_and_one_suite_at_a_time(
    public: Host, public_runs: IdleRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a.parquet", "b/A.Parquet/", "a.parquet "):
        with pytest.raises(ConfigurationError, match="no Parquet"):
            public.evaluations.read({"kind": "file", "name": name, "data": ""}, "anna")
    monkeypatch.setattr(module, "_READ_WAIT_SECONDS", 0.01)
    with (
        public.evaluations._reading,
        pytest.raises(ConfigurationError, match="another visitor's"),
    ):
        public.evaluations.read(PASTED, "ben")
    with pytest.raises(ConfigurationError, match="Type prompts"):
        public.evaluations.read(None, "anna")
    assert public.evaluations.read(PASTED, "ben").items


def test_what_there_is_no_thread_left_for_holds_no_place(
    host: Host, runs: IdleRuns, monkeypatch: pytest.MonkeyPatch
) -> None:
    class NoThread:
        def __init__(self, **_named: Any) -> None:
            pass

        def start(self) -> None:
            raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(live_suite.threading, "Thread", NoThread)
        with pytest.raises(RuntimeError):
            host.evaluations.begin("one", SUITE, "")
        with pytest.raises(RuntimeError):
            host.begin("one", DRAFT, lambda: None)
    assert host.evaluations.live("") is None
    live = host.evaluations.begin("one", SUITE, "")
    runs.wait_for(1).end()
    assert live.join(60)


def test_a_public_suite_gives_its_turn_away_and_can_go_on(tmp_path: Path) -> None:
    host = _host(tmp_path, public=True, limits=replace(LIMITS, suite_seconds=0.01))
    runs = with_idle_suites(host, tmp_path)
    live = host.evaluations.begin("tab", SUITE, "anna", "192.0.2.1", "anna")
    assert live.join(60)
    assert runs.wait_for(1).was_stopped
    assert "others have their turn" in live.trouble
    again = host.evaluations.resume("tab", live.id, "anna", "192.0.2.1")
    assert again.join(60)
    host.close()


def test_places_of_this_machine_are_not_told(host: Host, runs: IdleRuns, tmp_path: Path) -> None:
    live = host.evaluations.begin("one", SUITE, "")
    run = runs.wait_for(1)
    run.answer(0, 0, True)
    assert str(tmp_path) in str(run.kept())
    assert str(tmp_path) not in str(as_seen(run.kept(), tmp_path))
    run.end()
    assert live.join(60)


@pytest.mark.parametrize(
    ("source", "match"),
    [
        (None, "Type prompts"),
        ({"kind": "paste", "text": "  \n"}, "Type prompts"),
        ({"kind": "paste", "text": 7}, "Type prompts"),
        ({"kind": "file", "name": "a.txt", "data": "?"}, "did not arrive whole"),
        ({"kind": "file", "name": "a.txt"}, "did not arrive whole"),
        ({"kind": "file", "name": "a.jsonl", "data": base64.b64encode(b'{"p": 1}').decode()}, "1"),
        ({"kind": "history", "ids": ["nowhere"]}, "at least one comparison"),
        ({"kind": "history", "ids": "x"}, "at least one comparison"),
        ({"kind": "builtin", "name": "none"}, "There are: basic"),
        ({"kind": "kept", "id": "abcdabcd"}, "No suite 'abcdabcd'"),
    ],
)
def test_a_source_that_cannot_be_read_is_a_sentence(
    host: Host, runs: IdleRuns, source: Any, match: str
) -> None:
    with pytest.raises(ConfigurationError, match=match):
        host.evaluations.read(source, "")


def test_chosen_comparisons_become_prompts(host: Host, runs: IdleRuns) -> None:
    told = [{"role": "user", "content": "Why?"}, {"role": "assistant", "content": "So."}]
    record = {
        "model": {"id": "x", "name": "x", "model_type": "echo", "path": "/x", "size": 1},
        "prompt": {"messages": [*told, {"role": "user", "content": "And then?"}]},
        "content": "Then.",
        "state": "done",
    }
    host.history.add(KeptComparison(id="c0ffee", created=1.0, records=[record]))
    ids = ["c0ffee", "gone", "c0ffee"]
    suite = host.evaluations.read({"kind": "history", "ids": ids}, "")
    (item,) = suite.items
    assert (item.question, len(item.messages)) == ("And then?", 3)
    assert "1 of the chosen" in suite.notes[0]


@pytest.mark.parametrize("name", ["basic", "quick"])
def test_a_built_in_suite_is_meant_by_its_name(host: Host, runs: IdleRuns, name: str) -> None:
    assert told_source(name) == {"kind": "builtin", "name": name}
    assert host.evaluations.read(told_source(name), "").items


@pytest.mark.parametrize(
    ("suite", "questions"),
    [
        ("one\ntwo", ["one", "two"]),
        (["one", {"prompt": "two", "tags": ["x"]}], ["one", "two"]),
        ({"name": "a.csv", "text": "prompt\none\ntwo\n"}, ["one", "two"]),
        ({"text": "one\n"}, ["one"]),
    ],
)
def test_what_programs_may_call_a_suite(
    host: Host, runs: IdleRuns, suite: Any, questions: list[str]
) -> None:
    found = host.evaluations.read(told_source(suite), "")
    assert [item.question for item in found.items] == questions


@pytest.mark.parametrize("suite", [7, None, {"name": "a.txt"}])
def test_nothing_else_is_called_a_suite(suite: Any) -> None:
    with pytest.raises(ConfigurationError, match="suite must be"):
        told_source(suite)


@pytest.mark.parametrize("told", ["0", "x", 65, 1.5, True, [], -1])
def test_a_batch_is_auto_or_a_number(told: Any) -> None:
    with pytest.raises(ConfigurationError, match="batch must be"):
        batch_of(told)
    assert [batch_of(one) for one in ("auto", "", None, "8", 1.0)] == ["auto", "auto", "auto", 8, 1]


def test_a_system_message_of_one_prompt_is_not_for_the_others(host: Host, runs: IdleRuns) -> None:
    items = [{"prompt": "a", "system": "Be brief."}, "b"]
    live = host.evaluations.begin("one", replace(SUITE, source=told_source(items)), "")
    runs.wait_for(1).end()
    assert live.join(60)
    assert [slot.config.system_prompt or "" for slot in runs.given[0]] == ["", ""]
