"""Taking a comparison away from the page: its text in a form goes to the browser, which saves it.

The menu is ``static/export.js``; what it asks comes as the event ``take_away`` of the element in
which it stands. The text goes to an element that shows nothing (``build_receiver``), whose script
makes a file of it or puts it into the clipboard. So no further address of the server is opened.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr
import msgspec

from comparator.comparison.exports import FORMATS, file_name
from comparator.comparison.exports.pair import left_out
from comparator.comparison.kept import KeptComparison
from comparator.core.exceptions import ConfigurationError
from comparator.hosting import records
from comparator.hosting.host import Host
from comparator.ui import adapter
from comparator.ui.compare.blind import STILL_BLIND
from comparator.ui.compare.boards import Boards
from comparator.ui.events import AT_ONCE, LONGEST_ID, Handler, Updates, Widget, telling
from comparator.ui.static_files import static_text
from comparator.ui.threads import in_thread
from comparator.ui.visitors import browser_of, session_of

WAYS = ("save", "copy")
_FORGOTTEN = "This comparison is not known any more, so nothing can be taken away of it."
# A card reads models' files whole the first time: one at once, or a few clicks would take all the
# threads that visitors share.
_CARD = threading.Lock()
_CARD_WAIT_SECONDS = 0.5
_CARD_BUSY = (
    "Another reproduction card is being made, which reads whole files of models the first time. "
    "Try again in a moment."
)
_numbers = itertools.count(1)  # so that the same text twice is news to the browser


def build_receiver(name: str = "taken-away") -> Widget:
    """Return the element through which texts reach the browser; one for each tab with a menu."""
    return gr.HTML(
        None,
        html_template="<i></i>",
        js_on_load=static_text("take_away.js"),
        padding=False,
        elem_id=name,
    )


def wire_exporting(
    host: Host, menu: Widget, receiver: Widget, boards: Boards, api_name: str = "page_take_away"
) -> None:
    """Let a menu's event make the text and hand it to the browser.

    Args:
        host: where the history is.
        menu: the element in whose script ``drawExport`` is called.
        receiver: of ``build_receiver``.
        boards: what each session's page shows now.
        api_name: of the event; each menu has one of its own.
    """
    handler = make_take_away(host, receiver, boards)
    menu.take_away(handler, None, receiver, api_name=api_name, **AT_ONCE)


def make_take_away(host: Host, receiver: Widget, boards: Boards) -> Handler:
    """Return the handler of a menu."""

    def told(**values: Any) -> Updates:
        return {receiver: {"number": next(_numbers), **values}}

    @telling(lambda sentence: told(trouble=sentence))
    async def take_away(event: gr.EventData, request: gr.Request) -> Updates:
        """Make the text that the menu asks for."""
        form, how = _asked(event)
        board, browser = boards.of(session_of(request)), browser_of(request)
        name = adapter.carried(event, "comparison")
        kept = await in_thread(_from_history, host, name, browser)
        if kept is None and board is not None and name in (None, board.view.get("comparison")):
            kept = board.kept()
        if kept is None:
            raise ConfigurationError(_FORGOTTEN)
        if board is not None and board.is_blind and name is None:
            raise ConfigurationError(STILL_BLIND)
        host.voting.opened(kept)
        return told(**await in_thread(_taken, host, kept, form, browser), how=how)

    return take_away


def _asked(event: Any) -> tuple[str, str]:
    """Return form and way that an event asks for; the page may send anything."""
    form, how = adapter.carried(event, "form"), adapter.carried(event, "how")
    if not isinstance(form, str) or form not in FORMATS or how not in WAYS:
        raise ConfigurationError(f"There are these forms to take away: {', '.join(FORMATS)}.")
    return form, str(how)


def _from_history(host: Host, name: Any, browser: str) -> KeptComparison | None:
    if not isinstance(name, str) or not 0 < len(name) <= LONGEST_ID:
        return None
    return host.history.get(name, host.owner_of(browser))


def _taken(host: Host, kept: KeptComparison, form: str, browser: str) -> Mapping[str, Any]:
    owner = host.owner_of(browser)
    parent = host.history.get(kept.parent, owner) if kept.parent else None
    chosen = FORMATS[form]
    shown = kept if form == "card" else _as_seen(host, kept)  # a card holds no place itself
    note = left_out(len(kept.records)) if form == "pair" else ""
    return {
        "form": form,
        "name": file_name(kept, form),
        "media_type": chosen.media_type,
        "text": _written(form, shown, [parent] if parent else []),
        "note": note,
        "trouble": "",
    }


def _written(form: str, kept: KeptComparison, earlier: Sequence[KeptComparison]) -> str:
    if form != "card":
        return FORMATS[form].of(kept, earlier)
    if not _CARD.acquire(timeout=_CARD_WAIT_SECONDS):
        raise ConfigurationError(_CARD_BUSY)
    try:
        return FORMATS[form].of(kept, earlier)
    finally:
        _CARD.release()


def _as_seen(host: Host, kept: KeptComparison) -> KeptComparison:
    """Return a comparison as visitors of a public page may see it; one's own as it is."""
    if not host.options.is_public:
        return kept
    seen = records.without_paths(kept.records, host.options.models_dir)
    return msgspec.structs.replace(kept, records=seen, owner="")
