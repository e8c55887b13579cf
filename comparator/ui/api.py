"""The public endpoints for ``gradio_client`` and plain HTTP; names and shapes are promises."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import gradio as gr

from comparator.comparison.comparison import Comparison
from comparator.core.models import RunState
from comparator.hosting.errors import sentence_of
from comparator.hosting.host import Host
from comparator.hosting.records import Record
from comparator.hosting.requests import from_endpoint
from comparator.ui.compare.board import UPDATE_SECONDS, YIELD_SECONDS
from comparator.ui.threads import in_thread
from comparator.ui.visitors import session_of, visitor_of
from comparator.ui.wakeup import Wakeup

RECORDS_SECONDS = 0.2  # between whole records of the same state: programs need no smoothness


def add_endpoints(host: Host) -> None:
    """Add ``/models``, ``/compare`` and ``/stop`` to the page under construction."""

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
        ModelConfig, with settings of single models under "per_model" by id, and "together": true
        to run all at once.
        """
        async for records in _records(host, request, (prompt, models, system_prompt, config)):
            yield records

    def stop(request: gr.Request) -> bool:
        """Stop what this session runs; return whether anything ran."""
        return host.stop(session_of(request))

    gr.api(models, api_name="models", concurrency_limit=4)
    gr.api(compare, api_name="compare", concurrency_limit=None)
    gr.api(stop, api_name="stop", queue=False)


async def _records(
    host: Host, request: Any, arguments: tuple[Any, Any, Any, Any]
) -> AsyncIterator[list[Record]]:
    session_key, wakeup = session_of(request), Wakeup()
    try:
        draft = from_endpoint(*arguments)
        session = await in_thread(host.begin, session_key, draft, wakeup.wake, visitor_of(request))
    except Exception as error:
        raise gr.Error(sentence_of(error), print_exception=False) from error
    comparison = session.comparison
    try:
        yield host.records(comparison, session.position)
        sent, stages = time.monotonic(), _stages(comparison)
        while not session.is_complete:
            started = time.monotonic()
            await wakeup.wait(YIELD_SECONDS)
            comparison.drain()
            if stages != _stages(comparison) or time.monotonic() - sent >= RECORDS_SECONDS:
                yield host.records(comparison, session.position)
                sent, stages = time.monotonic(), _stages(comparison)
            if not session.is_complete:
                await asyncio.sleep(max(0.0, UPDATE_SECONDS - (time.monotonic() - started)))
    finally:
        session.stop()


def _stages(comparison: Comparison) -> list[RunState]:
    """Return what is told at once when it changes."""
    slots = range(len(comparison.request.slots))
    return [comparison.status(slot).state for slot in slots]
