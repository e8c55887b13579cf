"""Downloads as bars in a terminal and as lines in a log; what the hub has, as tables."""

from __future__ import annotations

import time
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn
from rich.table import Table

from comparator.core.text import with_controls_shown
from comparator.core.units import fine_size
from comparator.hub.catalogue import Repository, SearchHit
from comparator.hub.downloads import Downloads, DownloadStatus
from comparator.hub.words import figures, found_cells, state_words

_LOOK_SECONDS = 0.1
_NAME_WIDTH = 32  # a name is not torn while other columns can give way
_LINE_SECONDS = 5.0  # between two lines of one download in a log


def follow(downloads: Downloads, console: Console) -> list[DownloadStatus]:
    """Show downloads until all are over, and return how they stand, in the order of their start."""
    show = _Bars(console) if console.is_terminal else _Lines(console)
    with show:
        while True:
            statuses = downloads.statuses()[::-1]
            show.show(statuses)
            if downloads.are_over():
                return downloads.statuses()[::-1]
            time.sleep(_LOOK_SECONDS)


def _title(status: DownloadStatus) -> str:
    return with_controls_shown(f"{status.repository}:{status.choice}")


class _Bars:
    """One bar a download, redrawn in place."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[words]}", markup=False),
            console=console,
        )
        self._tasks: dict[str, TaskID] = {}

    def __enter__(self) -> _Bars:
        self._progress.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._progress.stop()

    def show(self, statuses: Sequence[DownloadStatus]) -> None:
        """Redraw the bars."""
        for status in statuses:
            words = figures(status) if status.state == "download" else state_words(status)
            if status.id not in self._tasks:
                self._tasks[status.id] = self._progress.add_task(
                    _title(status), total=None, words=words
                )
            total = status.total or None
            done = status.total if status.state == "done" else status.done
            self._progress.update(self._tasks[status.id], completed=done, total=total, words=words)


class _Lines:
    """A line whenever the state changes, and every few seconds in between."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._told: dict[str, tuple[str, float]] = {}

    def __enter__(self) -> _Lines:
        return self

    def __exit__(self, *error: object) -> None:
        """Leave nothing open."""

    def show(self, statuses: Sequence[DownloadStatus]) -> None:
        """Write what is new."""
        for status in statuses:
            state, when = self._told.get(status.id, ("", 0.0))
            now = time.monotonic()
            if status.state == state and (status.is_over or now - when < _LINE_SECONDS):
                continue
            self._told[status.id] = (status.state, now)
            words = ", ".join(filter(None, [state_words(status), figures(status)]))
            self._console.print(f"{_title(status)}: {words}", markup=False, soft_wrap=True)


def show_choices(repository: Repository, console: Console) -> None:
    """Print what can be fetched of a repository."""
    licence = repository.licence or "unknown"
    console.print(f"{repository.id}, licence: {licence}", markup=False)
    table = Table("name", "engine", "size", "files", box=box.SIMPLE_HEAD, pad_edge=False)
    for choice in repository.choices:
        table.add_row(
            with_controls_shown(choice.name),
            choice.engine.value,
            fine_size(choice.size),
            str(len(choice.files)),
        )
    console.print(table)


def show_found(found: Sequence[SearchHit], console: Console) -> None:
    """Print what a search found."""
    sized = any(one.choices for one in found)
    columns = ["engine", "parameters", "licence", "downloads", *(["sizes"] if sized else [])]
    table = Table(*columns, box=box.SIMPLE_HEAD, padding=(0, 1), pad_edge=False)
    table.add_column("repository", overflow="fold", min_width=_NAME_WIDTH)
    for one in found:
        table.add_row(*found_cells(one, sized), one.id + (" (gated)" if one.is_gated else ""))
    console.print(table, markup=False)
