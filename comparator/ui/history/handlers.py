"""What happens in the history's tab, and at which event."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from comparator.core.exceptions import ConfigurationError
from comparator.hosting.host import Host
from comparator.hosting.session import BusyError
from comparator.storage.kept_comparison import KeptComparison
from comparator.ui import adapter
from comparator.ui.compare.board import Board, follow
from comparator.ui.compare.boards import Boards
from comparator.ui.compare.tab import CompareTab
from comparator.ui.compare.voting_handlers import ballot_of, settle
from comparator.ui.events import AT_ONCE, STREAM, Handler, Updates, Widget, telling
from comparator.ui.history import render
from comparator.ui.history.tab import HistoryTab
from comparator.ui.threads import in_thread
from comparator.ui.visitors import browser_of, session_of, visitor_of
from comparator.ui.wakeup import Wakeup

SHOWN = 50  # comparisons of a part of the list
MOST_SHOWN = 199  # of a list that is drawn anew; one less than is listed at once, to see if more
_MOST_NUMBER = 2**63  # that SQLite takes
GONE = "This comparison is not in the history any more."


@dataclass(frozen=True)
class HistoryHandlers:
    """Every handler of the tab."""

    find: Handler
    more: Handler
    open: Handler
    rerun: Handler
    pin: Handler
    remove: Handler


def wire_history_tab(
    host: Host, tab: HistoryTab, tabs: Widget, compare: CompareTab, boards: Boards
) -> None:
    """Let the tab's events call its handlers.

    Args:
        host: what the page is served from.
        tab: the tab's widgets.
        tabs: the page's tabs, to go to the comparison.
        compare: the tab whose board shows comparisons.
        boards: which board each session has.
    """
    does = make_history_handlers(host, tab, tabs, compare, boards)
    table, shown = tab.table, [tab.table, tab.note]
    tab.tab.select(does.find, None, shown, api_name="history_list", **AT_ONCE)
    table.find(does.find, None, shown, api_name="history_find", **AT_ONCE)
    table.more(does.more, None, shown, api_name="history_more", **AT_ONCE)
    table.pin(does.pin, None, shown, api_name="history_pin", **AT_ONCE)
    table.remove(does.remove, None, shown, api_name="history_remove", **AT_ONCE)
    opened = [tab.note, tabs, compare.board, compare.prompt]
    table.open(does.open, None, opened, api_name="history_open", **AT_ONCE)
    table.rerun(does.rerun, None, opened, api_name="history_rerun", **STREAM)


def make_history_handlers(
    host: Host, tab: HistoryTab, tabs: Widget, compare: CompareTab, boards: Boards
) -> HistoryHandlers:
    """Return the handlers of a page's tab, which keep each session's latest board."""
    find, more, pin, remove = _make_listing(host, tab)
    open_again, rerun = _make_opening(host, tab, tabs, compare, boards)
    return HistoryHandlers(find, more, open_again, rerun, pin, remove)


def _make_listing(host: Host, tab: HistoryTab) -> tuple[Handler, Handler, Handler, Handler]:
    def told(sentence: str) -> Updates:
        return {tab.note: render.note(sentence)}

    async def listed(
        words: str, request: gr.Request, most: int = SHOWN, after: Any = None
    ) -> Updates:
        owner = host.owner_of(browser_of(request))
        found = await in_thread(host.history.find, words, owner, most + 1, after)
        entries = host.voting.listed(found)
        trouble = host.history.trouble
        view = render.listed(entries, words, most, host.history.is_on, trouble, after)
        return {tab.table: view, tab.note: ""}

    @telling(told)
    async def find(event: gr.EventData, request: gr.Request) -> Updates:
        """List what has the words that the event carries, from the newest on."""
        return await listed(_words(event), request)

    @telling(told)
    async def more(event: gr.EventData, request: gr.Request) -> Updates:
        """List what stands behind the last entry that is shown."""
        return await listed(_words(event), request, after=_place(event))

    @telling(told)
    async def pin(event: gr.EventData, request: gr.Request) -> Updates:
        """Pin a comparison, or no longer."""
        owner = host.owner_of(browser_of(request))
        wanted = adapter.carried(event, "pinned") is True
        await _must_be(host, host.history.pin, _name(event), wanted, owner)
        return await listed(_words(event), request, _shown(event))

    @telling(told)
    async def remove(event: gr.EventData, request: gr.Request) -> Updates:
        """Delete a comparison; the page has asked before."""
        owner = host.owner_of(browser_of(request))
        await _must_be(host, host.history.remove, _name(event), owner)
        return await listed(_words(event), request, _shown(event))

    return find, more, pin, remove


def _make_opening(
    host: Host, tab: HistoryTab, tabs: Widget, compare: CompareTab, boards: Boards
) -> tuple[Handler, Handler]:
    def told(sentence: str) -> Updates:
        return {tab.note: render.note(sentence)}

    def opened(kept: KeptComparison) -> Updates:
        return {
            tab.note: "",
            tabs: gr.update(selected="compare"),
            compare.prompt: kept.question,
        }

    async def kept_of(event: gr.EventData, request: gr.Request) -> KeptComparison:
        kept = await in_thread(host.kept, _name(event), browser_of(request))
        if kept is None:
            raise ConfigurationError(host.history.trouble or GONE)
        return kept

    @telling(told)
    async def open_again(event: gr.EventData, request: gr.Request) -> Updates:
        """Show a comparison on the board, as it was."""
        shown = boards.of(session_of(request))
        if shown is not None and shown.view["running"]:  # its next view would take the place again
            raise BusyError
        kept = await kept_of(event, request)
        ballot = await in_thread(ballot_of, host.voting, kept, host.owner_of(browser_of(request)))
        board = await in_thread(Board.reopened, kept, ballot)
        settle(host.voting, board)
        boards.keep(session_of(request), board)
        return {**opened(kept), compare.board: board.view}

    @telling(told)
    async def rerun(event: gr.EventData, request: gr.Request) -> AsyncIterator[Updates]:
        """Ask a comparison once more, with the same seeds, and show it on the board."""
        kept = host.voting.opened(await kept_of(event, request))
        session_key, wakeup = session_of(request), Wakeup()
        who = (visitor_of(request), browser_of(request))
        session = await in_thread(host.rerun, session_key, kept, wakeup.wake, *who)
        try:
            board = Board(session, kept=kept)
            boards.keep(session_key, board)
            yield {**opened(kept), compare.board: board.view}
            async for view in follow(board, session, wakeup):
                yield {compare.board: view}
        finally:
            session.stop()

    return open_again, rerun


async def _must_be(host: Host, does: Handler, *arguments: object) -> None:
    """Do something with a comparison.

    Raises:
        ConfigurationError: it is not there any more, or the history cannot be written.
    """
    if not await in_thread(does, *arguments):
        raise ConfigurationError(host.history.trouble or GONE)


def _words(event: Any) -> str:
    words = adapter.carried(event, "words")
    return words if isinstance(words, str) else ""


def _name(event: Any) -> str:
    return str(adapter.carried(event, "id"))


def _shown(event: Any) -> int:
    """Return how many entries the page shows, so that as many are drawn anew."""
    shown = adapter.carried(event, "shown")
    return max(SHOWN, min(shown, MOST_SHOWN)) if type(shown) is int else SHOWN


def _place(event: Any) -> tuple[float, int] | None:
    place = adapter.carried(event, "after")
    if not isinstance(place, list) or len(place) != 2:
        return None
    moment, number = place
    is_place = isinstance(moment, (int, float)) and type(number) is int
    is_place = is_place and max(abs(moment), abs(number)) < _MOST_NUMBER
    return (float(moment), number) if is_place else None
