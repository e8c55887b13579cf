"""What happens in the tab that asks, and at which event.

The handlers are made by closures over the host and the tab, so that tests need no server.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from comparator.core.time_left import TimeLeft
from comparator.hosting.background_work import BackgroundWork
from comparator.hosting.host import Host
from comparator.library.changes.starter import StarterProgress
from comparator.ui.compare import render
from comparator.ui.compare.board import YIELD_SECONDS, Board, follow
from comparator.ui.compare.boards import Boards
from comparator.ui.compare.exporting import wire_exporting
from comparator.ui.compare.slot_handlers import draft_of, wire_slots
from comparator.ui.compare.tab import CompareTab
from comparator.ui.compare.turn_handlers import FORGOTTEN, column_of, wire_turns
from comparator.ui.compare.voting_handlers import begun, settle, wire_voting
from comparator.ui.events import AT_ONCE, QUIET, STREAM, Handler, Updates, Values, Widget, telling
from comparator.ui.model_lists import shelf_updates
from comparator.ui.threads import in_thread
from comparator.ui.visitors import browser_of, session_of, visitor_of
from comparator.ui.wakeup import Wakeup


@dataclass(frozen=True)
class CompareHandlers:
    """Every handler of the tab."""

    run: Handler
    retry: Handler
    stop: Handler
    stop_column: Handler
    leave: Handler
    install: Handler


def make_compare_handlers(
    host: Host, tab: CompareTab, boards: Boards | None = None
) -> CompareHandlers:
    """Return the handlers of a page's tab, which keep each session's latest board."""
    boards = boards or Boards()
    stop, stop_column, leave = _make_session_handlers(host, boards)
    return CompareHandlers(
        run=_make_run(host, tab, boards),
        retry=_make_retry(host, tab, boards),
        stop=stop,
        stop_column=stop_column,
        leave=leave,
        install=_make_install(host, tab),
    )


def wire_compare_tab(
    page: Any, host: Host, tab: CompareTab, boards: Boards | None = None
) -> set[Widget]:
    """Let the tab's events call its handlers; waiting happens in our own line, not in Gradio's.

    Returns the widgets of its form, which ``draft_of`` reads.
    """
    boards = boards or Boards()
    handlers, lists = make_compare_handlers(host, tab, boards), tab.lists
    page.unload(handlers.leave)
    asked = wire_slots(page, host, tab)
    tab.run.click(handlers.run, asked, tab.board, api_name="page_run", **STREAM)
    tab.stop.click(handlers.stop, None, None, api_name="page_stop", **AT_ONCE)
    board = tab.board
    board.stop_column(handlers.stop_column, None, None, api_name="page_stop_column", **AT_ONCE)
    board.retry_column(handlers.retry, None, board, api_name="page_retry", **STREAM)
    wire_turns(host, board, boards)
    wire_voting(host, board, boards)
    wire_exporting(host, board, tab.taken_away, boards)
    if tab.starter_button is not None:
        installed = [*lists.widgets, tab.starter_progress]
        tab.starter_button.click(
            handlers.install,
            None,
            installed,
            api_name="page_install",
            concurrency_limit=4,
            **QUIET,
        )
    return asked


def _make_run(host: Host, tab: CompareTab, boards: Boards) -> Handler:
    @telling(lambda sentence: {tab.board: render.refused(sentence)})
    async def run(values: Values, request: gr.Request) -> AsyncIterator[Updates]:
        session_key, wakeup = session_of(request), Wakeup()
        visitor = visitor_of(request)
        draft = replace(draft_of(tab, values), on_page=not visitor)
        browser, is_blind = browser_of(request), bool(values.get(tab.blind))
        if is_blind:
            draft = await in_thread(host.blindly, draft, browser)
        session = await in_thread(host.begin, session_key, draft, wakeup.wake, visitor, browser)
        try:
            board = Board(session, ballot=begun(host.voting, session, is_blind))
            boards.keep(session_key, board)
            async for view in follow(board, session, wakeup):
                yield {tab.board: view}
            settle(host.voting, board)
        finally:
            session.stop()

    return run


def _make_retry(host: Host, tab: CompareTab, boards: Boards) -> Handler:
    @telling(lambda sentence: {tab.board: render.refused(sentence)})
    async def retry(event: gr.EventData, request: gr.Request) -> AsyncIterator[Updates]:
        session_key, number, wakeup = session_of(request), column_of(event), Wakeup()
        board = boards.of(session_key)
        column = board.column(number) if board and number is not None else None
        if board is None or number is None or column is None or column.session is None:
            yield {tab.board: render.refused(FORGOTTEN)}
            return
        board.ballot.refuse_while_blind()
        earlier, slot = column.session.comparison, column.slot
        asked = (visitor_of(request), browser_of(request), board.view["comparison"])
        session = await in_thread(
            host.again, session_key, earlier, slot, number, wakeup.wake, *asked
        )
        try:
            board.retry(number, session)
            async for view in follow(board, session, wakeup):
                yield {tab.board: view}
        finally:
            session.stop()

    return retry


def _make_session_handlers(host: Host, boards: Boards) -> tuple[Handler, Handler, Handler]:
    def stop(request: gr.Request) -> None:
        """Stop the session's comparison; harmless at any time."""
        host.stop(session_of(request))

    def stop_column(event: gr.EventData, request: gr.Request) -> None:
        """Stop the column that the board's event carries, and no other."""
        number, board = column_of(event), boards.of(session_of(request))
        if number is not None and not (board and board.is_blind):
            host.stop(session_of(request), number)

    def leave(request: gr.Request) -> None:
        """End the comparison of a tab that was closed."""
        host.stop(session_of(request))
        boards.drop(session_of(request))

    return stop, stop_column, leave


def _make_install(host: Host, tab: CompareTab) -> Handler:
    def told(step: str, share: float | None = None, left: float | None = None) -> Updates:
        return {tab.starter_progress: render.starter_note(step, share, left)}

    @telling(told)
    async def install() -> AsyncIterator[Updates]:
        wakeup, left = Wakeup(), TimeLeft()
        work: BackgroundWork[StarterProgress] = BackgroundWork(
            "starter", lambda report, _stopping: host.install_starter(report), wakeup.wake
        )
        work.start()
        yield told("Starting", 0.0)
        while not (status := work.status).is_over:
            await wakeup.wait(YIELD_SECONDS)
            if latest := work.status.progress:
                yield told(latest.step, latest.share, left.after(latest.share))
        if status.trouble:
            yield told(status.trouble)
            return
        shelf = await in_thread(host.shelf)
        updates = await in_thread(shelf_updates, tab.lists, shelf)
        yield {**updates, tab.starter_progress: ""}

    return install
