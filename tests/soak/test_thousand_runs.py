"""A thousand runs with faults among them, and the program holds what it held after ten.

``make soak`` runs it; ``tests/process/test_nothing_leaks.py`` is the short version.
"""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from holdings import holdings, in_words

from comparator.core.config import ModelConfig
from comparator.core.conversation import Conversation
from comparator.core.models import ModelInfo, ModelType
from runners import protocol
from runners.machine import memory
from runners.process import Deadlines, Run

pytestmark = pytest.mark.timeout(1100)

RUNS, REAL_RUNS, WARM_UP, AT_ONCE = 1000, 60, 10, 4
MOST_GROWTH_BYTES = 10_000_000
FAULTS = (None, "sigkill", None, "sigsegv", None, "raise", "exit_3", None, "hang", "abort")
STAGES = ("load", "prompt", "generate")
RUN_SECONDS = 60


def play(
    model: ModelInfo,
    deadlines: Deadlines,
    config: ModelConfig,
    interfere: Callable[[Run, protocol.Message], None],
) -> str:
    """Play one run to its end and return the name of its final message."""
    question = Conversation.of("one two three four")
    assignment = protocol.Assignment(
        protocol.Answer(model, config, (question,)),
        time.monotonic(),
        readable=(model.path,),
    )
    finals: list[str] = []

    def deliver(message: protocol.Message) -> None:
        if isinstance(message, protocol.FINAL):
            finals.append(type(message).__name__)
        interfere(run, message)

    run = Run(deadlines)
    run.start(assignment, deliver)
    assert run.join(RUN_SECONDS), "a run did not end"
    (final,) = finals
    return final


def equal_after(
    runs: int, at_once: int, one: Callable[[int], str], report: Callable[[str, object], None]
) -> Counter[str]:
    """Play runs and check that nothing is left of them that was not there after the first."""
    with ThreadPoolExecutor(at_once) as pool:
        list(pool.map(one, range(WARM_UP)))
        before, private = holdings(), memory.private_bytes()
        begun = time.monotonic()
        ends = Counter(pool.map(one, range(runs)))
        seconds = time.monotonic() - begun
        deadline = time.monotonic() + 10
        while holdings() != before and time.monotonic() < deadline:
            time.sleep(0.05)
        after, growth = holdings(), memory.private_bytes() - private
    report("runs", runs)
    report("seconds", round(seconds, 1))
    report("ends", ", ".join(f"{name} {count}" for name, count in sorted(ends.items())))
    report(f"after the first {WARM_UP}", in_words(before))
    report("at the end", in_words(after))
    report("growth of private memory in bytes", growth)
    assert after == before
    assert growth < MOST_GROWTH_BYTES
    return ends


def test_a_thousand_runs_on_echo(
    echo_model: Callable[..., ModelInfo], record_property: Callable[[str, object], None]
) -> None:
    models = [
        echo_model(f"m{number}", fault=fault, fault_stage=STAGES[number % 3], fault_after=0)
        for number, fault in enumerate([*FAULTS, *FAULTS, *FAULTS])
    ]
    limits = Deadlines(load_seconds=5, first_token_seconds=0.5, between_tokens_seconds=0.5)

    def one(number: int) -> str:
        def interfere(run: Run, message: protocol.Message) -> None:
            if number % 5 == 4 and isinstance(message, protocol.Hello):
                run.stop()

        return play(models[number % len(models)], limits, ModelConfig(), interfere)

    ends = equal_after(RUNS, AT_ONCE, one, record_property)
    assert set(ends) == {"Finished", "Failed", "Crashed", "TimedOut", "Cancelled"}
    assert ends["Finished"] > RUNS // 5


def test_sixty_runs_on_real_models(
    starter_models: dict[str, str], record_property: Callable[[str, object], None]
) -> None:
    models = [
        ModelInfo("", key, path, ModelType.PYTORCH if Path(path).is_dir() else ModelType.GGUF, 1)
        for key, path in starter_models.items()
    ]
    interferences: list[tuple[type[Any], Callable[[Run], None]]] = [
        (protocol.Finished, lambda run: None),
        (protocol.Token, lambda run: os.kill(run.pid or 0, signal.SIGKILL)),
        (protocol.Finished, lambda run: None),
        (protocol.Loaded, lambda run: run.stop()),
        (protocol.Loading, lambda run: os.kill(run.pid or 0, signal.SIGSEGV)),
    ]

    def one(number: int) -> str:
        kind, act = interferences[number % len(interferences)]
        done: list[bool] = []

        def interfere(run: Run, message: protocol.Message) -> None:
            if isinstance(message, kind) and not done:
                done.append(True)
                act(run)

        config = ModelConfig(max_tokens=8, n_threads=1)
        return play(models[number % len(models)], Deadlines(), config, interfere)

    ends = equal_after(REAL_RUNS, 2, one, record_property)
    assert ends["Finished"] >= REAL_RUNS // 3
    assert ends["Crashed"] >= REAL_RUNS // 5
