"""The handlers of the Hub's tab, made by a closure over the server's downloads."""

from __future__ import annotations

import html
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from comparator.core.exceptions import ConfigurationError, MultiLLMError
from comparator.core.models import ModelType
from comparator.core.text import with_controls_shown
from comparator.hosting import download_fit
from comparator.hub import catalogue, selection, words
from comparator.hub.downloads import Downloads, DownloadStatus
from comparator.services.memory_manager import MemoryManager
from comparator.ui import adapter
from comparator.ui.compare.handlers import UNEXPECTED
from comparator.ui.threads import in_thread

_COLUMNS = ("repository", "engine", "parameters", "licence", "downloads", "sizes")
NOTHING = "Nothing on the hub fits. Use fewer or shorter words."
PICK_FIRST = "Search first, and press a line of the table."
_MOST_TEXT = 200

log = logging.getLogger(__name__)
Handler = Callable[..., Any]
Measure = Callable[[], download_fit.Room]


@dataclass(frozen=True)
class HubHandlers:
    """Every handler of the tab."""

    search: Handler
    look: Handler
    fetch: Handler
    cancel: Handler
    status: Handler


def make_hub_handlers(downloads: Downloads, memory: MemoryManager) -> HubHandlers:
    """Return the handlers over one server's downloads and the memory that models may use."""

    def room() -> download_fit.Room:
        return download_fit.measure(downloads.models_dir, memory)

    async def search(text: Any, engine: Any, licence: Any, largest: Any) -> list[Any]:
        """Inputs: the search row. Outputs: note, results, repository, choice."""
        try:
            return await in_thread(_search, room, text, engine, licence, largest)
        except Exception as error:
            return [note_of(error), "", None, no_choice()]

    async def look(event: gr.EventData) -> list[Any]:
        """Input: the name that the event carries. Outputs: note, repository, choice."""
        try:
            return await in_thread(_look, room, _carried(event))
        except Exception as error:
            return [note_of(error), None, no_choice()]

    async def fetch(repository: Any, name: Any) -> list[Any]:
        """Inputs: repository, choice. Outputs: note, downloads, timer, arrived."""
        try:
            await in_thread(_fetch, downloads, repository, name)
        except Exception as error:
            return [note_of(error), *status_updates(downloads)]
        return ["", *status_updates(downloads)]

    def cancel(event: gr.EventData) -> list[Any]:
        """Input: the id that the event carries. Outputs: downloads, timer, arrived."""
        downloads.cancel(_carried(event))
        return status_updates(downloads)

    def status() -> list[Any]:
        """Outputs: downloads, timer, arrived."""
        return status_updates(downloads)

    return HubHandlers(search, look, fetch, cancel, status)


def _search(measure: Measure, text: Any, engine: Any, licence: Any, largest: Any) -> list[Any]:
    words_given = str(text or "").strip()[:_MOST_TEXT]
    if "/" in words_given:
        note, repository, choice = _look(measure, words_given)
        return [note, "", repository, choice]
    found = catalogue.search(
        words_given,
        ModelType(engine) if engine else None,
        str(licence or "").strip() or None,
        _bytes(largest),
    )
    if not found:
        return [_note(NOTHING), "", None, no_choice()]
    return ["", results_html(found), None, no_choice()]


def results_html(found: Sequence[catalogue.SearchHit]) -> str:
    """Return what a search found as a table, every text escaped."""
    sized = any(one.choices for one in found)
    head = "".join(f'<th scope="col">{name}</th>' for name in _COLUMNS[: 6 if sized else 5])
    rows = "".join(_row(one, sized) for one in found)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _row(found: catalogue.SearchHit, sized: bool) -> str:
    name = html.escape(with_controls_shown(found.id))
    gated = " <small>gated</small>" if found.is_gated else ""
    button = f'<button type="button" data-event="look_closer" data-id="{name}">{name}</button>'
    cells = (html.escape(with_controls_shown(cell)) for cell in words.found_cells(found, sized))
    return f"<tr><td>{button}{gated}</td>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"


def _carried(event: gr.EventData) -> str:
    """Return the id that an event of the page's script carries; it may hold anything."""
    said = adapter.carried(event, "id")
    return said[:_MOST_TEXT] if isinstance(said, str) else ""


def _bytes(gigabytes: Any) -> int | None:
    text = str(gigabytes or "").strip().replace(",", ".")
    if not text:
        return None
    try:
        size = float(text) * 1e9
    except ValueError:
        size = math.nan
    if not 0 < size < 1e15:
        raise ConfigurationError(f"{text!r} is no size. Give gigabytes, such as 1.5, or nothing.")
    return round(size)


def _look(measure: Measure, name: str) -> list[Any]:
    repository = catalogue.look(name)
    default = selection.pick(repository.choices, None, repository.id)
    room = measure()
    options = [(_option(choice, room), choice.name) for choice in repository.choices]
    label = f"What to fetch of {repository.id}"
    told = f"Licence: {repository.licence or 'unknown'}. {room.sentence()}"
    return [
        _note(told, "calm"),
        repository,
        gr.update(choices=options, value=default.name, label=label),
    ]


def _option(choice: selection.Offer, room: download_fit.Room) -> str:
    engine = "GGUF" if choice.engine is ModelType.GGUF else "PyTorch"
    name = with_controls_shown(choice.name)
    return f"{name} · {engine} · {words.size_words(choice.size)} · {room.word_for(choice)}"


def _fetch(downloads: Downloads, repository: Any, name: Any) -> None:
    if not isinstance(repository, catalogue.Repository) or not name:
        raise ConfigurationError(PICK_FIRST)
    downloads.start(repository, selection.pick(repository.choices, str(name), repository.id))


def no_choice() -> Any:
    """Return the update of an empty list of choices."""
    return gr.update(choices=[], value=None, label="What to fetch")


def note_of(error: Exception) -> str:
    """Return a sentence for the page; what nobody expected goes to the log."""
    if isinstance(error, MultiLLMError):
        return _note(str(error))
    log.error("The hub's tab failed", exc_info=error)
    return _note(UNEXPECTED)


def _note(sentence: str, kind: str = "warning") -> str:
    return f'<p class="hub-{kind}" role="status">{html.escape(sentence)}</p>'


def status_updates(downloads: Downloads) -> list[Any]:
    """Return what the list shows, whether the clock goes on, and which models have come."""
    statuses = downloads.statuses()
    arrived = " ".join(status.id for status in statuses if status.state == "done")
    return [downloads_html(statuses), gr.Timer(active=not downloads.are_over()), arrived]


def downloads_html(statuses: Sequence[DownloadStatus]) -> str:
    """Return the list of downloads as HTML, every text escaped."""
    return "".join(_download_html(status) for status in statuses)


def _download_html(status: DownloadStatus) -> str:
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
