"""What happens on the board when a comparison is over: asked on, edited, written anew, continued.

Each goes on from the board that the session has, whatever it was made of: answers that were just
written, or a comparison of the history.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from comparator.comparison.kept import KeptComparison
from comparator.comparison.turns import Turns, continued, edited_turn, next_turn, regenerated
from comparator.core.limits import MOST_MODELS
from comparator.hosting.host import Host
from comparator.hosting.session import BusyError, Session
from comparator.ui import adapter
from comparator.ui.compare import render
from comparator.ui.compare.board import Board, follow
from comparator.ui.compare.boards import Boards
from comparator.ui.compare.columns import LeftOutColumn
from comparator.ui.compare.voting_handlers import begun, settle
from comparator.ui.events import AT_ONCE, STREAM, Handler, Updates, Widget, telling
from comparator.ui.threads import in_thread
from comparator.ui.visitors import browser_of, session_of, visitor_of
from comparator.ui.wakeup import Wakeup

FORGOTTEN = "This comparison is not known any more. Ask the question again."
MOST_TURNS = 10_000  # of a conversation

OfColumn = Callable[[KeptComparison, int], Turns]
OfQuestion = Callable[[KeptComparison, str, int | None], Turns]


@dataclass(frozen=True)
class TurnHandlers:
    """Every handler of a conversation on the board."""

    ask_on: Handler
    edit_turn: Handler
    regenerate: Handler
    go_on: Handler
    show_tokens: Handler


def wire_turns(host: Host, board: Widget, boards: Boards) -> None:
    """Let the board's own events call their handlers."""
    handlers = make_turn_handlers(host, board, boards)
    board.ask_on(handlers.ask_on, None, board, api_name="page_ask_on", **STREAM)
    board.edit_turn(handlers.edit_turn, None, board, api_name="page_edit_turn", **STREAM)
    board.regenerate_column(handlers.regenerate, None, board, api_name="page_regenerate", **STREAM)
    board.continue_column(handlers.go_on, None, board, api_name="page_continue", **STREAM)
    board.show_tokens(handlers.show_tokens, None, board, api_name="page_show_tokens", **AT_ONCE)


def make_turn_handlers(host: Host, board: Widget, boards: Boards) -> TurnHandlers:
    """Return the handlers; they use and keep each session's latest board."""
    going_on = GoingOn(host, boards)

    def show_tokens(request: gr.Request) -> Updates:
        """Tell the tokens of the answers that are over."""
        shown = boards.of(session_of(request))
        if shown is None:
            return {board: gr.skip()}
        shown.show_tokens()
        return {board: shown.view}

    return TurnHandlers(
        ask_on=_of_question(going_on, board, lambda kept, said, _turn: next_turn(kept, said)),
        edit_turn=_of_question(
            going_on, board, lambda kept, said, turn: edited_turn(kept, said, _or_last(turn))
        ),
        regenerate=_of_column(going_on, board, regenerated),
        go_on=_of_column(going_on, board, continued),
        show_tokens=show_tokens,
    )


@dataclass(frozen=True)
class GoingOn:
    """Lets what a board shows go on."""

    host: Host
    boards: Boards

    def board_of(self, request: gr.Request) -> Board | None:
        """Return the board that a session has.

        Raises:
            BusyError: it still grows.
        """
        board = self.boards.of(session_of(request))
        if board is not None and board.view["running"]:
            raise BusyError
        return board

    async def of_all(
        self, request: gr.Request, shown: Board, kept: KeptComparison, turns: Turns, question: str
    ) -> Going:
        """Ask the columns on a new board of all of them, as blind as the one that is shown."""
        wakeup = Wakeup()
        session = await self._begin(request, turns, wakeup)
        left_out = {
            place: LeftOutColumn(place, kept.records[place], question, why)
            for place, why in session.left_out.items()
        }
        ballot = begun(self.host.voting, session, shown.is_blind, shown.ballot.next())
        board = Board(session, session.columns, left_out, kept, ballot, asked_on=True)
        self.boards.keep(session_of(request), board)
        return Going(board, session, wakeup)

    async def of_one(self, request: gr.Request, board: Board, number: int, turns: Turns) -> Going:
        """Ask one column, which fills it anew."""
        wakeup = Wakeup()
        session = await self._begin(request, turns, wakeup)
        board.retry(number, session)
        return Going(board, session, wakeup)

    async def _begin(self, request: gr.Request, turns: Turns, wakeup: Wakeup) -> Session:
        who = (visitor_of(request), browser_of(request))
        return await in_thread(self.host.ask_on, session_of(request), turns, wakeup.wake, *who)


@dataclass(frozen=True)
class Going:
    """A board that goes on: what fills it, and what wakes who follows it."""

    board: Board
    session: Session
    wakeup: Wakeup


def _of_question(going_on: GoingOn, board: Widget, asked: OfQuestion) -> Handler:
    """Return the handler of an event that carries a question, and may carry a turn's number."""

    @telling(lambda sentence: {board: render.refused(sentence)})
    async def ask(event: gr.EventData, request: gr.Request) -> AsyncIterator[Updates]:
        shown, question = going_on.board_of(request), adapter.carried(event, "question")
        if shown is None or not isinstance(question, str):
            yield {board: render.refused(FORGOTTEN)}
            return
        kept = await in_thread(shown.kept)
        turns = asked(kept, question, _number_of(event, "turn", MOST_TURNS))
        going = await going_on.of_all(request, shown, kept, turns, question)
        try:
            async for view in follow(going.board, going.session, going.wakeup):
                yield {board: view}
            settle(going_on.host.voting, going.board)
        finally:
            going.session.stop()

    return ask


def _of_column(going_on: GoingOn, board: Widget, asked: OfColumn) -> Handler:
    """Return the handler of an event that carries a column."""

    @telling(lambda sentence: {board: render.refused(sentence)})
    async def ask(event: gr.EventData, request: gr.Request) -> AsyncIterator[Updates]:
        shown, number = going_on.board_of(request), column_of(event)
        if shown is None or number is None or shown.column(number) is None:
            yield {board: render.refused(FORGOTTEN)}
            return
        shown.ballot.refuse_while_blind()
        turns = asked(await in_thread(shown.kept), number)
        going = await going_on.of_one(request, shown, number, turns)
        try:
            async for view in follow(going.board, going.session, going.wakeup):
                yield {board: view}
        finally:
            going.session.stop()

    return ask


def column_of(event: Any) -> int | None:
    """Return the number of the column that an event of the board carries, if it is one."""
    return _number_of(event, "slot", MOST_MODELS)


def _number_of(event: Any, name: str, below: int) -> int | None:
    number = adapter.carried(event, name)
    return number if type(number) is int and 0 <= number < below else None


def _or_last(turn: int | None) -> int:
    return -1 if turn is None else turn
