"""From what the Hub says to what the tab shows: HTML, every text escaped."""

from __future__ import annotations

import html
from collections.abc import Sequence

from comparator.core.text import with_controls_shown
from comparator.hub import catalogue, words
from comparator.hub.downloads import DownloadStatus

COLUMNS = ("repository", "engine", "parameters", "licence", "downloads", "sizes")


def note(sentence: str, kind: str = "warning") -> str:
    """Return a sentence for the line under the search row."""
    return f'<p class="hub-{kind}" role="status">{html.escape(sentence)}</p>'


def results(found: Sequence[catalogue.SearchHit]) -> str:
    """Return what a search found as a table."""
    sized = any(one.choices for one in found)
    head = "".join(f'<th scope="col">{name}</th>' for name in COLUMNS[: 6 if sized else 5])
    rows = "".join(_row(one, sized) for one in found)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _row(found: catalogue.SearchHit, sized: bool) -> str:
    name = html.escape(with_controls_shown(found.id))
    gated = " <small>gated</small>" if found.is_gated else ""
    button = f'<button type="button" data-event="look_closer" data-id="{name}">{name}</button>'
    cells = (html.escape(with_controls_shown(cell)) for cell in words.found_cells(found, sized))
    return f"<tr><td>{button}{gated}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def downloads(statuses: Sequence[DownloadStatus]) -> str:
    """Return the list of downloads."""
    return "".join(_download(status) for status in statuses)


def _download(status: DownloadStatus) -> str:
    title = html.escape(with_controls_shown(f"{status.repository}:{status.choice}"))
    told = [words.state_words(status), words.figures(status), status.message]
    line = html.escape(with_controls_shown(", ".join(filter(None, told))))
    bar = button = ""
    if not status.is_over:
        share = status.done / status.total if status.total else 0.0
        bar = f'<progress max="1" value="{share:.4f}" aria-label="{title}"></progress>'
        button = (
            f'<button type="button" data-event="cancel_download" data-id="{status.id}" '
            f'aria-label="Cancel {title}">Cancel</button>'
        )
    return (
        f'<div class="hub-download" data-state="{status.state}"><strong>{title}</strong>'
        f"<span>{line}</span>{bar}{button}</div>"
    )
