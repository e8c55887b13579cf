"""What happens in the tab that asks, and at which event.

The handlers are made by closures over the host and the tab, so that tests need no server.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from comparator.core.exceptions import MultiLLMError
from comparator.core.limits import MOST_MODELS
from comparator.core.time_left import TimeLeft
from comparator.hosting.background_work import BackgroundWork
from comparator.hosting.host import Host
from comparator.hosting.requests import RequestDraft, from_page
from comparator.library.changes.starter import StarterProgress
from comparator.ui import adapter
from comparator.ui.compare import render
from comparator.ui.compare.board import YIELD_SECONDS, Board, follow
from comparator.ui.compare.tab import CompareTab
from comparator.ui.events import AT_ONCE, QUIET, STREAM, Handler, Updates, Values, telling
from comparator.ui.model_lists import refresh_at, shelf_updates
from comparator.ui.static_files import static_text
from comparator.ui.threads import in_thread
from comparator.ui.visitors import session_of, visitor_of
from comparator.ui.wakeup import Wakeup

MOST_BOARDS = 256
SAMPLED_FIELDS = (
    *("temperature", "greedy", "top_p", "top_k", "min_p", "repeat_penalty"),
    "sampling",
)
FORGOTTEN = "This comparison is not known any more. Ask the question again."


@dataclass(frozen=True)
class CompareHandlers:
    """Every handler of the tab."""

    load: Handler
    run: Handler
    retry: Handler
    stop: Handler
    stop_column: Handler
    leave: Handler
    install: Handler
    choose: Handler
    advise: Handler


class Boards:
    """The latest board of each session, whose columns can be asked once more."""

    def __init__(self) -> None:
        self._by_session: OrderedDict[str, Board] = OrderedDict()

    def keep(self, session_key: str, board: Board) -> None:
        """Remember a session's board in place of its last one."""
        self._by_session[session_key] = board
        self._by_session.move_to_end(session_key)
        while len(self._by_session) > MOST_BOARDS:
            self._by_session.popitem(last=False)

    def of(self, session_key: str) -> Board | None:
        """Return a session's board, if it has one."""
        return self._by_session.get(session_key)

    def drop(self, session_key: str) -> None:
        """Forget a session."""
        self._by_session.pop(session_key, None)


def make_compare_handlers(host: Host, tab: CompareTab) -> CompareHandlers:
    """Return the handlers of a page's tab."""
    boards = Boards()
    stop, stop_column, leave = _make_session_handlers(host, boards)
    return CompareHandlers(
        load=_make_load(host, tab),
        run=_make_run(host, tab, boards),
        retry=_make_retry(host, tab, boards),
        stop=stop,
        stop_column=stop_column,
        leave=leave,
        install=_make_install(host, tab),
        choose=_make_choose(host),
        advise=_make_advise(host, tab),
    )


def _make_choose(host: Host) -> Handler:
    async def choose(*chosen: Any) -> None:
        """Inputs: the models. Their engines start before the question is asked."""
        host.choose(chosen)

    return choose


def _make_advise(host: Host, tab: CompareTab) -> Handler:
    async def advise(values: Values) -> Updates:
        """Say what the chosen models' makers advise, where it is not what would be sent."""
        try:
            said = await in_thread(host.advice, draft_of(tab, values))
        except MultiLLMError:  # Run says what is wrong in the form
            said = []
        return {tab.advice: gr.update(value=render.advice(said), visible=any(said))}

    return advise


def wire_compare_tab(page: Any, host: Host, tab: CompareTab) -> None:
    """Let the tab's events call its handlers; waiting happens in our own line, not in Gradio's."""
    handlers, lists = make_compare_handlers(host, tab), tab.lists
    page.load(handlers.load, None, lists.widgets, api_name="page_load", **AT_ONCE)
    page.unload(handlers.leave)
    for models in lists.models:
        models.change(None, list(lists.models), None, js=static_text("chosen.js"), **QUIET)
    changes = [models.change for models in lists.models]
    gr.on(changes, handlers.choose, list(lists.models), None, api_name="page_choose", **AT_ONCE)
    refresh_at(tab.refresh.click, host, lists, api_name="page_refresh")
    asked = {tab.prompt, tab.system_prompt, tab.together, *tab.settings.values()}
    asked |= {*lists.models, *tab.own_settings}
    fields = [tab.settings[name] for name in SAMPLED_FIELDS]
    changes += [field.change for field in fields] + [field.blur for field in tab.own_settings]
    gr.on(changes, handlers.advise, asked, tab.advice, api_name="page_advise", **AT_ONCE)
    tab.run.click(handlers.run, asked, tab.board, api_name="page_run", **STREAM)
    tab.stop.click(handlers.stop, None, None, api_name="page_stop", **AT_ONCE)
    board = tab.board
    board.stop_column(handlers.stop_column, None, None, api_name="page_stop_column", **AT_ONCE)
    board.retry_column(handlers.retry, None, board, api_name="page_retry", **STREAM)
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


def _make_load(host: Host, tab: CompareTab) -> Handler:
    async def load() -> Updates:
        return await in_thread(shelf_updates, tab.lists, await in_thread(host.shelf))

    return load


def _make_run(host: Host, tab: CompareTab, boards: Boards) -> Handler:
    @telling(lambda sentence: {tab.board: render.refused(sentence)})
    async def run(values: Values, request: gr.Request) -> AsyncIterator[Updates]:
        session_key, wakeup = session_of(request), Wakeup()
        visitor = visitor_of(request)
        draft = replace(draft_of(tab, values), on_page=not visitor)
        session = await in_thread(host.begin, session_key, draft, wakeup.wake, visitor)
        try:
            board = Board(session)
            boards.keep(session_key, board)
            async for view in follow(board, session, wakeup):
                yield {tab.board: view}
        finally:
            session.stop()

    return run


def _make_retry(host: Host, tab: CompareTab, boards: Boards) -> Handler:
    @telling(lambda sentence: {tab.board: render.refused(sentence)})
    async def retry(event: gr.EventData, request: gr.Request) -> AsyncIterator[Updates]:
        session_key, number, wakeup = session_of(request), column_of(event), Wakeup()
        board = boards.of(session_key)
        column = board.column(number) if board and number is not None else None
        if board is None or number is None or column is None:
            yield {tab.board: render.refused(FORGOTTEN)}
            return
        earlier, slot = column.session.comparison, column.slot
        session = await in_thread(
            host.again, session_key, earlier, slot, number, wakeup.wake, visitor_of(request)
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
        number = column_of(event)
        if number is not None:
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


def draft_of(tab: CompareTab, values: Values) -> RequestDraft:
    """Read the tab's form.

    Raises:
        ConfigurationError: a field or the settings of a column cannot be read.
    """
    form = {name: values[field] for name, field in tab.settings.items()}
    models = [values[field] for field in tab.lists.models]
    own = [values[field] for field in tab.own_settings]
    chosen = list(zip(models, own, strict=True))
    together = bool(values[tab.together])
    return from_page(values[tab.prompt], values[tab.system_prompt], chosen, form, together)


def column_of(event: Any) -> int | None:
    """Return the number of the column that an event of the board carries, if it is one."""
    number = adapter.carried(event, "slot")
    return number if type(number) is int and 0 <= number < MOST_MODELS else None
