"""What happens in the tab that runs suites, and at which event."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import gradio as gr

from comparator.core.exceptions import ConfigurationError
from comparator.hosting.host import Host
from comparator.hosting.requests import RequestDraft
from comparator.hosting.session import BusyError
from comparator.hosting.suites.evaluations import GONE, Evaluations
from comparator.hosting.suites.suite_drafts import SuiteDraft
from comparator.hosting.suites.suite_sources import builtin_names
from comparator.hosting.suites.suites_seen import as_seen
from comparator.storage.kept_suite import KeptSuite
from comparator.ui import adapter
from comparator.ui.compare.slot_handlers import draft_of
from comparator.ui.compare.tab import CompareTab
from comparator.ui.evaluate import views
from comparator.ui.evaluate.following import Follower, Looks
from comparator.ui.evaluate.reports import make_take_away
from comparator.ui.evaluate.tab import EvaluateTab
from comparator.ui.events import (
    AT_ONCE,
    LATEST,
    LONGEST_ID,
    STREAM,
    Handler,
    Updates,
    Values,
    Widget,
    telling,
)
from comparator.ui.threads import in_thread
from comparator.ui.visitors import browser_of, session_of, visitor_of

MOST_LISTED = 50
MOST_OFFERED = 100  # comparisons of the history to choose from


def wire_evaluate_tab(
    page: Any, host: Host, tab: EvaluateTab, compare: CompareTab, asked: set[Widget]
) -> None:
    """Let the tab's events call its handlers.

    Args:
        page: the page, whose end a visitor's suite may end with.
        host: what the page is served from.
        tab: the tab's widgets.
        compare: the tab whose form says which models are asked, and how.
        asked: the widgets of that form.
    """
    does = EvaluateHandlers(host, tab, compare)
    root, parts = tab.root, tab.parts
    page.unload(does.leave)
    tab.tab.select(does.kept, None, parts["kept"], api_name="evaluate_kept", **AT_ONCE)
    root.read(does.read, asked, parts["read"], api_name="evaluate_read", **LATEST)
    offered = parts["comparisons"]
    root.comparisons(does.comparisons, None, offered, api_name="evaluate_history", **AT_ONCE)
    root.remove(does.remove, None, parts["kept"], api_name="evaluate_remove", **AT_ONCE)
    root.stop(does.stop, None, None, api_name="evaluate_stop", **AT_ONCE)
    root.look(does.look, None, parts["cell"], api_name="evaluate_cell", **AT_ONCE)
    shown = [parts[name] for name in ("read", "opened", "live", "result", "kept")]
    root.begin(does.begin, asked, shown, api_name="evaluate_begin", **STREAM)
    root.resume(does.resume, None, shown, api_name="evaluate_resume", **STREAM)
    root.open(does.open, None, shown, api_name="evaluate_open", **STREAM)
    taken = make_take_away(host, tab.taken_away)
    root.take_away(taken, None, tab.taken_away, api_name="evaluate_take_away", **AT_ONCE)


class EvaluateHandlers:
    """Every handler of the tab, made over a host so that tests need no server."""

    def __init__(self, host: Host, tab: EvaluateTab, compare: CompareTab) -> None:
        self._host, self._tab, self._compare = host, tab, compare
        self._looks = Looks()
        told_read = telling(lambda sentence: {tab.parts["read"]: views.of_refusal(sentence)})
        told_kept = telling(lambda sentence: {tab.parts["kept"]: views.of_refusal(sentence)})
        told_cell = telling(lambda sentence: {tab.parts["cell"]: views.of_refusal(sentence)})
        self.read: Handler = told_read(self._read)
        self.begin: Handler = told_read(self._begin)
        self.resume: Handler = told_kept(self._resume)
        self.open: Handler = told_kept(self._open)
        self.kept: Handler = told_kept(self._kept)
        self.remove: Handler = told_kept(self._remove)
        self.look: Handler = told_cell(self._look)
        self.comparisons: Handler = self._comparisons

    @property
    def _suites(self) -> Evaluations:
        return self._host.evaluations

    def _owner(self, request: Any) -> str:
        return self._host.owner_of(browser_of(request))

    async def _read(self, values: Values, event: gr.EventData, request: gr.Request) -> Updates:
        """Read the source that the event carries, and show what was read."""
        source = adapter.carried(event, "source")
        owner, browser = self._owner(request), browser_of(request)
        suite = await in_thread(self._suites.read, source, owner, browser)
        repeats = adapter.carried(event, "repeats")
        seconds = await in_thread(self._seconds, values, len(suite.items), repeats)
        return {self._tab.parts["read"]: await in_thread(views.of_reading, suite, seconds)}

    def _seconds(self, values: Values, prompts: int, repeats: Any) -> float | None:
        try:
            asked = self._asked(values)
        except ConfigurationError:  # Run says what is wrong in the form
            return None
        return self._suites.most_seconds(asked, prompts, repeats)

    def _asked(self, values: Values) -> RequestDraft:
        """Read models and settings of the form, without its own question."""
        compare = self._compare
        return draft_of(compare, {**values, compare.prompt: "", compare.files: None})

    async def _begin(
        self, values: Values, event: gr.EventData, request: gr.Request
    ) -> AsyncIterator[Updates]:
        """Run the source that the event carries, of the models of the form."""
        draft = SuiteDraft(
            source=adapter.carried(event, "source"),
            asked=self._asked(values),
            repeats=adapter.carried(event, "repeats") or 1,
            batch=adapter.carried(event, "batch"),
            judge=_text(event, "judge"),
            name=_text(event, "name"),
        )
        session, visitor = session_of(request), visitor_of(request)
        asked = (draft, self._owner(request), visitor, browser_of(request))
        try:
            live = await in_thread(self._suites.begin, session, *asked)
        except BusyError as error:  # as a refusal, which gives the button back
            raise ConfigurationError(str(error)) from error
        async for updates in self._following(live.id, request, begun=True):
            yield updates

    async def _resume(self, event: gr.EventData, request: gr.Request) -> AsyncIterator[Updates]:
        """Go on with a suite that was interrupted."""
        session, visitor = session_of(request), visitor_of(request)
        owner = self._owner(request)
        live = await in_thread(self._suites.resume, session, _name(event), owner, visitor)
        async for updates in self._following(live.id, request, begun=True):
            yield updates

    async def _open(self, event: gr.EventData, request: gr.Request) -> AsyncIterator[Updates]:
        """Show a suite, and follow it while it runs."""
        async for updates in self._following(_name(event), request):
            yield updates

    async def _following(
        self, name: str, request: Any, begun: bool = False
    ) -> AsyncIterator[Updates]:
        parts, owner = self._tab.parts, self._owner(request)
        kept = await in_thread(self._suites.get, name, owner)
        if kept is None:
            raise ConfigurationError(self._suites.store.trouble or GONE)
        follower = Follower(self._suites, kept, owner)
        is_current = self._looks.begin(session_of(request))
        yield {parts["opened"]: await in_thread(views.of_opening, kept)}
        if begun:
            yield await self._listed(owner)
        async for view in follower.views(is_current):
            yield {parts["live"]: view}
        if not is_current():
            return
        yield {parts["result"]: await in_thread(follower.result)}
        if follower.was_live:
            yield await self._listed(owner)

    async def _kept(self, request: gr.Request) -> Updates:
        """List the kept suites, and say which one runs."""
        return await self._listed(self._owner(request))

    async def _listed(self, owner: str) -> Updates:
        suites = self._suites
        entries = await in_thread(suites.find, owner, MOST_LISTED)
        live = suites.live(owner)
        told = views.of_entries(
            entries, live.id if live else "", builtin_names(), suites.store.trouble
        )
        return {self._tab.parts["kept"]: told}

    async def _remove(self, event: gr.EventData, request: gr.Request) -> Updates:
        """Delete a suite; the page has asked before."""
        owner = self._owner(request)
        await in_thread(self._suites.remove, _name(event), owner)
        return await self._listed(owner)

    async def _look(self, event: gr.EventData, request: gr.Request) -> Updates:
        """Show one answer, whole, or a prompt alone."""
        place = [adapter.carried(event, name) for name in ("slot", "prompt", "repeat")]
        view = await in_thread(self._cell, _name(event), self._owner(request), place)
        return {self._tab.parts["cell"]: view}

    def _cell(self, name: str, owner: str, place: list[Any]) -> views.View:
        kept, options = self._suites.get(name, owner), self._host.options
        if kept is not None and options.is_public:
            kept = as_seen(kept, options.models_dir)
        return _cell_view(kept, place)

    async def _comparisons(self, event: gr.EventData, request: gr.Request) -> Updates:
        """List comparisons whose questions may be chosen."""
        history, owner = self._host.history, self._owner(request)
        words = _text(event, "words")
        try:
            entries = await in_thread(history.find, words, owner, MOST_OFFERED)
            told = views.of_comparisons(entries, history.trouble)
        except ConfigurationError as error:
            told = views.of_comparisons([], str(error))
        return {self._tab.parts["comparisons"]: told}

    def stop(self, request: gr.Request) -> None:
        """Stop the suite that runs; it can be resumed."""
        self._suites.stop(self._owner(request))

    def leave(self, request: gr.Request) -> None:
        """Note that a page was closed."""
        self._looks.end(session_of(request))
        self._suites.leave(session_of(request))


def _cell_view(kept: KeptSuite | None, place: list[Any]) -> views.View:
    if kept is None:
        raise ConfigurationError(GONE)
    slot, prompt, _repeat = place
    if slot == -1 and type(prompt) is int and 0 <= prompt < len(kept.suite.items):
        return views.of_prompt(kept, prompt)
    found = next((cell for cell in kept.cells if list(cell.key) == place), None)
    if found is None:
        raise ConfigurationError("This suite has no such answer.")
    return views.of_cell(kept, found)


def _name(event: Any) -> str:
    return _text(event, "id")[:LONGEST_ID]


def _text(event: Any, name: str) -> str:
    told = adapter.carried(event, name)
    return told if isinstance(told, str) else ""
