"""The page's event handlers, made by closures over the host so that tests need no server.

Each docstring names the wires: what comes in from which widgets and what goes out to which.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from comparator.core.exceptions import MultiLLMError
from comparator.hosting.host import BusyError, Host
from comparator.hosting.library_table import Shelf
from comparator.hosting.requests import Question, from_page
from comparator.library.changes.starter import StarterProgress
from comparator.services.model_manager import MOST_MODELS
from comparator.ui import adapter
from comparator.ui.compare import render
from comparator.ui.compare.board import YIELD_SECONDS, Board, View, Wakeup, follow
from comparator.ui.visitors import session_of, visitor_of

MOST_BOARDS = 256
NOTE_SECONDS = 4.0
FORGOTTEN = "This comparison is not known any more. Ask the question again."
UNEXPECTED = "Something went wrong inside the page; the server's log has the details. Try again."

log = logging.getLogger(__name__)
Handler = Callable[..., Any]


@dataclass(frozen=True)
class Handlers:
    """Every handler of one page."""

    load: Handler
    refresh: Handler
    run: Handler
    stop: Handler
    stop_column: Handler
    retry: Handler
    install: Handler
    leave: Handler
    choose: Handler


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


class Job:
    """Long work in a thread that does not hold the program's end up, as the loop's own would."""

    def __init__(self, work: Callable[[], None], wakeup: Wakeup) -> None:
        self.is_over = False
        self.trouble = ""
        self._work = work
        self._wakeup = wakeup
        threading.Thread(target=self._live, name="comparator-job", daemon=True).start()

    def _live(self) -> None:
        try:
            self._work()
        except MultiLLMError as error:
            self.trouble = str(error)
        except Exception:
            log.exception("The starter set could not be installed")
            self.trouble = UNEXPECTED
        self.is_over = True
        self._wakeup.wake()


def make_handlers(host: Host, field_names: Sequence[str], columns: int) -> Handlers:
    """Return the handlers of a page with these settings' widgets and so many columns."""
    boards = Boards()
    run = _make_run(host, boards, field_names, columns)
    retry = _make_retry(host, boards)
    load, refresh = _make_shelf_handlers(host, columns)
    stop, stop_column, leave = _make_session_handlers(host, boards)
    install = _make_install(host, columns)
    choose = _make_choose(host)
    return Handlers(load, refresh, run, stop, stop_column, retry, install, leave, choose)


def _make_choose(host: Host) -> Handler:
    async def choose(*chosen: Any) -> None:
        """Inputs: the models. Their engines start before the question is asked."""
        host.choose(chosen)

    return choose


def _make_run(host: Host, boards: Boards, field_names: Sequence[str], columns: int) -> Handler:
    async def run(request: gr.Request, *values: Any) -> AsyncIterator[Any]:
        """Inputs: prompts, together, models, own settings, settings. Output: the board."""
        session_key, wakeup = session_of(request), Wakeup()
        try:
            question = _question(values, field_names, columns)
            session = await asyncio.to_thread(
                host.begin, session_key, question, wakeup.wake, visitor_of(request)
            )
        except Exception as error:
            yield not_begun(error)
            return
        try:
            board = Board(session)
            boards.keep(session_key, board)
            async for view in follow(board, session, wakeup):
                yield view
        finally:
            session.stop()

    return run


def _make_retry(host: Host, boards: Boards) -> Handler:
    async def retry(event: gr.EventData, request: gr.Request) -> AsyncIterator[Any]:
        """Input: the column that the board's event carries. Output: the board."""
        session_key, number, wakeup = session_of(request), column_of(event), Wakeup()
        board = boards.of(session_key)
        column = board.column(number) if board and number is not None else None
        if board is None or number is None or column is None:
            yield refused(FORGOTTEN)
            return
        earlier, slot = column.session.comparison, column.slot
        try:
            session = await asyncio.to_thread(
                host.again, session_key, earlier, slot, number, wakeup.wake, visitor_of(request)
            )
        except Exception as error:
            yield not_begun(error)
            return
        try:
            board.retry(number, session)
            async for view in follow(board, session, wakeup):
                yield view
        finally:
            session.stop()

    return retry


