"""The endpoints of suites: what ``comparator suite run`` and ``suite show`` do, for programs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import gradio as gr

from comparator.evaluation.shown import shown
from comparator.hosting.host import Host
from comparator.hosting.requests import from_endpoint
from comparator.hosting.suites.live_suite import LiveSuite
from comparator.hosting.suites.suite_drafts import SuiteDraft
from comparator.hosting.suites.suite_sources import told_source
from comparator.hosting.suites.suites_seen import as_seen
from comparator.storage.kept_suite import KeptSuite
from comparator.ui.evaluate.following import LOOK_SECONDS, UPDATE_SECONDS
from comparator.ui.refusals import refusal, refusing
from comparator.ui.threads import in_thread
from comparator.ui.visitors import browser_of, session_of, visitor_of
from comparator.ui.wakeup import Wakeup

Shown = dict[str, Any]
NO_SUITE = "No suite {!r} is kept, or several that begin so."


def add_suite_endpoints(host: Host) -> None:
    """Add the endpoints to the page under construction."""

    async def suite_run(
        suite: str | list | dict,  # type: ignore[type-arg]  # Gradio makes the schema from this
        models: list[str],
        system_prompt: str = "",
        config: dict = {},  # type: ignore[type-arg]  # noqa: B006  # never changed here
        repeat: int = 1,
        batch: str = "auto",
        judge: str = "",
        name: str = "",
        request: gr.Request = None,  # Gradio fills it in
    ) -> AsyncIterator[dict]:  # type: ignore[type-arg]
        """Ask up to four models all prompts of a suite; stream how far it is, and all at the end.

        suite: prompts, a line each; or the name of a built-in suite; or a list of prompts or of
        objects with "prompt" or "messages", and "id", "system", "expected", "assert", "tags"; or a
        file as {"name": "suite.yaml", "text": "..."}. models, system_prompt, config: as for
        /compare. repeat: how often each prompt is asked. batch: answers decoded at once, "auto" or
        a number. judge: a model that judges the answers. On one's own page the suite goes on when
        the caller leaves; /suite_show tells what came of it, /stop stops it.
        """
        asked = (models, system_prompt, config, repeat, batch, judge, name)
        async for told in _told(host, request, suite, asked):
            yield told

    async def suite_show(
        id: str = "last",
        request: gr.Request = None,  # Gradio fills it in
    ) -> dict:  # type: ignore[type-arg]
        """Return a suite that was run before or runs, with its cells, its summary and its pairs.

        id: as /suite_run tells it, a beginning of it, or "last".
        """
        return await in_thread(suite_whole, host, id, browser_of(request))

    gr.api(suite_run, api_name="suite_run", concurrency_limit=None)
    gr.api(suite_show, api_name="suite_show", concurrency_limit=4)


def suite_whole(host: Host, name: Any, browser: str) -> Shown:
    """Return a kept suite of a browser's, as ``comparator suite show --json`` has it.

    Raises:
        gr.Error: there is none of that name.
    """
    kept = host.evaluations.get(str(name), host.owner_of(browser))
    if kept is None:
        raise refusal(host.evaluations.store.trouble or NO_SUITE.format(str(name)[:40]))
    return _shown(host, kept)


def _shown(host: Host, kept: KeptSuite) -> Shown:
    return shown(as_seen(kept, host.options.models_dir))


async def _told(
    host: Host, request: Any, suite: Any, asked: tuple[Any, ...]
) -> AsyncIterator[Shown]:
    session_key, browser = session_of(request), browser_of(request)
    owned = (host.owner_of(browser), visitor_of(request), browser)
    with refusing():
        draft = await in_thread(_draft, suite, *asked)
        live = await in_thread(host.evaluations.begin, session_key, draft, *owned)
    wakeup = Wakeup()
    live.watch(wakeup.wake)
    try:
        while not live.is_over:
            started = time.monotonic()
            yield await in_thread(_progress, live)
            await wakeup.wait(LOOK_SECONDS)
            await asyncio.sleep(max(0.0, UPDATE_SECONDS - (time.monotonic() - started)))
        yield {**await in_thread(_progress, live), **await in_thread(_shown, host, live.kept())}
    finally:
        live.unwatch(wakeup.wake)
        host.evaluations.leave(session_key)


def _draft(
    suite: Any,
    models: Any,
    system_prompt: Any,
    config: Any,
    repeats: Any,
    batch: Any,
    judge: Any,
    name: Any,
) -> SuiteDraft:
    """Return what a program asks for. Writes its prompts out as a file: not for the loop."""
    return SuiteDraft(
        source=told_source(suite),
        asked=from_endpoint("…", models, system_prompt, config),
        repeats=repeats,
        batch=batch,
        judge=str(judge or ""),
        name=str(name or ""),
    )


def _progress(live: LiveSuite) -> Shown:
    """Return how far a suite is: the keys that every object of the stream has."""
    kept, progress = live.kept(), live.progress()
    states = [cell.state for cell in kept.cells]
    return {
        "id": kept.id,
        "name": kept.name,
        "state": kept.state,
        "progress": {
            "done": states.count("done"),
            "failed": states.count("failed"),
            "total": len(states),
            "seconds_left": progress.seconds_left if progress and not live.is_over else None,
            "stage": progress.stage if progress else "",
            "position": live.position,
            "trouble": live.trouble,
        },
    }
