"""``comparator run``."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comparator.cli.commands.options import (
    Assignments,
    ContextSize,
    FirstTokenTimeout,
    Force,
    Format,
    Greedy,
    LoadTimeout,
    MaxMemory,
    MaxTokens,
    Models,
    ModelsDirs,
    NoSource,
    Output,
    Prompt,
    Seed,
    System,
    Temperature,
    Threads,
    Together,
    TokenTimeout,
    TotalTimeout,
    library_of,
)
from comparator.cli.display.live import LiveColumns, Show, StateLines
from comparator.comparison import exports
from comparator.core.config import ModelConfig
from comparator.core.config_text import parse_settings
from comparator.core.exceptions import ConfigurationError, ModelNotFoundError
from comparator.core.models import InferenceResult, ModelInfo, RunState
from comparator.hosting.options import deadlines_from
from comparator.services.inference_engine import InferenceEngine
from comparator.services.memory_manager import MemoryManager
from comparator.services.model_manager import MOST_MODELS, told_apart

_FOR_ONE_MODEL = re.compile(r"^(\d+)\.(.+)$", re.DOTALL)


@dataclass(frozen=True)
class Question:
    """What is asked of whom; ``settings`` are those given by options of their own."""

    models: Sequence[str]
    prompt: str
    settings: Mapping[str, Any]


@dataclass(frozen=True)
class Options:
    """How the comparison is run and written.

    ``limits`` are those of load, first token, between tokens and the whole run, in seconds;
    0 turns one off and None takes the default.
    """

    set: Sequence[str]
    together: bool
    max_memory_gb: float | None
    force: bool
    output: str
    limits: Sequence[float | None] = ()


def command(
    model: Models,
    prompt: Prompt,
    system: System = None,
    max_tokens: MaxTokens = None,
    temperature: Temperature = None,
    seed: Seed = None,
    greedy: Greedy = False,
    ctx_size: ContextSize = None,
    threads: Threads = None,
    assignments: Assignments = None,
    together: Together = False,
    max_memory_gb: MaxMemory = None,
    force: Force = False,
    load_timeout: LoadTimeout = None,
    first_token_timeout: FirstTokenTimeout = None,
    token_timeout: TokenTimeout = None,
    total_timeout: TotalTimeout = None,
    output: Output = Format.text,
    models_dir: ModelsDirs = None,
    no_source: NoSource = None,
) -> int:
    """Ask up to four models the same question and print the answers.

    They run one after another, so that none slows another down.
    """
    common = {
        "max_tokens": max_tokens,
        "temperature": temperature,
        "seed": seed,
        "do_sample": False if greedy else None,
        "n_ctx": ctx_size,
        "n_threads": threads,
        "system_prompt": system,
    }
    question = Question(
        model, prompt, {key: value for key, value in common.items() if value is not None}
    )
    limits = (load_timeout, first_token_timeout, token_timeout, total_timeout)
    options = Options(assignments or [], together, max_memory_gb, force, output.value, limits)
    return run(question, options, models_dir, no_source)


def run(
    question: Question,
    options: Options,
    models_dirs: Sequence[Path] | None = None,
    no_source: Sequence[str] | None = None,
) -> int:
    """Run the comparison; return 0 only if every model answered."""
    models = find_models(question.models, models_dirs, no_source)
    configs = configs_for(models, question.settings, options.set)
    engine = InferenceEngine(
        MemoryManager(options.max_memory_gb, enforce=not options.force),
        deadlines_from(*options.limits),
    )
    engine.warm_up(models)
    prompt = sys.stdin.read() if question.prompt == "-" else question.prompt
    try:
        results = _watch(engine, prompt, models, configs, options)
    finally:
        engine.cleanup_resources()
    return 0 if all(result.state is RunState.DONE for result in results) else 1


def find_models(
    wanted: Sequence[str],
    models_dirs: Sequence[Path] | None = None,
    no_source: Sequence[str] | None = None,
) -> list[ModelInfo]:
    """Return the models that ids, names and paths mean, told apart where one stands twice."""
    if len(wanted) > MOST_MODELS:
        raise ConfigurationError(f"Choose up to {MOST_MODELS} models; {len(wanted)} were given.")
    manager = library_of(models_dirs, no_source)
    try:
        manager.scan_models()
    except ModelNotFoundError:
        if models_dirs:
            raise
    manager.close()
    return told_apart([manager.find_model(name) for name in wanted])


def configs_for(
    models: Sequence[ModelInfo], common: Mapping[str, Any], assignments: Sequence[str]
) -> dict[str, ModelConfig]:
    """Return the settings of each model from the options and from ``--set``."""
    values: list[dict[str, Any]] = [dict(common) for _ in models]
    for text in assignments:
        match = _FOR_ONE_MODEL.match(text)
        targets = [_numbered(values, match[1])] if match else values
        for target in targets:
            target.update(parse_settings(match[2] if match else text))
    return {
        model.id: ModelConfig.from_dict(chosen)
        for model, chosen in zip(models, values, strict=True)
    }


def _numbered(values: Sequence[dict[str, Any]], number: str) -> dict[str, Any]:
    if not 1 <= int(number) <= len(values):
        raise ConfigurationError(f"--set {number}.… means model {number} of {len(values)}.")
    return values[int(number) - 1]


def _watch(
    engine: InferenceEngine,
    prompt: str,
    models: Sequence[ModelInfo],
    configs: Mapping[str, ModelConfig],
    options: Options,
) -> list[InferenceResult]:
    results: list[InferenceResult] = []
    written = 0
    shown_live = options.output == "text" and sys.stdout.isatty()
    with _display(shown_live) as show:
        for snapshot in engine.run_inference(prompt, models, configs, together=options.together):
            results = list(snapshot.values())
            show(results)
            if options.output == "jsonl":
                written = _write_complete(results, written)
    if options.output != "jsonl" and not shown_live:
        sys.stdout.write(exports.FORMATS[options.output](results))
    sys.stdout.flush()
    return results


def _display(live_on_stdout: bool) -> AbstractContextManager[Show]:
    if live_on_stdout:
        return LiveColumns(sys.stdout)
    return LiveColumns(sys.stderr) if sys.stderr.isatty() else StateLines(sys.stderr)


def _write_complete(results: Sequence[InferenceResult], written: int) -> int:
    """Write the records that are complete, in order, as soon as they are."""
    while written < len(results) and results[written].is_complete:
        sys.stdout.write(exports.as_json_lines([results[written]]))
        sys.stdout.flush()
        written += 1
    return written
