"""The endpoints of votes: ``/vote`` and ``/ratings``, with the words of the command line."""

from __future__ import annotations

from typing import Any

import gradio as gr

from comparator.hosting.host import Host
from comparator.hosting.vote_ratings import BY, OF, Record, rated, told
from comparator.ui.api import found
from comparator.ui.refusals import refusal, refusing
from comparator.ui.visitors import browser_of


def add_voting_endpoints(host: Host) -> None:
    """Add the endpoints to the page under construction."""

    def vote(
        id: str,
        answer: str,
        request: gr.Request = None,  # Gradio fills it in
    ) -> dict:  # type: ignore[type-arg]  # Gradio makes the schema from this
        """Say which answer of a comparison is best; an earlier vote on it is replaced.

        id: as /history tells it, a beginning of it, or "last". answer: "A", "B", "C" or "D" for a
        column, "tie", or "both_bad" where none is good.
        """
        return _said(host, id, answer, browser_of(request))

    def ratings(
        by: str = "configuration",
        of: str = "all",
        request: gr.Request = None,  # Gradio fills it in
    ) -> dict:  # type: ignore[type-arg]
        """Rate what was voted on, with intervals; 1000 is the mean.

        by: "configuration" (a model with its settings) or "model". of: "all" votes, or those
        that are "blind": cast before the names were known.
        """
        if by not in BY or of not in OF:
            raise refusal(f"by is one of {', '.join(BY)}, and of one of {', '.join(OF)}.")
        with refusing():
            return rated(host.voting, host.owner_of(browser_of(request)), by, of)

    gr.api(vote, api_name="vote", concurrency_limit=4)
    gr.api(ratings, api_name="ratings", concurrency_limit=4)


def _said(host: Host, name: Any, answer: Any, browser: str) -> Record:
    kept = found(host, name, browser)
    with refusing():
        is_blind = host.voting.is_sealed(kept.id)
        return told(host.voting.cast(kept, str(answer), host.owner_of(browser), is_blind))
