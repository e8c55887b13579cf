"""``comparator run``."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

from comparator.cli.commands import going_on
from comparator.cli.commands.messages_file import messages_of
from comparator.cli.commands.options import (
    Assignments,
    Cold,
    ContextSize,
    Date,
    FirstTokenTimeout,
    Force,
    Format,
    Further,
    Greedy,
    LoadTimeout,
    MaxMemory,
    MaxTokens,
    Messages,
    Models,
    ModelsDirs,
    NoHistory,
    NoSource,
    NoThinking,
    Output,
    Prompt,
    ReasoningEffort,
    Seed,
    SlotSampling,
    System,
    Temperature,
    ThinkingSwitch,
    Threads,
    Together,
    TokenTimeout,
    TotalTimeout,
    Warm,
    look_ups_in,
)
from comparator.cli.display.live import LiveColumns, Show, StateLines
from comparator.cli.errors import tell
from comparator.comparison.comparison import Comparison
from comparator.comparison.exports import OF_RESULTS, tables, words
from comparator.comparison.kept import kept, new_id
from comparator.comparison.request import Files, Request
from comparator.core.config import WITHOUT_A_LIMIT
from comparator.core.config_text import assigned, number_or_none
from comparator.core.exceptions import ConfigurationError
from comparator.core.models import InferenceResult, RunState
from comparator.hosting.options import deadlines_from
from comparator.hosting.requests import (
    AdapterLookUp,
    LookUp,
    RequestDraft,
    SlotDraft,
    request_of,
)
from comparator.services.inference_engine import InferenceEngine
from comparator.services.memory_manager import MemoryManager
from comparator.storage.history import History


@dataclass(frozen=True)
class RunOptions:
    """How a comparison is run and written, whatever it asks.

    Attributes:
        max_memory_gb: memory that models may use, in GB; None for what there is.
        force: run also what does not seem to fit.
        output: how the results are written, by its name among the exports.
        limits: those of load, first token, between tokens and the whole run, in seconds;
            0 turns one off and None takes the default.
        with_thoughts: whether people are shown what the models thought.
    """

    max_memory_gb: float | None
    force: bool
    output: str
    limits: Sequence[float | None] = ()
    with_thoughts: bool = True


def command(
    model: Models = None,
    prompt: Prompt = None,
    messages: Messages = None,
    further: Further = None,
    system: System = None,
    date: Date = None,
    max_tokens: MaxTokens = None,
    temperature: Temperature = None,
    seed: Seed = None,
    greedy: Greedy = False,
    thinking: ThinkingSwitch = None,
    reasoning_effort: ReasoningEffort = None,
    no_thinking: NoThinking = False,
    ctx_size: ContextSize = None,
    sampling: SlotSampling = None,
    threads: Threads = None,
    assignments: Assignments = None,
    together: Together = False,
    cold: Cold = False,
    warm: Warm = False,
    max_memory_gb: MaxMemory = None,
    force: Force = False,
    load_timeout: LoadTimeout = None,
    first_token_timeout: FirstTokenTimeout = None,
    token_timeout: TokenTimeout = None,
    total_timeout: TotalTimeout = None,
    output: Output = Format.text,
    no_history: NoHistory = False,
    models_dir: ModelsDirs = None,
    no_source: NoSource = None,
) -> int:
    """Ask up to four models the same question and print the answers.

    They run one after another, so that none slows another down.
    """
    check_what_is_asked(model or (), prompt, messages, further)
    common = {
        "max_tokens": max_tokens,
        "temperature": temperature,
        "seed": seed,
        "do_sample": False if greedy else None,
        "thinking": thinking.value if thinking else None,
        "reasoning_effort": reasoning_effort,
        "n_ctx": ctx_size,
        "n_threads": threads,
        "sampling": sampling,
    }
    settings, files = read_settings(common), files_of(cold, warm)
    limits = (load_timeout, first_token_timeout, token_timeout, total_timeout)
    options = RunOptions(max_memory_gb, force, output.value, limits, not no_thinking)
    history = None if no_history else History()
    look_ups = look_ups_in(models_dir, no_source)
    if further is not None:
        told = {**settings, "system_prompt": system} if system else settings
        asked = going_on.Further(further, prompt, told, assignments or (), together, files, date)
        return run_further(asked, options, history or History(), not no_history, *look_ups)
    slots = slots_of(model or (), assignments or ())
    given = prompt if messages is None else messages_of(messages)
    draft = RequestDraft(given or "", slots, system or "", settings, together, files, date=date)
    return run(draft, options, *look_ups, history=history)


def check_what_is_asked(
    models: Sequence[str], prompt: str | None, messages: str | None, further: str | None
) -> None:
    """Refuse options that exclude each other, and a question without what is needed.

    Raises:
        ConfigurationError: says which.
    """
    if prompt is not None and messages is not None:
        raise ConfigurationError("-p and --messages exclude each other; choose one.")
    if further is not None and messages is not None:
        raise ConfigurationError(
            "-c and --messages exclude each other: -c asks each model behind its own history."
        )
    if further is not None and models:
        raise ConfigurationError(
            "-c asks the models of the comparison that it names. Leave -m out, or ask others anew."
        )
    if further is None and not models:
        raise ConfigurationError("Choose at least one model with -m; 'comparator models' lists.")
    if further is None and prompt is None and messages is None:
        raise ConfigurationError("Type the question with -p, or name a file with --messages.")


def run(
    draft: RequestDraft,
    options: RunOptions,
    look_up: LookUp,
    adapter: AdapterLookUp | None = None,
    history: History | None = None,
) -> int:
    """Run the comparison that a draft asks for; return 0 only if every model answered."""
    return run_request(lambda engine: _request(draft, engine, look_up, adapter), options, history)


def run_further(
    further: going_on.Further,
    options: RunOptions,
    history: History,
    keeps: bool,
    look_up: LookUp,
    adapter: AdapterLookUp | None = None,
) -> int:
    """Run a further turn of a kept comparison; return 0 only if every column was answered."""
    left_out: list[str] = []

    def request(engine: InferenceEngine) -> Request:
        made, gone = going_on.request_on(further, history, engine, look_up, adapter)
        left_out.extend(gone)
        return made

    try:
        code = run_request(request, options, history if keeps else None)
    finally:
        history.close()
    return code or (1 if left_out else 0)


def run_request(
    request_of: Callable[[InferenceEngine], Request],
    options: RunOptions,
    history: History | None = None,
) -> int:
    """Run what is asked and keep it; return 0 only if every model answered.

    Args:
        request_of: returns the request, made for this engine.
        options: how it is run and written.
        history: where it is kept; None keeps it nowhere.
    """
    engine = InferenceEngine(
        MemoryManager(options.max_memory_gb, enforce=not options.force),
        deadlines_from(*options.limits),
    )
    try:
        comparison = Comparison(request_of(engine))
        comparison.name = new_id() if history is not None and history.is_on else None
        try:
            results = _watch(engine, comparison, options)
        finally:
            _keep(comparison, history)
    finally:
        engine.cleanup_resources()
        if history is not None:
            history.close()
    return 0 if all(result.state is RunState.DONE for result in results) else 1


def _keep(comparison: Comparison, history: History | None) -> None:
    """Keep a comparison that has ended, however it did, and tell where."""
    if history is None or comparison.name is None:
        return
    comparison.settle()
    if not comparison.is_complete:  # it never began
        return
    if history.add(kept(comparison.request, comparison.results(), comparison.name)):
        tell(f"Kept as {comparison.name}; 'comparator run -c {comparison.name} -p …' asks on.")
    else:
        tell(f"The comparison was not kept. {history.trouble}".rstrip())


def read_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the settings that were given, with None in place of the options' words for it."""
    return {
        name: number_or_none(name, value) if name in WITHOUT_A_LIMIT else value
        for name, value in settings.items()
        if value is not None
    }


