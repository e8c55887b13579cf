"""The child's life, top to bottom: settle, load, answer, tell the end, exit.

It runs in a process that was forked for one run and never serves another.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

from comparator.core import exceptions, priority
from comparator.core.models import ModelType
from runners import protocol, registry
from runners.base import REFUSED_ALONE, BaseInferencer, PromptTokens, TokenText
from runners.child import descriptors, memory_limit, several
from runners.child.answerer import Answerer, find_inferencer
from runners.child.failures import explain, failure
from runners.child.sandbox import enter_sandbox
from runners.child.stage import Stage
from runners.child.telling import Teller, prompted, sentences
from runners.child.thoughts import AnswerTeller
from runners.child.token_batching import TokenBatching
from runners.machine import cores, memory, temporary

_PR_SET_PDEATHSIG = 1


def main(
    assignment: protocol.Assignment,
    wire: socket.socket,
    log: socket.socket | None,
    parent_pid: int | None,
) -> None:
    """Live the whole life of a child; never returns."""
    settle(log, parent_pid)
    if assignment.is_background:
        priority.become_idle()
    keep_only(wire)
    live(assignment, wire, confined)
    leave()


def visit(
    assignment: protocol.Assignment, wire: socket.socket, log: socket.socket, parent_pid: int
) -> None:
    """Live a child's life in a thread of a process that another library has made for one run.

    Signals belong to its main thread, and a sandbox would shut in what the library needs.
    """
    with contextlib.suppress(OSError):
        os.setpgid(0, 0)
    die_with_parent(parent_pid)
    os.dup2(log.fileno(), 1)
    os.dup2(log.fileno(), 2)
    live(assignment, wire, lambda _assignment: "off (the process is lent)")


def confined(assignment: protocol.Assignment) -> str:
    """Put the ceiling of memory and the sandbox around this process; return it in words."""
    config = assignment.config
    threads = cores.thread_count(config.n_threads if config else None)
    memory_limit.impose(assignment.memory_limit_bytes, mapped_bytes(assignment), threads)
    return enter_sandbox(assignment)


def live(
    assignment: protocol.Assignment,
    wire: socket.socket,
    confine: Callable[[protocol.Assignment], str],
) -> None:
    """Say hello, do what was assigned, and tell how it ended."""
    temporary.use(assignment.temporary)
    teller = Teller(wire, assignment.started)
    stage = Stage()
    try:
        sandbox = confine(assignment)
        teller.tell(protocol.Hello(teller.seconds(), sandbox))
        do(assignment, teller, stage)
    except BrokenPipeError:
        os._exit(1)  # the parent is gone, so nobody is left to tell
    except BaseException as error:
        teller.tell(failure(error, stage.name, assignment))


def settle(log: socket.socket | None, parent_pid: int | None) -> None:
    """Make this process its own: group, signals, output, and an end when its parent ends."""
    if hasattr(os, "setpgid"):
        os.setpgid(0, 0)
    die_with_parent(parent_pid)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole terminal group
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if hasattr(signal, "SIGUSR1"):
        signal.signal(signal.SIGUSR1, _stop_asked)
    if log is not None:
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        log.close()
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")


def keep_only(wire: socket.socket) -> None:
    """Close what was inherited: a process that is taken over finds the wire and its own output."""
    descriptors.close_all_but({wire.fileno()})


def die_with_parent(parent_pid: int | None) -> None:
    """Ask the kernel to kill this process when its parent ends, even if it is stopped then."""
    if not sys.platform.startswith("linux"):
        return
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if parent_pid is not None and os.getppid() != parent_pid:
        os._exit(1)  # it ended before the request took effect


def mapped_bytes(assignment: protocol.Assignment) -> int:
    """Return the size of files that are mapped privately: those of transformers models."""
    work = assignment.work
    if isinstance(work, protocol.Job) or work.model.model_type is not ModelType.PYTORCH:
        return 0
    return int(work.model.size or 0)


class _StopFlag:
    raised = False


def _stop_asked(_number: int, _frame: Any) -> None:
    _StopFlag.raised = True


def stop_is_asked() -> bool:
    """Return whether the parent has asked this run to end."""
    return _StopFlag.raised


def do(assignment: protocol.Assignment, teller: Teller, stage: Stage) -> None:
    """Do the work that was assigned, and tell its end."""
    work = assignment.work
    if isinstance(work, protocol.Answer):
        answer(assignment, work, teller, stage)
    elif isinstance(work, protocol.Job):
        do_job(work, teller, stage)
    else:
        raise exceptions.ConfigurationError(
            f"The {assignment.kind} engine cannot score texts; it can only answer."
        )


def answer(
    assignment: protocol.Assignment, work: protocol.Answer, teller: Teller, stage: Stage
) -> None:
    """Load the model, stream its answers one after another, and tell the end."""
    stage.name = "load"
    teller.progress("start", 0, 1)
    answerer = find_inferencer(assignment, work)
    inferencer = answerer.inferencer
    inferencer.report_progress = teller.progress
    inferencer.should_stop = stop_is_asked
    inferencer.is_due = TokenBatching().is_due
    inferencer.verdict = assignment.verdict
    inferencer.date = work.date
    inferencer.choices = work.choices
    inferencer.batch = work.at_once
    prepare(answerer, work)
    inferencer.load_model(work.model.path, answerer.settings())
    teller.tell(loaded(inferencer, teller.seconds(), stage.got()))
    if work.at_once > 1:
        several.tell(answerer, work, teller, stage)
    else:
        answer_in_turn(answerer, work, teller, stage)
    teller.tell(finished(inferencer, teller.seconds()))


def prepare(answerer: Answerer, work: protocol.Answer) -> None:
    """Refuse what cannot work before the weights are read; one of several refuses itself alone."""
    for conversation in work.conversations[:1]:
        prompt = answerer.prompt(conversation)
        try:
            answerer.inferencer.prepare(work.model.path, answerer.settings(), prompt)
        except REFUSED_ALONE:
            if len(work.conversations) == 1:
                raise


def answer_in_turn(answerer: Answerer, work: protocol.Answer, teller: Teller, stage: Stage) -> None:
    """Tell one answer after another, until one is stopped."""
    for number in range(len(work.conversations)):
        stage.name = "prompt"
        answerer.inferencer.seed = work.seed_of(number)
        if answer_one(answerer, work, number, teller, stage) == "cancelled":
            break


def answer_one(
    answerer: Answerer, work: protocol.Answer, number: int, teller: Teller, stage: Stage
) -> str:
    """Tell one answer, or why this conversation alone cannot be answered; return how it ended."""
    prompt = answerer.prompt(work.conversations[number])
    try:
        begun = work.conversations[number].begun
        return stream(answerer.inferencer, prompt, number, teller, stage, bool(begun))
    except REFUSED_ALONE as error:
        if len(work.conversations) == 1:
            raise
        kind, words = explain(error, stage.name)
        seconds = teller.seconds()
        teller.tell(protocol.Answered("error", 0, seconds, "", number, words, kind))
        return "error"


def stream(
    inferencer: BaseInferencer,
    prompt: Any,
    number: int,
    teller: Teller,
    stage: Stage,
    goes_on: bool = False,
) -> str:
    """Tell every piece of an answer as it comes, and its end; return why it ended."""
    reason, messages = "", AnswerTeller(inferencer, number, goes_on)
    prefill: protocol.ProcessorTime | None = None
    for piece in inferencer.pieces(prompt):
        if isinstance(piece, TokenText):
            teller.tell(messages.token(piece.text, teller.since_start(piece.at)))
            prefill = prefill or stage.got()
        elif isinstance(piece, PromptTokens):
            stage.name = "generate"
            messages.take_prompt(piece)
            teller.tell(prompted(piece, number, teller.seconds()))
        else:
            reason, seconds = piece.reason, teller.seconds()
            decode = stage.got() if prefill else None
            teller.tell(messages.answered(reason, piece.text, seconds, prefill, decode))
    if not reason:
        raise exceptions.InferenceError("The inferencer's pieces ended without an End.")
    return reason


def loaded(
    inferencer: BaseInferencer, seconds: float, got: protocol.ProcessorTime
) -> protocol.Loaded:
    """Make the message that says what answers."""
    info = inferencer.get_model_info()
    return protocol.Loaded(
        seconds,
        context_length=int(info.get("context_length") or 0),
        device=str(info.get("device", ""))[:200],
        dtype=str(info.get("dtype", ""))[:200],
        engine=str(info.get("engine") or info.get("model_type") or "")[:200],
        threads=int(info.get("threads") or 0),
        way=str(inferencer.way)[:200],
        fallbacks=sentences(inferencer.fallbacks),
        learned=learned(inferencer),
        processor=got,
    )


def learned(inferencer: BaseInferencer) -> dict[str, Any]:
    """Return what an inferencer wants to be told the next time; nothing where it is no JSON."""
    try:
        found: dict[str, Any] = json.loads(json.dumps(inferencer.learned))
    except (TypeError, ValueError, RecursionError):
        return {}
    return found


def finished(inferencer: BaseInferencer, seconds: float) -> protocol.Finished:
    """Make the final message of a good run."""
    return protocol.Finished(
        seconds,
        peak_bytes=memory.private_bytes(),
        peak_device_bytes=inferencer.device_memory_bytes(),
        fallbacks=sentences(inferencer.fallbacks),
    )


def do_job(job: protocol.Job, teller: Teller, stage: Stage) -> None:
    """Do a job on model files and tell its end, with what it found out as the text."""
    stage.name = "load"
    do_it = registry.resolve(registry.JOBS[job.name])
    found = do_it(job.arguments, teller.progress, stop_is_asked) or ""
    teller.tell(protocol.Finished(teller.seconds(), memory.private_bytes(), text=found))


def leave() -> None:
    """End at once: the system takes memory back faster than destructors do."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(0)