def _make_shelf_handlers(host: Host, columns: int) -> tuple[Handler, Handler]:
    async def load() -> list[Any]:
        """Outputs: models, catalogue, what cannot be loaded, starter panel."""
        return shelf_updates(await asyncio.to_thread(host.shelf), [None] * columns)

    async def refresh(*chosen: str | None) -> list[Any]:
        """Inputs: models. Outputs: models, catalogue, what cannot be loaded, starter panel."""
        return shelf_updates(await asyncio.to_thread(host.shelf), chosen)

    return load, refresh


def _make_session_handlers(host: Host, boards: Boards) -> tuple[Handler, Handler, Handler]:
    def stop(request: gr.Request) -> None:
        """No inputs, no outputs: stops the session's comparison; always harmless."""
        host.stop(session_of(request))

    def stop_column(event: gr.EventData, request: gr.Request) -> None:
        """Input: the column that the board's event carries. Stops that column alone."""
        number = column_of(event)
        if number is not None:
            host.stop(session_of(request), number)

    def leave(request: gr.Request) -> None:
        """No wires: the tab is closed, so its comparison ends."""
        host.stop(session_of(request))
        boards.drop(session_of(request))

    return stop, stop_column, leave


def _make_install(host: Host, columns: int) -> Handler:
    async def install() -> AsyncIterator[Any]:
        """Outputs: models, catalogue, what cannot be loaded, starter panel, progress."""
        wakeup, latest = Wakeup(), StarterProgress("Starting", 0, 1, 0.0)

        def note(progress: StarterProgress) -> None:
            nonlocal latest
            latest = progress
            wakeup.wake()

        kept = [gr.skip()] * (columns + 3)
        job = Job(lambda: host.install_starter(note), wakeup)
        yield [*kept, render.starter_note(latest.step, latest.share)]
        while not job.is_over:
            await wakeup.wait(YIELD_SECONDS)
            yield [*kept, render.starter_note(latest.step, latest.share)]
        if job.trouble:
            yield [*kept, render.starter_note(job.trouble, None)]
            return
        shelf = await asyncio.to_thread(host.shelf)
        yield [*shelf_updates(shelf, [None] * columns), ""]

    return install


def _question(values: Sequence[Any], field_names: Sequence[str], columns: int) -> Question:
    prompt, system_prompt, together, *values = values
    models, own = values[:columns], values[columns : 2 * columns]
    form = dict(zip(field_names, values[2 * columns :], strict=True))
    chosen = list(zip(models, own, strict=True))
    return from_page(prompt, system_prompt, chosen, form, bool(together))


def column_of(event: Any) -> int | None:
    """Return the number of the column that an event of the board carries, if it is one."""
    number = adapter.carried(event, "slot")
    return number if type(number) is int and 0 <= number < MOST_MODELS else None


def not_begun(error: Exception) -> Any:
    """Return what the board shows when a comparison was not begun; called while handling it."""
    if isinstance(error, BusyError):
        gr.Info(str(error), duration=NOTE_SECONDS)
        return gr.skip()
    if isinstance(error, MultiLLMError):
        return refused(str(error))
    log.error("A comparison could not be begun", exc_info=error)
    return refused(UNEXPECTED)


def refused(sentence: str) -> View:
    """Return the view of a question that was not taken."""
    return {"run": 0, "running": False, "note": "", "refused": sentence, "columns": []}


def shelf_updates(shelf: Shelf, chosen: Sequence[str | None]) -> list[Any]:
    """Return updates of the model lists (keeping what is chosen), the note and the panel."""
    entries = render.choices(shelf.offered)
    known = [model.id for model in shelf.offered]
    if any(model_id in known for model_id in chosen):
        values = [model_id if model_id in known else "" for model_id in chosen]
    else:
        values = [*known[:2], *[""] * len(chosen)][: len(chosen)]
    note = render.unusable_note(shelf)
    return [
        *(gr.update(choices=entries, value=value) for value in values),
        render.catalogue(shelf.offered),
        gr.update(value=note, visible=bool(note)),
        gr.update(visible=not shelf.offered),
    ]