def files_of(cold: bool, warm: bool) -> Files:
    """Return how the models' files are to be.

    Raises:
        ConfigurationError: both are wanted.
    """
    if cold and warm:
        raise ConfigurationError("--cold and --warm exclude each other; choose one.")
    if cold:
        return Files.COLD
    return Files.WARM if warm else Files.AS_THEY_ARE


def slots_of(models: Sequence[str], assignments: Sequence[str]) -> list[SlotDraft]:
    """Return the slots of these models, with what ``--set`` says of all and of single ones."""
    settings = assigned(assignments, len(models))
    return [SlotDraft(*pair) for pair in zip(models, settings, strict=True)]


def _request(
    draft: RequestDraft,
    engine: InferenceEngine,
    look_up: LookUp,
    adapter: AdapterLookUp | None,
) -> Request:
    """Return the request; a wrong name is told before anything is read from standard input."""
    if draft.prompt == "-":
        engine.warm_up([look_up(slot.model) for slot in draft.slots])
        draft = replace(draft, prompt=sys.stdin.read())
    return request_of(draft, engine, look_up, adapter)


def _watch(
    engine: InferenceEngine, comparison: Comparison, options: RunOptions
) -> list[InferenceResult]:
    results: list[InferenceResult] = []
    written, output = 0, options.output
    shown_live = output == "text" and sys.stdout.isatty()
    with (
        _display(shown_live, options.with_thoughts) as show,
        contextlib.closing(engine.watch(comparison)) as snapshots,
    ):
        for snapshot in snapshots:
            results = [replace(one, comparison=comparison.name) for one in snapshot.values()]
            show(results)
            if output == "jsonl":
                written = _write_complete(results, written)
    if output != "jsonl" and not shown_live:
        hidden = output in ("text", "md") and not options.with_thoughts
        shown = words.without_thoughts(results) if hidden else results
        sys.stdout.write(OF_RESULTS[output](shown))
    sys.stdout.flush()
    return results


def _display(live_on_stdout: bool, with_thoughts: bool) -> AbstractContextManager[Show]:
    if live_on_stdout:
        return LiveColumns(sys.stdout, with_thoughts)
    return LiveColumns(sys.stderr, with_thoughts) if sys.stderr.isatty() else StateLines(sys.stderr)


def _write_complete(results: Sequence[InferenceResult], written: int) -> int:
    """Write the records that are complete, in order, as soon as they are."""
    while written < len(results) and results[written].is_complete:
        sys.stdout.write(tables.as_json_lines([results[written]]))
        sys.stdout.flush()
        written += 1
    return written
