"""A parameter that is a group of options becomes all of them, and is made of what was given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

import typer
from typer.testing import CliRunner

from comparator.cli.option_groups import spread


@dataclass(frozen=True)
class Oven:
    """A group."""

    heat: Annotated[int, typer.Option("--heat", "-t", help="How hot.")] = 180
    fan: Annotated[bool, typer.Option("--fan", help="Whether it blows.")] = False


def _app() -> tuple[typer.Typer, list[tuple[Any, ...]]]:
    asked: list[tuple[Any, ...]] = []

    def bake(what: str, *, oven: Oven, loaves: int = 1) -> int:
        asked.append((what, oven, loaves))
        return 0

    app = typer.Typer()
    app.command()(spread(bake))
    return app, asked


def test_what_was_given_is_in_the_group_and_the_rest_is_as_by_default() -> None:
    app, asked = _app()
    for words in (["rye"], ["rye", "-t", "220", "--loaves", "2"], ["rye", "--fan"]):
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.output
    assert asked == [
        ("rye", Oven(), 1),
        ("rye", Oven(heat=220), 2),
        ("rye", Oven(fan=True), 1),
    ]


def test_help_shows_the_options_of_a_group_where_the_group_stands() -> None:
    told = CliRunner().invoke(_app()[0], ["--help"]).output
    assert "How hot." in told
    assert told.index("--heat") < told.index("--fan") < told.index("--loaves")


def test_a_command_without_groups_is_left_as_it_is() -> None:
    def plain(what: str = "rye") -> int:
        return len(what)

    assert spread(plain) is plain
