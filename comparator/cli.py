"""The command line: ``comparator serve | models | run | starter``.

Results go to standard output alone; progress and logs go to standard error. The exit code is
0 only if everything asked for was done, 1 if a model failed, 2 if the request was wrong.
"""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import Annotated, NoReturn, Optional

import typer

from comparator.core.exceptions import ConfigurationError, MultiLLMError

app = typer.Typer(
    name="comparator",
    help="Compare local language models side by side. Each runs in a process of its own, "
    "so memory is always given back and a crash stays in its column.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


class Format(str, Enum):
    """How results are written."""

    text = "text"
    md = "md"
    json = "json"
    jsonl = "jsonl"
    csv = "csv"


ModelsDir = Annotated[
    Optional[Path],  # noqa: UP045  # typer reads it at run time, on Python 3.10 as well
    typer.Option(
        "--models-dir",
        "--model-dir",
        help="Folder with your models. Default: ./models where it exists, else your data folder.",
        show_default=False,
    ),
]


LoadTimeout = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option(
        "--load-timeout",
        metavar="SECONDS",
        help="Without a sign of progress while loading; 0 for ever. Default: 600.",
    ),
]
FirstTokenTimeout = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option(
        "--first-token-timeout",
        metavar="SECONDS",
        help="From the loaded model to its first token; 0 for ever. Default: 600.",
    ),
]
TokenTimeout = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option(
        "--token-timeout",
        metavar="SECONDS",
        help="From one token to the next; 0 for ever. Default: 120.",
    ),
]
TotalTimeout = Annotated[
    Optional[float],  # noqa: UP045
    typer.Option(
        "--total-timeout",
        metavar="SECONDS",
        help="A model's whole run; 0 for ever. Default: 3600.",
    ),
]


@app.command()
def serve(
    models_dir: ModelsDir = None,
    share: Annotated[bool, typer.Option("--share", help="Open a public link to it.")] = False,
    server_name: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Address to listen on; 0.0.0.0 for all. Default: this machine only."),
    ] = None,
    server_port: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option(help="Port. Default: the first free one from 7860."),
    ] = None,
    auth: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(help="USER:PASSWORD that may log in; repeatable."),
    ] = None,
    root_path: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="Path under which a proxy shows the page."),
    ] = None,
    inbrowser: Annotated[
        bool, typer.Option("--inbrowser", help="Open the page in your browser.")
    ] = False,
    load_timeout: LoadTimeout = None,
    first_token_timeout: FirstTokenTimeout = None,
    token_timeout: TokenTimeout = None,
    total_timeout: TotalTimeout = None,
) -> None:
    """Open the page: choose up to four models, ask, and watch the answers side by side."""
    from comparator.commands import serve as command

    limits = (load_timeout, first_token_timeout, token_timeout, total_timeout)
    _guarded(
        lambda: command.serve(
            models_dir, share, server_name, server_port, auth or [], root_path, inbrowser, limits
        )
    )


@app.command()
def models(
    models_dir: ModelsDir = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON list instead.")] = False,
) -> None:
    """List the models in a folder, and the files that cannot be loaded with the reason."""
    from comparator.commands import models as command

    _guarded(lambda: command.show(models_dir, as_json))


@app.command()
def starter(models_dir: ModelsDir = None) -> None:
    """Put four small models in place, made offline; safe to repeat and to interrupt."""
    from comparator.commands import starter as command

    _guarded(lambda: command.install(models_dir))


@app.command()
def run(
    model: Annotated[
        list[str],
        typer.Option("--model", "-m", help="Id, name or path of a model; up to four, repeatable."),
    ],
    prompt: Annotated[
        str, typer.Option("--prompt", "-p", help="The question; - reads it from standard input.")
    ],
    system: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option("--system", "-s", help="What every model is told before the prompt."),
    ] = None,
    max_tokens: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--max-tokens", help="Tokens to write at the most (1 to 4096). Default: 512."),
    ] = None,
    temperature: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option("--temperature", "--temp", help="0.1 to 2, or 0 for greedy. Default: 0.7."),
    ] = None,
    seed: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--seed", help="Makes the answers repeatable."),
    ] = None,
    greedy: Annotated[
        bool, typer.Option("--greedy", help="Take the likeliest token each time.")
    ] = False,
    ctx_size: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--ctx-size", "-c", help="Context in tokens. Default: 2048."),
    ] = None,
    threads: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--threads", "-t", help="CPU threads. Default: the free physical cores."),
    ] = None,
    settings: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Option(
            "--set",
            help="Any setting as NAME=VALUE, for all models, or N.NAME=VALUE for the N-th one.",
        ),
    ] = None,
    together: Annotated[
        bool, typer.Option("--together", help="Run all at once if they fit; speeds then differ.")
    ] = False,
    max_memory_gb: Annotated[
        Optional[float],  # noqa: UP045
        typer.Option("--max-memory-gb", help="Memory that models may use, in GB."),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Run also what does not seem to fit into memory.")
    ] = False,
    load_timeout: LoadTimeout = None,
    first_token_timeout: FirstTokenTimeout = None,
    token_timeout: TokenTimeout = None,
    total_timeout: TotalTimeout = None,
    output: Annotated[
        Format, typer.Option("--output", "-o", help="How the results are written.")
    ] = Format.text,
    models_dir: ModelsDir = None,
) -> None:
    """Ask up to four models the same question, one after another, and print the answers."""
    from comparator.commands import run as command

    common = {
        "max_tokens": max_tokens,
        "temperature": temperature,
        "seed": seed,
        "do_sample": False if greedy else None,
        "n_ctx": ctx_size,
        "n_threads": threads,
        "system_prompt": system,
    }
    question = command.Question(
        model, prompt, {key: value for key, value in common.items() if value is not None}
    )
    limits = (load_timeout, first_token_timeout, token_timeout, total_timeout)
    options = command.Options(settings or [], together, max_memory_gb, force, output.value, limits)
    _guarded(lambda: command.run(question, options, models_dir))


def _guarded(action: object) -> NoReturn:
    """Run a command; tell errors as a sentence, and end without a traceback on Ctrl-C."""
    try:
        code = action()  # type: ignore[operator]
    except ConfigurationError as error:
        code = _tell(error, 2)
    except MultiLLMError as error:
        code = _tell(error, 1)
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone: nothing to tell
        code = 1
    except KeyboardInterrupt:
        code = 130
    raise SystemExit(code or 0)


def _tell(error: Exception, code: int) -> int:
    print(f"comparator: {error}", file=sys.stderr)
    return code


def main() -> None:
    """Run the command line."""
    app()
