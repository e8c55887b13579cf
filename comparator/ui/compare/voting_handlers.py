"""What happens when the answers on the board are voted on, or their names are shown without."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

import gradio as gr
import msgspec

from comparator.core.exceptions import ConfigurationError
from comparator.hosting.errors import sentence_of
from comparator.hosting.host import Host
from comparator.hosting.session import BusyError, Session
from comparator.hosting.voting import Voting, letter_of
from comparator.storage.kept_comparison import KeptComparison
from comparator.ui import adapter
from comparator.ui.compare import render
from comparator.ui.compare.blind import Ballot
from comparator.ui.compare.board import KEPT_SECONDS, Board
from comparator.ui.compare.boards import Boards
from comparator.ui.events import QUIET, Handler, Updates, Widget, telling
from comparator.ui.threads import in_thread
from comparator.ui.visitors import browser_of, session_of

NOTHING_TO_VOTE_ON = "There is nothing to vote on yet. Ask two to four models first."
NOT_IN_HISTORY = "The vote was not kept, since the comparison could not be kept either."
VOTING = {**QUIET, "concurrency_limit": None}


@dataclass(frozen=True)
class VotingHandlers:
    """Every handler of a vote."""

    vote: Handler
    show_names: Handler
    take_back: Handler


def begun(voting: Voting, session: Session, is_blind: bool, ballot: Ballot | None = None) -> Ballot:
    """Return the ballot of a comparison that begins, which is sealed where it is blind.

    Args:
        voting: of the host.
        session: what fills the board.
        is_blind: whether the names are hidden.
        ballot: of the board that it goes on from.
    """
    ballot = ballot or Ballot(is_blind)
    if is_blind and session.comparison.name:
        ballot.sealed.append(session.comparison.name)
        voting.seal(ballot.sealed)
    return ballot


def settle(voting: Voting, board: Board) -> None:
    """Let the names be told everywhere that a board shows, where it does."""
    if not board.is_blind:
        voting.unseal(board.ballot.show_names())


def ballot_of(voting: Voting, kept: KeptComparison, owner: str) -> Ballot:
    """Return the ballot of a comparison of the history: as blind as it was left."""
    if voting.is_sealed(kept.id):
        return Ballot(is_blind=True, sealed=[kept.id])
    vote = voting.vote_of(kept.id, owner)
    return Ballot(answer=letter_of(vote), was_blind=vote.is_blind) if vote else Ballot()


def wire_voting(host: Host, board: Widget, boards: Boards) -> None:
    """Let the board's own events call their handlers."""
    does = make_voting_handlers(host, board, boards)
    board.vote(does.vote, None, board, api_name="page_vote", **VOTING)
    board.show_names(does.show_names, None, board, api_name="page_show_names", **VOTING)
    board.take_back(does.take_back, None, board, api_name="page_take_back", **VOTING)


def make_voting_handlers(host: Host, board: Widget, boards: Boards) -> VotingHandlers:
    """Return the handlers; they use each session's latest board."""

    def shown(request: gr.Request) -> Board:
        found = boards.of(session_of(request))
        if found is None or not found.view["vote"]:
            raise ConfigurationError(NOTHING_TO_VOTE_ON)
        if found.view["running"]:
            raise BusyError
        return found

    @telling(lambda sentence: {board: render.refused(sentence)})
    async def vote(event: gr.EventData, request: gr.Request) -> AsyncIterator[Updates]:
        """Show the names at once, and keep the vote that the event carries."""
        found, answer = shown(request), str(adapter.carried(event, "answer"))
        kept = await in_thread(_as_kept, found)
        is_blind = found.is_blind and _is_secret(host.voting, found)
        if answer == found.ballot.answer:  # the second of two clicks: the names are known by now
            return
        found.ballot.check(found.view["vote"], answer)
        host.voting.unseal(found.ballot.show_names())
        found.ballot.answer, found.ballot.trouble = answer, ""
        found.ballot.was_blind = is_blind
        found.redraw()
        yield {board: found.view}
        try:
            if host.history.is_on and not found.view["vote"]["kept"]:
                raise ConfigurationError(NOT_IN_HISTORY)
            owner = host.owner_of(browser_of(request))
            await in_thread(host.voting.cast, kept, answer, owner, is_blind)
        except Exception as error:
            found.ballot.answer, found.ballot.trouble = "", sentence_of(error)
            found.redraw()
            yield {board: found.view}

    @telling(lambda sentence: {board: render.refused(sentence)})
    async def show_names(request: gr.Request) -> Updates:
        """Show the names without a vote."""
        found = shown(request)
        found.ballot.is_skipped = found.is_blind
        _show(host, found)
        return {board: found.view}

    @telling(lambda sentence: {board: render.refused(sentence)})
    async def take_back(request: gr.Request) -> Updates:
        """Delete the vote on what the board shows."""
        found = shown(request)
        kept, owner = await in_thread(_as_kept, found), host.owner_of(browser_of(request))
        await in_thread(host.voting.take_back, kept.id, owner)
        found.ballot.answer = found.ballot.trouble = ""
        found.redraw()
        return {board: found.view}

    return VotingHandlers(vote, show_names, take_back)


def _show(host: Host, board: Board) -> None:
    host.voting.unseal(board.ballot.show_names())
    board.redraw()


def _is_secret(voting: Voting, board: Board) -> bool:
    """Return whether the names were told nowhere else, such as by another tab or an endpoint."""
    return all(map(voting.is_sealed, board.ballot.sealed))


def _as_kept(board: Board) -> KeptComparison:
    """Return what a board shows by the id that it has, or will have, in the history."""
    session, kept = board.session, board.kept()
    if session is None or board.view["comparison"]:
        return kept
    if session.is_to_be_kept and session.join(KEPT_SECONDS) and session.kept_as:
        board.note_kept()
        return msgspec.structs.replace(kept, id=session.kept_as)
    return kept
