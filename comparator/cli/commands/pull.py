"""``comparator pull``."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from comparator.cli.commands.options import ModelsDirs, own_folder
from comparator.cli.display.download_bar import follow, show_choices
from comparator.cli.errors import FAILED, tell
from comparator.core.text import with_controls_shown
from comparator.core.units import fine_size
from comparator.hub import catalogue, selection
from comparator.hub.downloads import Downloads, DownloadStatus


def command(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="ORG/NAME[:QUANT|:FILE]",
            help="Repositories of the hub, each with what to take of it.",
        ),
    ],
    only_list: Annotated[
        bool, typer.Option("--list", help="Say what there is, with sizes, and fetch nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="With --list: print JSON.")] = False,
    models_dir: ModelsDirs = None,
) -> int:
    """Fetch models from the Hugging Face Hub into your models folder.

    For example: comparator pull bartowski/SmolLM2-135M-Instruct-GGUF:Q4_K_M

    Only what is needed is fetched, and checked. After an interruption the same command goes on
    where it was. HF_TOKEN, HF_ENDPOINT and HF_HUB_OFFLINE are honoured.
    """
    words = [_parted(name) for name in names]
    repositories = [catalogue.look(name) for name, _wanted in words]
    if only_list:
        _list(repositories, as_json)
        return 0
    picked = [
        (repository, _picked(repository, wanted))
        for repository, (_name, wanted) in zip(repositories, words, strict=True)
    ]
    return _outcome(_fetch(picked, own_folder(models_dir)))


def _parted(name: str) -> tuple[str, str | None]:
    """Return a name and what is wanted of it: what follows a colon that no // follows."""
    before, colon, wanted = name.partition(":")
    if wanted.startswith("//"):
        before, colon, wanted = name.replace("://", "\0", 1).partition(":")
        before = before.replace("\0", "://")
    return before, wanted if colon and wanted else None


def _picked(repository: catalogue.Repository, wanted: str | None) -> selection.Offer:
    choice = selection.pick(repository.choices, wanted, repository.id)
    others = len(repository.choices) - 1
    if wanted is None and others:
        print(
            f"{repository.id}: {with_controls_shown(choice.name)} is taken "
            f"({fine_size(choice.size)}), one of {others + 1}; "
            f"another: comparator pull {repository.id}:NAME, all: --list",
            file=sys.stderr,
        )
    return choice


def _fetch(
    picked: Sequence[tuple[catalogue.Repository, selection.Offer]], folder: Path
) -> list[DownloadStatus]:
    downloads = Downloads(folder, at_once=len(picked))
    try:
        for repository, choice in picked:
            downloads.start(repository, choice)
        return follow(downloads, Console(stderr=True))
    finally:
        downloads.close()


def _outcome(statuses: Sequence[DownloadStatus]) -> int:
    for status in statuses:
        if status.path:
            print(status.path)
    failed = [status.message for status in statuses if status.state != "done"]
    for message in failed:
        tell(message)
    return FAILED if failed else 0


def _list(repositories: Sequence[catalogue.Repository], as_json: bool) -> None:
    if as_json:
        records = [_record(repository) for repository in repositories]
        json.dump(records, sys.stdout, ensure_ascii=False, indent=2)
        print()
        return
    for repository in repositories:
        show_choices(repository, Console())


def _record(repository: catalogue.Repository) -> dict[str, object]:
    return {
        "id": repository.id,
        "commit": repository.commit,
        "licence": repository.licence,
        "choices": [
            {
                "name": choice.name,
                "engine": choice.engine.value,
                "size": choice.size,
                "files": [{"name": file.name, "size": file.size} for file in choice.files],
            }
            for choice in repository.choices
        ],
    }
