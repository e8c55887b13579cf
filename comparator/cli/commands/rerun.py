"""``comparator rerun``."""

from __future__ import annotations

from typing import Annotated

import typer

from comparator.cli.commands.options import (
    FirstTokenTimeout,
    Force,
    Format,
    LoadTimeout,
    MaxMemory,
    ModelsDirs,
    NoHistory,
    NoSource,
    NoThinking,
    Output,
    TokenTimeout,
    TotalTimeout,
    look_ups_in,
)
from comparator.cli.commands.run import RunOptions, run_request
from comparator.cli.display.kept import from_history
from comparator.comparison.request import Request
from comparator.hosting.requests import request_of
from comparator.hosting.reruns import rerun_of
from comparator.hosting.turn_requests import by_place
from comparator.services.inference_engine import InferenceEngine
from comparator.storage.history import History


def command(
    name: Annotated[
        str,
        typer.Argument(metavar="ID|last", help="A comparison, as 'comparator history' tells it."),
    ],
    no_thinking: NoThinking = False,
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
    """Ask a comparison of the history once more, with the same models, settings and seeds.

    Each model is asked what it was asked then, and chat templates are told the same date.
    """
    history = History()
    earlier = from_history(history, name)
    look_up, adapter = look_ups_in(models_dir, no_source)

    def request(engine: InferenceEngine) -> Request:
        return rerun_of(
            earlier,
            by_place(look_up),
            lambda draft, named: request_of(draft, engine, named, adapter),
        )

    limits = (load_timeout, first_token_timeout, token_timeout, total_timeout)
    options = RunOptions(max_memory_gb, force, output.value, limits, not no_thinking)
    return run_request(request, options, None if no_history else history)
