"""``comparator rerun``."""

from __future__ import annotations

import contextlib
from typing import Annotated

import typer

from comparator.cli.commands.options import Format, NoHistory, NoThinking, Output
from comparator.cli.commands.run import RunOptions, run_request
from comparator.cli.commands.shared_options import EngineOptions, LibraryOptions
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
    *,
    engine: EngineOptions,
    output: Output = Format.text,
    no_thinking: NoThinking = False,
    no_history: NoHistory = False,
    library: LibraryOptions,
) -> int:
    """Ask a comparison of the history once more, with the same models, settings and seeds.

    Each model is asked what it was asked then, and chat templates are told the same date.
    """
    with contextlib.closing(History()) as history:
        earlier = from_history(history, name)
    look_up, adapter = library.look_ups()

    def request(runs: InferenceEngine) -> Request:
        return rerun_of(
            earlier,
            by_place(look_up),
            lambda draft, named: request_of(draft, runs, named, adapter),
        )

    options = RunOptions(engine, output.value, not no_thinking)
    return run_request(request, options, None if no_history else History())
