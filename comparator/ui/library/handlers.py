"""The library tab's event handlers. Each docstring names the wires, as in ``handlers``."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from comparator.core.exceptions import MultiLLMError
from comparator.hosting.host import Host
from comparator.hosting.library_actions import Making
from comparator.ui import adapter
from comparator.ui.compare.handlers import UNEXPECTED, Handler, shelf_updates
from comparator.ui.library import render
from comparator.ui.threads import in_thread

POLL_SECONDS = 0.4
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LibraryHandlers:
    """What every page's library does."""

    rescan: Handler
    look: Handler
    compare: Handler
    ladder: Handler


@dataclass(frozen=True)
class OwnHandlers:
    """What only a page of one's own does; the services refuse it on any other."""

    open_making: Handler
    plan: Handler
    replan: Handler
    make: Handler
    follow: Handler
    cancel: Handler
    shut: Handler
    ask_removal: Handler
    remove: Handler
    keep: Handler


def make_library_handlers(host: Host, columns: int) -> LibraryHandlers:
    """Return the handlers of the table, over so many columns of the comparison."""
    return LibraryHandlers(
        _make_rescan(host),
        _make_look(host),
        _make_choose(host.library.chosen, columns),
        _make_choose(host.library.ladder_of, columns),
    )


def make_own_handlers(host: Host) -> OwnHandlers:
    """Return the handlers of the panels."""
    open_making, plan, replan = _make_planning(host)
    make, follow, cancel, shut = _make_making(host)
    ask_removal, remove, keep = _make_removal(host)
    return OwnHandlers(
        open_making, plan, replan, make, follow, cancel, shut, ask_removal, remove, keep
    )


def _make_rescan(host: Host) -> Handler:
    async def rescan(*chosen: str | None) -> AsyncIterator[list[Any]]:
        """Inputs: models. Outputs: table, models, catalogue, what cannot be loaded, starter."""
        shelf = await in_thread(host.library.rescan)
        later = [gr.skip()] * (len(chosen) + 3)
        is_public, most = host.options.is_public, host.options.most_models
        table = host.library.table.snapshot()
        shown = render.view(table, is_public, most)
        yield [shown, *later]
        yield [shown, *await in_thread(shelf_updates, shelf, chosen)]
        while table.missing:
            await asyncio.sleep(POLL_SECONDS)
            latest = host.library.table.snapshot()
            if latest.number != table.number:
                table, shown = latest, render.view(latest, is_public, most)
            yield [shown, *later]

    return rescan


def _make_look(host: Host) -> Handler:
    def look(event: gr.EventData) -> str:
        """Input: the row that the table's event carries. Output: its details."""
        model_id = adapter.carried(event, "id")
        try:
            name = host.library.table.model(str(model_id)).name
            return render.detail(name, host.library.table.details(str(model_id)))
        except MultiLLMError as error:
            return render.note(str(error), True)

    return look


def _make_choose(proposed: Callable[[object], list[str]], columns: int) -> Handler:
    def choose(event: gr.EventData) -> list[Any]:
        """Input: the rows that the table's event carries. Outputs: note, tabs, models."""
        try:
            ids = proposed(adapter.carried(event, "ids"))
        except Exception as error:
            return [_told(error), *[gr.skip()] * (columns + 1)]
        values = [*ids, *[""] * columns][:columns]
        return ["", gr.update(selected="compare"), *(gr.update(value=value) for value in values)]

    return choose


def _make_planning(host: Host) -> tuple[Handler, Handler, Handler]:
    def open_making(event: gr.EventData) -> list[Any]:
        """Input: the row. Outputs: note, panel, title, news, make button, the panel's model."""
        ids = adapter.carried(event, "ids")
        try:
            names = host.library.names(ids)
        except Exception as error:
            return [_told(error), *[gr.skip()] * 5]
        title = render.heading(f"Make quantisations of {', '.join(names)}")
        return ["", gr.update(visible=True), title, "", gr.update(visible=False), ids]

    async def plan(ids: Any, wanted: Any) -> list[Any]:
        """Inputs: the panel's model, quantisations. Outputs: news, make button, ladder."""
        try:
            ladder = await in_thread(host.library.plan_ladder, ids, wanted)
        except Exception as error:
            return [_told(error), gr.update(visible=False), None]
        return [render.plan(ladder), gr.update(visible=True), ladder]

    def replan() -> list[Any]:
        """Outputs: news, make button, ladder: other quantisations have to be checked anew."""
        return ["", gr.update(visible=False), None]

    return open_making, plan, replan


def _make_making(host: Host) -> tuple[Handler, Handler, Handler, Handler]:
    def make(ladder: Any) -> list[Any]:
        """Input: ladder. Outputs: panel, news, and the buttons check, make and cancel."""
        try:
            host.library.make(ladder)
        except Exception as error:
            return [gr.skip(), _told(error), *[gr.skip()] * 3]
        return _going(host.library.work.status)

    async def follow() -> AsyncIterator[list[Any]]:
        """Outputs: panel, news, and the buttons check, make and cancel; until the end."""
        status = host.library.work.status
        if status is None or status.is_over:
            yield [gr.skip()] * 5
            return
        while not status.is_over:
            yield _going(status)
            await asyncio.sleep(POLL_SECONDS)
            status = host.library.work.status or status
        yield _going(status)

    def cancel() -> None:
        """No wires: what is being made ends."""
        host.library.stop_making()

    def shut() -> Any:
        """Output: the panel. What is being made goes on."""
        return gr.update(visible=False)

    return make, follow, cancel, shut


def _make_removal(host: Host) -> tuple[Handler, Handler, Handler]:
    async def ask_removal(event: gr.EventData) -> list[Any]:
        """Input: the rows. Outputs: note, panel, question, plans."""
        try:
            plans = await in_thread(host.library.plan_removal, adapter.carried(event, "ids"))
        except Exception as error:
            return [_told(error), gr.update(visible=False), "", None]
        return ["", gr.update(visible=True), render.removal(plans), plans]

    async def remove(plans: Any) -> list[Any]:
        """Input: plans. Outputs: note, panel, plans."""
        try:
            await in_thread(host.library.remove, plans or [])
        except Exception as error:
            return [_told(error), gr.update(visible=False), None]
        return [render.removed(plans or []), gr.update(visible=False), None]

    def keep() -> list[Any]:
        """Outputs: note, panel, plans."""
        return ["", gr.update(visible=False), None]

    return ask_removal, remove, keep


def _going(status: Making | None) -> list[Any]:
    if status is None:
        return [gr.skip()] * 5
    idle = gr.update(visible=status.is_over)
    buttons = [idle, gr.update(visible=False), gr.update(visible=not status.is_over)]
    return [gr.update(visible=True), render.making(status), *buttons]


def _told(error: Exception) -> str:
    """Return an error as the note of the tab; called while handling it."""
    if isinstance(error, MultiLLMError):
        return render.note(str(error), True)
    log.error("The library could not do what was asked", exc_info=error)
    return render.note(UNEXPECTED, True)
