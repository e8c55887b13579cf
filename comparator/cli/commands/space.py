"""``comparator space``."""

from __future__ import annotations

import sys
from enum import Enum
from pathlib import Path
from typing import Annotated, Optional

import typer

from comparator.core.exceptions import ConfigurationError
from comparator.hub.space_bundle import build_bundle


class Action(str, Enum):
    """What is to be done with a Space."""

    BUILD = "build"
    DEPLOY = "deploy"


def command(
    action: Annotated[Action, typer.Argument(help="build a folder, or deploy a Space.")],
    target: Annotated[
        str, typer.Argument(metavar="DIR|OWNER/NAME", help="The folder, or the Space's name.")
    ],
    hardware: Annotated[
        Optional[str],  # noqa: UP045
        typer.Option(help="What it runs on, such as cpu-basic, t4-small or zero-a10g."),
    ] = None,
    private: Annotated[
        bool, typer.Option("--private", help="Show it to its owner only (deploy).")
    ] = False,
) -> int:
    """Build what a Hugging Face Space is made of, or deploy it as one.

    Both may be repeated: DIR may hold an earlier bundle, and a Space is renewed.
    """
    if action is Action.BUILD:
        if private:
            raise ConfigurationError("--private is for deploy: a folder is yours anyway.")
        return _build(Path(target), hardware)
    return _deploy(target, hardware, private)


def _build(folder: Path, hardware: str | None) -> int:
    gpu = hardware is not None and not hardware.startswith("cpu-")
    files = build_bundle(folder, gpu=gpu)
    for file in files:
        print(f"{file.size:>9}  {file.path}")
    total = sum(file.size for file in files)
    print(f"{len(files)} files, {total} bytes in {folder}", file=sys.stderr)
    return 0


def _deploy(name: str, hardware: str | None, private: bool) -> int:
    from comparator.hub.space_deploy import deploy

    try:
        made = deploy(name, lambda line: print(line, file=sys.stderr, flush=True),
                      hardware=hardware, private=private)  # fmt: skip
    except KeyboardInterrupt:
        print("Stopped. A build that has begun goes on; repeat the command to see it.",
              file=sys.stderr)  # fmt: skip
        return 130
    print(made.address)
    return 0
