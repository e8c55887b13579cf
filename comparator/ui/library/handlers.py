"""What happens in the library's tab, and at which event."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from comparator.core.time_left import TimeLeft
from comparator.hosting.host import Host
from comparator.hosting.library.library_actions import LadderStatus
from comparator.ui import adapter
from comparator.ui.events import AT_ONCE, QUIET, STREAM, Handler, Updates, Values, Widget, telling
from comparator.ui.library import render
from comparator.ui.library.tab import LibraryTab, MakingPanel, RemovalPanel
from comparator.ui.model_lists import ModelLists, shelf_updates
from comparator.ui.threads import in_thread

POLL_SECONDS = 0.4


@dataclass(frozen=True)
class MakingHandlers:
    """What the panel does in which quantisations are made."""

    open: Handler
    plan: Handler
    replan: Handler
    make: Handler
    follow: Handler
    cancel: Handler
    shut: Handler


@dataclass(frozen=True)
class RemovalHandlers:
    """What the panel does that asks before anything is deleted."""

    ask: Handler
    remove: Handler
    keep: Handler


def wire_library_tab(host: Host, tab: LibraryTab, tabs: Widget, lists: ModelLists) -> None:
    """Let the tab's events call its handlers.

    Args:
        host: what the page is served from.
        tab: the tab's widgets; a public page has no panels, and its services refuse their work.
        tabs: the page's tabs, to go to the comparison.
        lists: what is drawn anew when models come or go.
    """
    table, models = tab.table, set(lists.models)
    rescan, shown = make_rescan(host, tab, lists), [table, *lists.widgets]
    tab.tab.select(rescan, models, shown, api_name="library_open", **STREAM)
    table.rescan(rescan, models, shown, api_name="library_rescan", **STREAM)
    table.look(make_look(host, tab), None, tab.detail, api_name="library_look", **AT_ONCE)
    columns = [tab.note, tabs, *lists.models]
    compare = make_choose(host.library.chosen, tab, tabs, lists)
    table.compare(compare, None, columns, api_name="library_compare", **AT_ONCE)
    ladder = make_choose(host.library.ladder_of, tab, tabs, lists)
    table.ladder(ladder, None, columns, api_name="library_ladder", **AT_ONCE)
    rescanning: dict[str, Any] = {"fn": rescan, "inputs": models, "outputs": shown, **STREAM}
    if tab.making is not None:
        _wire_making(tab, tab.making, make_making_handlers(host, tab, tab.making), rescanning)
    if tab.removal is not None:
        _wire_removal(tab, tab.removal, make_removal_handlers(host, tab, tab.removal), rescanning)


def _wire_making(
    tab: LibraryTab, panel: MakingPanel, does: MakingHandlers, rescanning: dict[str, Any]
) -> None:
    opened = [tab.note, panel.panel, panel.title, panel.news, panel.make, panel.model]
    tab.table.quantise(does.open, None, opened, api_name="library_quantise", **AT_ONCE)
    asked, planned = {panel.model, panel.wanted}, [panel.news, panel.make, panel.ladder]
    panel.check.click(does.plan, asked, planned, api_name="library_plan", **QUIET)
    panel.wanted.change(does.replan, None, planned, api_name="library_replan", **AT_ONCE)
    going = [panel.panel, panel.news, panel.check, panel.make, panel.cancel]
    begun = panel.make.click(does.make, {panel.ladder}, going, api_name="library_make", **AT_ONCE)
    begun = begun.success(does.follow, None, going, api_name="library_follow", **STREAM)
    begun.success(api_name="library_made", **rescanning)
    # A page that was loaded anew finds the work that goes on.
    tab.tab.select(does.follow, None, going, api_name="library_find", **STREAM)
    panel.cancel.click(does.cancel, None, None, api_name="library_cancel", **AT_ONCE)
    panel.shut.click(does.shut, None, panel.panel, api_name="library_shut", **AT_ONCE)


def _wire_removal(
    tab: LibraryTab, panel: RemovalPanel, does: RemovalHandlers, rescanning: dict[str, Any]
) -> None:
    asked = [tab.note, panel.panel, panel.question, panel.plans]
    tab.table.remove(does.ask, None, asked, api_name="library_ask", **AT_ONCE)
    removed = [tab.note, panel.panel, panel.plans]
    gone = panel.agree.click(
        does.remove,
        {panel.plans},
        removed,
        api_name="library_remove",
        concurrency_limit=4,
        **QUIET,
    )
    gone.success(api_name="library_removed", **rescanning)
    panel.keep.click(does.keep, None, removed, api_name="library_keep", **AT_ONCE)


def make_rescan(host: Host, tab: LibraryTab, lists: ModelLists) -> Handler:
    """Return the handler that looks for models and fills the table until every fact is there."""
    is_public, most = host.options.is_public, host.options.most_models

    async def rescan(values: Values) -> AsyncIterator[Updates]:
        shelf = await in_thread(host.library.rescan)
        table = host.library.table.snapshot()
        shown = render.view(table, is_public, most)
        yield {tab.table: shown}
        updates = await in_thread(shelf_updates, lists, shelf, values)
        yield {tab.table: shown, **updates}
        while table.missing:
            await asyncio.sleep(POLL_SECONDS)
            latest = host.library.table.snapshot()
            if latest.number != table.number:
                table, shown = latest, render.view(latest, is_public, most)
            yield {tab.table: shown}

    return rescan


def make_look(host: Host, tab: LibraryTab) -> Handler:
    """Return the handler that shows the details of the row that the table's event carries."""

    @telling(lambda sentence: {tab.detail: render.note(sentence, True)})
    def look(event: gr.EventData) -> Updates:
        model_id = str(adapter.carried(event, "id"))
        name = host.library.table.model(model_id).name
        return {tab.detail: render.detail(name, host.library.table.details(model_id))}

    return look


