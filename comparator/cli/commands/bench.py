"""``comparator bench``. The suite is ``benchmarks/`` of a checkout, carried along by a wheel."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from typing import Annotated, Any, Optional

import typer

from comparator.cli.commands.options import ModelsDirs, own_folder
from comparator.core.exceptions import ConfigurationError

INSTALLED = "comparator._benchmarks"
CHECKOUT = "benchmarks"


def command(
    scenarios: Annotated[
        Optional[list[str]],  # noqa: UP045
        typer.Argument(
            metavar="[SCENARIO]...",
            help="start, comparison, decode, memory, limits, batch, page, commands. Default: all.",
            show_default=False,
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Measure little, to see that everything works.")
    ] = False,
    repeats: Annotated[
        Optional[int],  # noqa: UP045
        typer.Option("--repeats", help="Rounds that count. Default: 3 to 10, by scenario."),
    ] = None,
    results: Annotated[
        Optional[Path],  # noqa: UP045
        typer.Option("--results", help="Folder for the JSON.", show_default=False),
    ] = None,
    readme: Annotated[
        bool,
        typer.Option("--readme", help="Only put the last whole run's tables into README and docs."),
    ] = False,
    models_dir: ModelsDirs = None,
) -> int:
    """Measure speed and memory beside what people would use instead.

    Everything runs in turn on the starter models, so keep the machine otherwise idle; all of it
    takes about half an hour on 2 cores. Prints Markdown and writes JSON with every single value.
    Exits with 1 where a target is not met or was not measured; a quick run does not judge.
    """
    suite = _module("suite")
    if readme:
        suite.update_readme()
        return 0
    place = own_folder(models_dir)
    result = suite.run(scenarios or [], place, quick, repeats, _tell)
    path = suite.write(result, results or suite.results_folder())
    print(_module("tables").report(result), end="")
    print(f"Written to {path}.", file=sys.stderr)
    met = all(target["met"] for target in result["targets"])
    return 0 if met or quick else 1


def _module(name: str) -> Any:
    """Return a module of the suite.

    Raises:
        ConfigurationError: the suite is not installed.
    """
    package = INSTALLED if importlib.util.find_spec(INSTALLED) else CHECKOUT
    if importlib.util.find_spec(package) is None:
        raise ConfigurationError(
            "The benchmark suite is not here. Install a wheel of this project, or a checkout of "
            "its repository with 'pip install -e .'."
        )
    return importlib.import_module(f"{package}.{name}")


def _tell(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)
