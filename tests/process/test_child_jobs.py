"""Work on files is done by a child that may write to one folder and ends with its caller."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from wide_gguf import write_wide_gguf

from comparator.core.exceptions import ModelLoadError
from comparator.core.quiet import quiet
from comparator.library import discovery
from comparator.library.changes import child_jobs, quantising
from runners import protocol
from runners.supervision.fork_server import fork_servers

pytest.importorskip("llama_cpp")


@pytest.fixture
def workers() -> Callable[[], list[psutil.Process]]:
    """What this test has started and what still runs, without the fork servers."""
    before = {process.pid for process in psutil.Process().children(recursive=True)}

    def started() -> list[psutil.Process]:
        known = before | set(fork_servers.pids())
        found = psutil.Process().children(recursive=True)
        return [p for p in found if p.pid not in known and p.status() != psutil.STATUS_ZOMBIE]

    return started


Workers = Callable[[], list[psutil.Process]]


def arguments(folder: Path) -> dict[str, str]:
    return {"target": str(folder / "made.gguf"), "type": "Q8_0"}


def test_a_job_tells_how_far_it_is_and_ends_once(tmp_path: Path) -> None:
    source = write_wide_gguf(tmp_path / "a.gguf")
    told = list(
        child_jobs.messages(
            child_jobs.assignment("quantize", [source], arguments(tmp_path), tmp_path)
        )
    )
    assert isinstance(told[0], protocol.Hello)
    assert isinstance(told[-1], protocol.Finished)
    assert [message for message in told if isinstance(message, protocol.FINAL)] == told[-1:]
    assert any(isinstance(message, protocol.Loading) for message in told)
    assert child_jobs.finished(told[-1], "It") is told[-1]


@pytest.mark.skipif(not hasattr(os, "SCHED_IDLE"), reason="the class is Linux's")
@pytest.mark.parametrize("is_background", [False, True])
def test_a_job_of_the_background_takes_what_nobody_else_wants_of_the_processor(
    starter_models: dict[str, str], tmp_path: Path, workers: Workers, is_background: bool
) -> None:
    source = Path(starter_models["gguf_q4_1"])  # large enough to be at work when it is looked at
    work = quiet.background("quantising") if is_background else contextlib.nullcontext()
    with work:
        job = child_jobs.assignment("quantize", [source], arguments(tmp_path), tmp_path)
        with contextlib.closing(child_jobs.messages(job)) as messages:
            assert isinstance(next(messages), protocol.Hello)
            (worker,) = workers()
            run = quiet.begin_run()
            policies = {os.sched_getscheduler(thread.id) for thread in worker.threads()}
            beside = quiet.end_run(run)
    assert policies == {os.SCHED_IDLE if is_background else os.SCHED_OTHER}
    assert beside == (("quantising",) if is_background else ())
    assert run.waited_seconds == 0.0, "no run waits for it"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the sandbox is Linux's")
def test_a_job_writes_to_its_own_folder_alone(tmp_path: Path) -> None:
    source = write_wide_gguf(tmp_path / "a.gguf")
    own, other = tmp_path / "own", tmp_path / "other"
    own.mkdir()
    other.mkdir()
    hello, *_, last = child_jobs.messages(
        child_jobs.assignment("quantize", [source], arguments(other), own)
    )
    assert isinstance(hello, protocol.Hello)
    if "files" not in hello.sandbox:
        pytest.skip(f"no sandbox for files on this kernel: {hello.sandbox}")
    with pytest.raises(ModelLoadError, match=r"llama\.cpp cannot make Q8_0 of a\.gguf"):
        child_jobs.finished(last, "It")
    assert not list(other.iterdir())


def test_a_job_whose_process_is_killed_is_a_sentence_and_leaves_nothing(
    starter_models: dict[str, str], tmp_path: Path, workers: Workers
) -> None:
    source = discovery.inspect(Path(starter_models["gguf_q4_1"]))
    assert source is not None
    steps = quantising.make(quantising.plan(source, ["IQ4_NL"], tmp_path))
    for step in steps:
        if step.step == "quantise" and step.done > 0:
            break
    (worker,) = workers()
    worker.kill()
    with pytest.raises(ModelLoadError, match=r"^IQ4_NL of SmolLM2.* was not made: .*kill"):
        list(steps)
    assert not list((tmp_path / "gguf").iterdir())


def test_a_job_that_is_not_wanted_any_more_is_stopped(tmp_path: Path, workers: Workers) -> None:
    source = write_wide_gguf(tmp_path / "a.gguf")
    work = child_jobs.assignment("quantize", [source], arguments(tmp_path), tmp_path)
    *_, last = child_jobs.messages(work, lambda: True)
    with pytest.raises(child_jobs.Stopped):
        child_jobs.finished(last, "It")
    assert not workers()


def test_a_caller_that_leaves_ends_the_job(tmp_path: Path, workers: Workers) -> None:
    source = write_wide_gguf(tmp_path / "a.gguf")
    told = child_jobs.messages(
        child_jobs.assignment("quantize", [source], arguments(tmp_path), tmp_path)
    )
    assert isinstance(next(told), protocol.Hello)
    told.close()
    assert not workers()


def test_silence_is_a_sentence() -> None:
    with pytest.raises(ModelLoadError, match="It was not made: it stood still"):
        child_jobs.finished(protocol.TimedOut("load", 1800.0), "It")
