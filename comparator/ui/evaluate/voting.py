"""A blind vote on a suite's answers to one prompt: on the board of the Compare tab."""

from __future__ import annotations

from typing import Any

import gradio as gr

from comparator.core.exceptions import ConfigurationError
from comparator.hosting.host import Host
from comparator.hosting.session import BusyError
from comparator.hosting.suites.evaluations import GONE
from comparator.hosting.suites.suite_votes import comparison_of
from comparator.storage.kept_comparison import KeptComparison
from comparator.ui import adapter
from comparator.ui.compare.board import Board
from comparator.ui.compare.boards import Boards
from comparator.ui.compare.tab import CompareTab
from comparator.ui.compare.voting_handlers import ballot_of, settle
from comparator.ui.evaluate import views
from comparator.ui.evaluate.tab import EvaluateTab
from comparator.ui.events import AT_ONCE, LONGEST_ID, Handler, Updates, Widget, telling
from comparator.ui.threads import in_thread
from comparator.ui.visitors import browser_of, session_of


def wire_suite_voting(
    host: Host, tab: EvaluateTab, tabs: Widget, compare: CompareTab, boards: Boards
) -> None:
    """Let the tab's event call its handler.

    Args:
        host: what the page is served from.
        tab: the tab's widgets.
        tabs: the page's tabs, to go to the board.
        compare: the tab with the board.
        boards: which board each session has.
    """
    vote = make_vote(host, tab, tabs, compare, boards)
    opened = [tab.parts["cell"], tabs, compare.board, compare.prompt]
    tab.root.vote(vote, None, opened, api_name="evaluate_vote", **AT_ONCE)


def make_vote(
    host: Host, tab: EvaluateTab, tabs: Widget, compare: CompareTab, boards: Boards
) -> Handler:
    """Return the handler."""

    @telling(lambda sentence: {tab.parts["cell"]: views.of_refusal(sentence)})
    async def vote(event: gr.EventData, request: gr.Request) -> Updates:
        """Show the answers to a prompt without names, to be voted on."""
        shown = boards.of(session_of(request))
        if shown is not None and shown.view["running"]:  # its next view would take the place again
            raise BusyError
        owner = host.owner_of(browser_of(request))
        kept = await in_thread(_comparison, host, event, owner)
        ballot = await in_thread(ballot_of, host.voting, kept, owner)
        board = await in_thread(Board.reopened, kept, ballot)
        settle(host.voting, board)
        boards.keep(session_of(request), board)
        return {
            tabs: gr.update(selected="compare"),
            compare.board: board.view,
            compare.prompt: kept.question,
        }

    return vote


def _comparison(host: Host, event: Any, owner: str) -> KeptComparison:
    name = str(adapter.carried(event, "id"))[:LONGEST_ID]
    prompt, repeat = adapter.carried(event, "prompt"), adapter.carried(event, "repeat")
    suite = host.evaluations.get(name, owner)
    if suite is None or type(prompt) is not int or type(repeat) is not int:
        raise ConfigurationError(GONE)
    is_known = adapter.carried(event, "known") is True
    return comparison_of(host, suite, (prompt, repeat), owner, is_known)
