"""The command line: ``comparator COMMAND``, one module of ``comparator.cli.commands`` each.

Results go to standard output alone; progress and logs go to standard error. The exit code is
0 only if everything asked for was done, 1 if a model failed, 2 if the request was wrong.
A command's module is imported when it is called, so that ``--help`` costs little.
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Mapping
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperGroup
from typer.main import get_command

import comparator
from comparator.cli.errors import outcome
from comparator.cli.option_groups import spread


class Command(NamedTuple):
    """Where a command's function is, and the first line of its docstring.

    One with ``commands`` is a group of these, and has no function.
    """

    module: str
    help: str
    function: str = "command"
    commands: Mapping[str, Command] = {}


SUITE = {
    "run": Command("suite.run", "Ask models all prompts of a file, and grade their answers."),
    "resume": Command("suite.resume", "Go on with a suite that was interrupted."),
    "list": Command("suite.list", "List the suites that were run, the newest first."),
    "show": Command("suite.show", "Show what came of a suite."),
    "report": Command(
        "suite.report",
        "Write a suite in a form to take away: a web page, Markdown, CSV, JSON, promptfoo's.",
        "report",
    ),
    "remove": Command("suite.remove", "Remove suites with all their answers."),
}
COMMANDS = {
    "serve": Command("serve", "Open the page: choose up to four models, ask, compare."),
    "run": Command("run", "Ask up to four models the same question and print the answers."),
    "history": Command(
        "history",
        "List the comparisons that were asked before, the newest first; remove or pin some.",
    ),
    "rerun": Command(
        "rerun",
        "Ask a comparison of the history once more, with the same models, settings and seeds.",
    ),
    "show": Command("show", "Show a comparison of the history."),
    "export": Command("export", "Write a comparison of the history in a form to take away."),
    "replay": Command(
        "replay",
        "Ask what a reproduction card says once more, and tell whether the answers are the same.",
    ),
    "suite": Command("", "Ask models many prompts, and tell which does better.", commands=SUITE),
    "vote": Command("vote", "Say which answer of a comparison was best; ratings are made of it."),
    "ratings": Command(
        "ratings",
        "Rate models by the votes on their answers: how good, how sure, what to ask next.",
    ),
    "models": Command("models", "List the models there are."),
    "starter": Command("starter", "Put four small models in place, made offline."),
    "search": Command("search", "Search the Hugging Face Hub for models that can be run here."),
    "pull": Command("pull", "Fetch models from the Hugging Face Hub into your models folder."),
    "quantize": Command("quantize", "Make other quantisations of a GGUF model, by llama.cpp."),
    "remove": Command("remove", "Remove models from your models folder."),
    "doctor": Command(
        "doctor", "Tell what is off in this installation and on this machine, and what mends it."
    ),
    "bench": Command("bench", "Measure speed and memory beside what people would use instead."),
    "space": Command("space", "Build what a Hugging Face Space is made of, or deploy it as one."),
}


class Commands(TyperGroup):
    """The group of all commands, which knows their names without importing them."""

    commands_known: Mapping[str, Command] = COMMANDS

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names, in the order in which help shows them."""
        return list(self.commands_known)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return the command of that name, imported now; None for an unknown one."""
        known = self.commands_known.get(cmd_name)
        if known is None:
            return None
        if known.commands:
            return _group(cmd_name, known)
        module = importlib.import_module(f"comparator.cli.commands.{known.module}")
        alone = typer.Typer(**_USUAL)
        alone.command(cmd_name)(_guarded(spread(getattr(module, known.function))))
        return get_command(alone)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write the list of commands."""
        with formatter.section("Commands"):
            told = [(name, known.help) for name, known in self.commands_known.items()]
            formatter.write_dl(told)


_USUAL: dict[str, Any] = {
    "add_completion": False,
    "rich_markup_mode": None,  # rich takes longer to import than everything else together
    "pretty_exceptions_enable": False,
}
app = typer.Typer(name="comparator", cls=Commands, no_args_is_help=True, **_USUAL)


def _group(name: str, known: Command) -> Any:
    """Return a group of commands, whose modules are imported no sooner than those of the others."""
    kind = type("Group", (Commands,), {"commands_known": known.commands})
    group = typer.Typer(name=name, cls=kind, no_args_is_help=True, **_USUAL)

    @group.callback(help=known.help)
    def root_of_group() -> None:
        pass

    return get_command(group)


def _show_version(wanted: bool) -> None:
    if wanted:
        print(comparator.__version__)
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Compare local language models side by side.

    Each runs in a process of its own, so memory is always given back and a crash stays in its
    column.
    """


def end_with(program: Callable[[], int | None]) -> None:
    """Run a program that is no command and end as a command would: errors are a sentence.

    Raises:
        SystemExit: with the exit code.
    """
    raise SystemExit(outcome(program, {}))


def _guarded(command: Callable[..., int | None]) -> Callable[..., None]:
    """Return a command that tells errors as a sentence and ends quietly on Ctrl-C."""

    @functools.wraps(command)
    def guarded(**options: Any) -> None:
        raise SystemExit(outcome(command, options))

    return guarded


def main() -> None:
    """Run the command line."""
    app()
