"""From what the Hub says to what the tab shows: HTML, every text escaped."""

from __future__ import annotations

import html
from collections.abc import Sequence

from comparator.core.text import with_controls_shown
from comparator.core.units import fine_size, long_time
from comparator.hub import catalogue, words
from comparator.hub.downloads import DownloadStatus
from comparator.ui.worded import said, said_label, sentence

COLUMNS = ("repository", "engine", "parameters", "licence", "downloads", "sizes")


def note(words: str) -> str:
    """Return a service's sentence for the line under the search row."""
    return _note(sentence(words), "warning")


def nothing_found() -> str:
    """Return what is said where a search found nothing."""
    return _note(said("hub.nothing"), "warning")


def repository_note(licence: str | None, room: str) -> str:
    """Return a repository's licence, and a sentence about what is free on this machine."""
    words = said("hub.licence_of", licence=licence) if licence else said("hub.licence_unknown")
    return _note(f"{words} {html.escape(room)}", "calm")


def _note(words: str, kind: str) -> str:
    return f'<p class="hub-{kind}" role="status">{words}</p>'


def results(found: Sequence[catalogue.SearchHit]) -> str:
    """Return what a search found as a table."""
    sized = any(one.choices for one in found)
    shown = COLUMNS[: 6 if sized else 5]
    head = "".join(f'<th scope="col">{said(f"hub.column_{name}")}</th>' for name in shown)
    rows = "".join(_row(one, sized) for one in found)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _row(found: catalogue.SearchHit, sized: bool) -> str:
    name = html.escape(with_controls_shown(found.id))
    gated = f" <small>{said('hub.gated')}</small>" if found.is_gated else ""
    button = f'<button type="button" data-event="look_closer" data-id="{name}">{name}</button>'
    cells = (html.escape(with_controls_shown(cell)) for cell in words.found_cells(found, sized))
    return f"<tr><td>{button}{gated}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def downloads(statuses: Sequence[DownloadStatus]) -> str:
    """Return the list of downloads."""
    return "".join(_download(status) for status in statuses)


def _download(status: DownloadStatus) -> str:
    name = f"{status.repository}:{status.choice}"
    title = html.escape(with_controls_shown(name))
    bar = button = ""
    if not status.is_over:
        share = status.done / status.total if status.total else 0.0
        bar = f'<progress max="1" value="{share:.4f}" aria-label="{title}"></progress>'
        button = (
            f'<button type="button" data-event="cancel_download" data-id="{status.id}" '
            f"{said_label('hub.cancel_of', name=name)}>{said('hub.cancel')}</button>"
        )
    return (
        f'<div class="hub-download" data-state="{status.state}"><strong>{title}</strong>'
        f"<span>{_line(status)}</span>{bar}{button}</div>"
    )


def _line(status: DownloadStatus) -> str:
    """Return state, bytes, speed and time left of a download, as far as they are known."""
    line = said(f"hub.state_{status.state}")
    if status.state in ("download", "check"):
        line += said("hub.amount", done=fine_size(status.done), total=fine_size(status.total))
    if status.bytes_per_second:
        line += f", {fine_size(status.bytes_per_second)}/s"
    if status.seconds_left is not None:
        line += said("hub.left", time=long_time(status.seconds_left))
    message = with_controls_shown(status.message)
    return line + (f", {html.escape(message)}" if message else "")