def make_choose(
    proposed: Callable[[object], list[str]], tab: LibraryTab, tabs: Widget, lists: ModelLists
) -> Handler:
    """Return the handler that puts models into the comparison: those proposed for some rows."""

    @telling(lambda sentence: {tab.note: render.note(sentence, True)})
    def choose(event: gr.EventData) -> Updates:
        ids = proposed(adapter.carried(event, "ids"))
        values = [*ids, *[""] * len(lists.models)][: len(lists.models)]
        updates = (gr.update(value=value) for value in values)
        chosen = dict(zip(lists.models, updates, strict=True))
        return {tab.note: "", tabs: gr.update(selected="compare"), **chosen}

    return choose


def make_making_handlers(host: Host, tab: LibraryTab, panel: MakingPanel) -> MakingHandlers:
    """Return the handlers of the panel in which quantisations are made."""
    open_panel, plan, replan = _make_planning(host, tab, panel)
    make, follow, cancel = _make_making(host, panel)

    def shut() -> Updates:
        """Close the panel; what is being made goes on."""
        return {panel.panel: gr.update(visible=False)}

    return MakingHandlers(open_panel, plan, replan, make, follow, cancel, shut)


def _make_planning(
    host: Host, tab: LibraryTab, panel: MakingPanel
) -> tuple[Handler, Handler, Handler]:
    @telling(lambda sentence: {tab.note: render.note(sentence, True)})
    def open_panel(event: gr.EventData) -> Updates:
        ids = adapter.carried(event, "ids")
        names = host.library.names(ids)
        return {
            tab.note: "",
            panel.panel: gr.update(visible=True),
            panel.title: render.making_title(names),
            panel.news: "",
            panel.make: gr.update(visible=False),
            panel.model: ids,
        }

    def without_plan(news: str = "") -> Updates:
        return {panel.news: news, panel.make: gr.update(visible=False), panel.ladder: None}

    @telling(lambda sentence: without_plan(render.note(sentence, True)))
    async def plan(values: Values) -> Updates:
        ids, wanted = values[panel.model], values[panel.wanted]
        ladder = await in_thread(host.library.plan_ladder, ids, wanted)
        shown = render.plan(ladder)
        return {panel.news: shown, panel.make: gr.update(visible=True), panel.ladder: ladder}

    def replan() -> Updates:
        """Forget the plan: other quantisations have to be checked anew."""
        return without_plan()

    return open_panel, plan, replan


def _make_making(host: Host, panel: MakingPanel) -> tuple[Handler, Handler, Handler]:
    def going(status: LadderStatus, seconds_left: float | None = None) -> Updates:
        return {
            panel.panel: gr.update(visible=True),
            panel.news: render.making(status, seconds_left),
            panel.check: gr.update(visible=status.is_over),
            panel.make: gr.update(visible=False),
            panel.cancel: gr.update(visible=not status.is_over),
        }

    @telling(lambda sentence: {panel.news: render.note(sentence, True)})
    def make(values: Values) -> Updates:
        return going(host.library.make(values[panel.ladder]).status)

    async def follow() -> AsyncIterator[Any]:
        """Tell how far it is until its end; nothing where nothing is being made."""
        work = host.library.work
        if work is None or work.status.is_over:
            yield gr.skip()
            return
        left = TimeLeft()
        while not (status := work.status).is_over:
            seconds_left = left.after(status.progress.latest.share) if status.progress else None
            yield going(status, seconds_left)
            await asyncio.sleep(POLL_SECONDS)
        yield going(status)

    def cancel() -> None:
        host.library.stop_making()

    return make, follow, cancel


def make_removal_handlers(host: Host, tab: LibraryTab, panel: RemovalPanel) -> RemovalHandlers:
    """Return the handlers of the panel that asks before anything is deleted."""

    def without_plans(note: str = "") -> Updates:
        return {tab.note: note, panel.panel: gr.update(visible=False), panel.plans: None}

    @telling(lambda sentence: {**without_plans(render.note(sentence, True)), panel.question: ""})
    async def ask(event: gr.EventData) -> Updates:
        ids = adapter.carried(event, "ids")
        plans = await in_thread(host.library.plan_removal, ids)
        return {
            tab.note: "",
            panel.panel: gr.update(visible=True),
            panel.question: render.removal(plans),
            panel.plans: plans,
        }

    @telling(lambda sentence: without_plans(render.note(sentence, True)))
    async def remove(values: Values) -> Updates:
        plans = values[panel.plans] or []
        await in_thread(host.library.remove, plans)
        return without_plans(render.removed(plans))

    def keep() -> Updates:
        return without_plans()

    return RemovalHandlers(ask, remove, keep)
