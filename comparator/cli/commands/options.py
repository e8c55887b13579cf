"""The options of the commands, by name."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated, Optional

import typer

from comparator.core.config import MOST_TOKENS, ModelConfig
from comparator.core.exceptions import ModelNotFoundError
from comparator.core.models import ModelInfo
from comparator.hosting.library.models_places import chosen_sources, default_models_dir
from comparator.hosting.surroundings import refuse_bad_folder
from comparator.library import adapters
from comparator.library.sources import SOURCES
from comparator.services.model_manager import ModelManager
from runners.timeouts import Deadlines

_USUAL, _USUALLY = ModelConfig(), Deadlines()

ModelsDirs = Annotated[
    Optional[list[Path]],  # noqa: UP045  # typer reads it at run time, on Python 3.10 as well
    typer.Option(
        "--models-dir",
        "--model-dir",
        help="Folder with your models; repeatable, the first is the one that is written to. "
        "Default: ./models where it exists, else your data folder.",
        show_default=False,
    ),
]
NoSource = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option(
        "--no-source",
        metavar="NAME",
        help=f"A program whose models are not looked for; repeatable: {', '.join(SOURCES)}.",
    ),
]
LoadTimeout = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option(
        "--load-timeout",
        metavar="SECONDS",
        help="Without a sign of progress while loading; 0 for ever. "
        f"Default: {_USUALLY.load_seconds:g}.",
    ),
]
FirstTokenTimeout = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option(
        "--first-token-timeout",
        metavar="SECONDS",
        help="From the loaded model to its first token; 0 for ever. "
        f"Default: {_USUALLY.first_token_seconds:g}.",
    ),
]
TokenTimeout = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option(
        "--token-timeout",
        metavar="SECONDS",
        help="From one token to the next; 0 for ever. "
        f"Default: {_USUALLY.between_tokens_seconds:g}.",
    ),
]
TotalTimeout = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option(
        "--total-timeout",
        metavar="SECONDS",
        help=f"A model's whole run; 0 for ever. Default: {_USUALLY.total_seconds:g}.",
    ),
]


class Format(str, Enum):
    """How results are written."""

    text = "text"
    md = "md"
    json = "json"
    jsonl = "jsonl"
    csv = "csv"


class Thinking(str, Enum):
    """Whether a model is told to think before it answers."""

    auto = "auto"
    on = "on"
    off = "off"


Models = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option(
        "--model",
        "-m",
        metavar="MODEL",
        help="Id, name or path of a model; up to four, repeatable.",
    ),
]
Prompt = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--prompt", "-p", metavar="TEXT", help="The question; - reads it from standard input."
    ),
]
Messages = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--messages",
        metavar="FILE.json",
        help="A conversation in place of a question: a JSON list of messages with role and "
        "content, the last the user's; - reads it from standard input.",
    ),
]
Date = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--date",
        metavar="DATE",
        help="What chat templates are told where they ask for the time, such as 2026-11-26 or "
        "2026-11-26T13:30:00. Default: now.",
    ),
]
Further = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--continue",
        "-c",
        metavar="ID|last",
        help="Ask a further question of a comparison of the history: each of its models behind "
        "its own answer, with its settings. Without -p, answers that hit their limit go on.",
    ),
]
NoHistory = Annotated[
    bool, typer.Option("--no-history", help="Do not keep this comparison in the history.")
]
System = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--system", "-s", metavar="TEXT", help="What every model is told before the prompt."
    ),
]
MaxTokens = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--max-tokens",
        metavar="N|none",
        help=f"Tokens to write at the most (1 to {MOST_TOKENS}); none: until the model ends or its "
        f"context is full. Default: {_USUAL.max_tokens}.",
    ),
]
Temperature = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option(
        "--temperature",
        "--temp",
        help=f"0.1 to 2, or 0 for greedy. Default: {_USUAL.temperature}.",
    ),
]
Seed = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option("--seed", help="Makes the answers repeatable."),
]
Greedy = Annotated[bool, typer.Option("--greedy", help="Take the likeliest token each time.")]
ThinkingSwitch = Annotated[
    Optional[Thinking],  # noqa: UP045
    typer.Option(
        "--thinking",
        help="Tell the models to think first, or not to, where their chat templates know it.",
    ),
]
ReasoningEffort = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--reasoning-effort",
        metavar="WORD",
        help="How much to think, such as low, where the chat templates know it.",
    ),
]
NoThinking = Annotated[
    bool,
    typer.Option(
        "--no-thinking",
        help="Do not show thoughts, in text and Markdown; the models think all the same.",
    ),
]
ContextSize = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--ctx-size",
        metavar="N|fit",
        help="Context in tokens; fit: as much as the model was made for and memory has room for. "
        f"Default: {_USUAL.n_ctx}.",
    ),
]
SlotSampling = Annotated[
    Optional[str],  # noqa: UP045
    typer.Option(
        "--sampling",
        metavar="given|maker",
        help="given: the same values for all models, unless told otherwise; maker: those that "
        f"each model's maker advises. Default: {_USUAL.sampling}.",
    ),
]
Threads = Annotated[
    Optional[int],  # noqa: UP045
    typer.Option(
        "--threads",
        "-t",
        help="CPU threads. Default: the free physical cores, of more than two one less; "
        "together they are shared.",
    ),
]
Assignments = Annotated[
    Optional[list[str]],  # noqa: UP045
    typer.Option(
        "--set",
        metavar="[N.]NAME=VALUE",
        help="Any setting as NAME=VALUE, for all models, or N.NAME=VALUE for the N-th one.",
    ),
]
Together = Annotated[
    bool, typer.Option("--together", help="Run all at once if they fit; speeds then differ.")
]
Cold = Annotated[
    bool,
    typer.Option(
        "--cold", help="Take each model's files out of the system's file cache before its run."
    ),
]
Warm = Annotated[
    bool,
    typer.Option("--warm", help="Read each model's files into the file cache before its run."),
]
MaxMemory = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option("--max-memory-gb", help="Memory that models may use, in GB."),
]
Force = Annotated[
    bool, typer.Option("--force", help="Run also what does not seem to fit into memory.")
]
Output = Annotated[Format, typer.Option("--output", "-o", help="How the results are written.")]


def own_folder(models_dirs: Sequence[Path] | None) -> Path:
    """Return the folder that is written to: the first one named, or the usual one."""
    return models_dirs[0] if models_dirs else default_models_dir()


def library_of(models_dirs: Sequence[Path] | None, no_source: Sequence[str] | None) -> ModelManager:
    """Return the manager of the folders and sources that were asked for; it has not scanned yet.

    Raises:
        ModelNotFoundError: the first folder was named and is not there.
        ConfigurationError: a folder that was named is none, or no source has that name.
    """
    own, more = own_folder(models_dirs), (models_dirs or ())[1:]
    for folder in models_dirs or ():
        refuse_bad_folder(folder)
    if models_dirs and not own.is_dir():
        raise ModelNotFoundError(
            f"There is no models folder at {own}. Create it and put models into it, "
            "name another one, or let 'comparator starter' bring a set to begin with."
        )
    return ModelManager(own, more_dirs=more, sources=chosen_sources(no_source or ()))


def look_up_in(
    models_dirs: Sequence[Path] | None, no_source: Sequence[str] | None
) -> Callable[[str], ModelInfo]:
    """Return the first of ``look_ups_in``."""
    return look_ups_in(models_dirs, no_source)[0]


def look_ups_in(
    models_dirs: Sequence[Path] | None, no_source: Sequence[str] | None
) -> tuple[Callable[[str], ModelInfo], Callable[[str], str]]:
    """Return what finds a model, and what finds an adapter's path, by id, name or path.

    The folders are scanned when one of them is asked. Without a folder that was named, none has
    to be there: a path is enough.

    Raises:
        ModelNotFoundError: the first folder was named and is not there.
        ConfigurationError: no source has that name.
    """
    manager = library_of(models_dirs, no_source)

    @functools.cache
    def scanned() -> ModelManager:
        try:
            manager.scan_models()
        except ModelNotFoundError:
            if models_dirs:
                raise
        manager.close()
        return manager

    def adapter(wanted: str) -> str:
        path = Path(wanted).expanduser()
        if os.path.exists(path):
            return os.path.abspath(path)
        return adapters.meant(scanned().get_adapters(), wanted).path

    return lambda wanted: scanned().find_model(wanted), adapter
