"""The public endpoints for ``gradio_client`` and plain HTTP; names and shapes are promises."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import gradio as gr

from comparator.comparison.comparison import Comparison
from comparator.core.models import RunState
from comparator.hosting import records
from comparator.hosting.host import Host
from comparator.hosting.records import Record
from comparator.hosting.requests import from_endpoint
from comparator.storage.kept_comparison import KeptComparison
from comparator.ui.compare.board import KEPT_SECONDS, UPDATE_SECONDS, YIELD_SECONDS
from comparator.ui.refusals import refusal, refusing
from comparator.ui.threads import in_thread
from comparator.ui.visitors import browser_of, session_of, visitor_of
from comparator.ui.wakeup import Wakeup

NOT_KEPT = (
    "The history has no comparison {!r}, or several that begin so; /history lists those there are."
)
RECORDS_SECONDS = 0.2  # between whole records of the same state: programs need no smoothness


def add_endpoints(host: Host) -> None:
    """Add the endpoints to the page under construction."""

    def models() -> list[dict]:  # type: ignore[type-arg]  # Gradio makes the schema from this
        """Return every model: id, name, model_type, file, size, quantisation, problem."""
        return host.model_records()

    async def compare(
        prompt: str | list[dict],  # type: ignore[type-arg]
        models: list[str],
        system_prompt: str = "",
        config: dict = {},  # type: ignore[type-arg]  # noqa: B006  # never changed here
        request: gr.Request = None,  # Gradio fills it in
    ) -> AsyncIterator[list[dict]]:  # type: ignore[type-arg]
        """Ask up to four models and stream the list of their records.

        prompt: a text, or the messages of a conversation, each with "role" ("system", "user" or
        "assistant") and "content", the user's last. models: ids or names. config: fields of a
        ModelConfig, with settings of single models under "per_model" by id, "together": true to
        run all at once, and "date": what chat templates are told of the time, as ISO 8601.
        """
        arguments = (prompt, models, system_prompt, config)
        async for several in _records(host, request, arguments):
            yield several

    def stop(request: gr.Request) -> bool:
        """Stop what this session runs, a suite too; return whether anything ran."""
        ended = [one(session_of(request)) for one in (host.stop, host.evaluations.stop_session)]
        return any(ended)

    def history(
        words: str = "",
        n: int = 20,
        request: gr.Request = None,  # Gradio fills it in
    ) -> list[dict]:  # type: ignore[type-arg]
        """List the comparisons that were asked before, the newest first.

        words: all of which a question, a system prompt, an answer or a model's name has; empty for
        all comparisons. n: how many at the most, up to 200. Each is told by id, created (seconds
        since the epoch), question, models, states, is_pinned and parent.
        """
        return kept_entries(host, words, n, browser_of(request))

    def show(
        id: str,
        request: gr.Request = None,  # Gradio fills it in
    ) -> dict:  # type: ignore[type-arg]
        """Return a comparison that was asked before, whole.

        id: as /history tells it, a beginning of it, or "last". "records" holds its columns, each
        like those of /compare.
        """
        return kept_whole(host, id, browser_of(request))

    gr.api(models, api_name="models", concurrency_limit=4)
    gr.api(history, api_name="history", concurrency_limit=4)
    gr.api(show, api_name="show", concurrency_limit=4)
    gr.api(compare, api_name="compare", concurrency_limit=None)
    # Without a queue Gradio calls a tool for MCP clients beside their session.
    gr.api(stop, api_name="stop", queue=host.options.mcp, concurrency_limit=None)


def kept_entries(host: Host, words: Any, most: Any, browser: str) -> list[Record]:
    """Return what a browser's history lists.

    Raises:
        gr.Error: an argument is wrong, or the history cannot be read.
    """
    if not isinstance(words, str) or type(most) is not int or most < 0:
        raise refusal("words must be text, and n a whole number from 0 up.")
    with refusing():
        entries = host.history.find(words, host.owner_of(browser), most)
    if not entries and host.history.trouble:
        raise refusal(host.history.trouble)
    return [records.of_entry(entry) for entry in host.voting.listed(entries)]


def kept_whole(host: Host, name: Any, browser: str) -> Record:
    """Return a kept comparison of a browser's.

    Raises:
        gr.Error: there is none of that name, or its names are hidden until a vote.
    """
    kept = found(host, name, browser)
    with refusing():
        return records.of_kept(host.voting.opened(kept), host.options.models_dir)


def found(host: Host, name: Any, browser: str) -> KeptComparison:
    """Return a kept comparison of a browser's, whether or not its names are hidden.

    Raises:
        gr.Error: there is none of that name.
    """
    kept = host.kept(str(name), browser)
    if kept is None:
        raise refusal(host.history.trouble or NOT_KEPT.format(str(name)[:40]))
    return kept


async def _records(
    host: Host, request: Any, arguments: tuple[Any, Any, Any, Any]
) -> AsyncIterator[list[Record]]:
    session_key, wakeup = session_of(request), Wakeup()
    with refusing():
        draft = from_endpoint(*arguments)
        asked = (visitor_of(request), browser_of(request))
        session = await in_thread(host.begin, session_key, draft, wakeup.wake, *asked)
    comparison = session.comparison
    try:
        yield host.records(comparison, session.position)
        sent, stages, is_whole = time.monotonic(), _stages(comparison), False
        while not session.is_complete:
            started = time.monotonic()
            await wakeup.wait(YIELD_SECONDS)
            comparison.drain()
            if stages != _stages(comparison) or time.monotonic() - sent >= RECORDS_SECONDS:
                sent, stages, is_whole = time.monotonic(), _stages(comparison), session.is_complete
                yield host.records(comparison, session.position)
            if not session.is_complete:
                await asyncio.sleep(max(0.0, UPDATE_SECONDS - (time.monotonic() - started)))
        comparison.drain()
        if not is_whole:  # whoever keeps it has taken its end in before
            yield host.records(comparison, session.position)
        is_over = session.is_to_be_kept and await in_thread(session.join, KEPT_SECONDS)
        if is_over and session.kept_as is None:  # its records have told an id that leads nowhere
            yield host.records(comparison)
    finally:
        session.stop()


def _stages(comparison: Comparison) -> list[RunState]:
    """Return what is told at once when it changes."""
    slots = range(len(comparison.request.slots))
    return [comparison.status(slot).state for slot in slots]
