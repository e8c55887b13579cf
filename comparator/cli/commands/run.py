"""``comparator run``."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from comparator.cli.commands import going_on
from comparator.cli.commands.messages_file import messages_of
from comparator.cli.commands.options import (
    Cold,
    Date,
    Format,
    Further,
    Messages,
    Models,
    NoHistory,
    NoThinking,
    Output,
    Prompt,
    System,
    Together,
    Warm,
)
from comparator.cli.commands.shared_options import EngineOptions, LibraryOptions, SettingOptions
from comparator.cli.display.live import LiveColumns, Show, StateLines
from comparator.cli.errors import tell
from comparator.comparison.comparison import Comparison
from comparator.comparison.exports import OF_RESULTS, tables, words
from comparator.comparison.kept import kept, new_id
from comparator.comparison.request import Files, Request
from comparator.core.exceptions import ConfigurationError
from comparator.core.models import InferenceResult, RunState
from comparator.hosting.requests import (
    AdapterLookUp,
    LookUp,
    RequestDraft,
    request_of,
)
from comparator.services.inference_engine import InferenceEngine
from comparator.storage.history import History


@dataclass(frozen=True)
class RunOptions:
    """How a comparison is run and written, whatever it asks.

    Attributes:
        engine: of what may run it, and how long.
        output: how the results are written, by its name among the exports.
        with_thoughts: whether people are shown what the models thought.
    """

    engine: EngineOptions
    output: str
    with_thoughts: bool = True


def command(
    model: Models = None,
    prompt: Prompt = None,
    messages: Messages = None,
    further: Further = None,
    system: System = None,
    date: Date = None,
    *,
    settings: SettingOptions,
    together: Together = False,
    cold: Cold = False,
    warm: Warm = False,
    engine: EngineOptions,
    output: Output = Format.text,
    no_thinking: NoThinking = False,
    no_history: NoHistory = False,
    library: LibraryOptions,
) -> int:
    """Ask up to four models the same question and print the answers.

    They run one after another, so that none slows another down.
    """
    check_what_is_asked(model or (), prompt, messages, further)
    for_all, files = settings.for_all(), files_of(cold, warm)
    options = RunOptions(engine, output.value, not no_thinking)
    history = None if no_history else History()
    look_ups = library.look_ups()
    if further is not None:
        told = {**for_all, "system_prompt": system} if system else for_all
        assignments = settings.assignments or ()
        asked = going_on.Further(further, prompt, told, assignments, together, files, date)
        return run_further(asked, options, history or History(), not no_history, *look_ups)
    slots = settings.slots_of(model or ())
    given = prompt if messages is None else messages_of(messages)
    draft = RequestDraft(given or "", slots, system or "", for_all, together, files, date=date)
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
    engine = options.engine.make()
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
