"""What happens in the form that asks: its models, its settings, and what becomes of them."""

from __future__ import annotations

from typing import Any

import gradio as gr

from comparator.core.exceptions import MultiLLMError
from comparator.hosting.host import Host
from comparator.hosting.requests import RequestDraft, from_page
from comparator.ui.compare import render
from comparator.ui.compare.tab import CompareTab
from comparator.ui.events import AT_ONCE, QUIET, Handler, Updates, Values, Widget
from comparator.ui.model_lists import refresh_at, shelf_updates
from comparator.ui.static_files import static_text
from comparator.ui.threads import in_thread

SAMPLED_FIELDS = (
    *("temperature", "greedy", "top_p", "top_k", "min_p", "repeat_penalty"),
    "sampling",
)


def wire_slots(page: Any, host: Host, tab: CompareTab) -> set[Widget]:
    """Let the form's own events call their handlers; return the widgets that ``draft_of`` reads."""
    lists = tab.lists
    page.load(make_load(host, tab), None, lists.widgets, api_name="page_load", **AT_ONCE)
    for models in lists.models:
        models.change(None, list(lists.models), None, js=static_text("chosen.js"), **QUIET)
    changes = [models.change for models in lists.models]
    gr.on(changes, make_choose(host), list(lists.models), None, api_name="page_choose", **AT_ONCE)
    refresh_at(tab.refresh.click, host, lists, api_name="page_refresh")
    asked = {tab.prompt, tab.system_prompt, tab.together, *tab.settings.values()}
    asked |= {*lists.models, *tab.own_settings}
    fields = [tab.settings[name] for name in SAMPLED_FIELDS]
    changes += [field.change for field in fields] + [field.blur for field in tab.own_settings]
    gr.on(changes, make_advise(host, tab), asked, tab.advice, api_name="page_advise", **AT_ONCE)
    return asked


def make_load(host: Host, tab: CompareTab) -> Handler:
    """Return the handler of the page's beginning, which fills the lists of models."""

    async def load() -> Updates:
        return await in_thread(shelf_updates, tab.lists, await in_thread(host.shelf))

    return load


def make_choose(host: Host) -> Handler:
    """Return the handler of a choice; its inputs are the models."""

    async def choose(*chosen: Any) -> None:
        """Inputs: the models. Their engines start before the question is asked."""
        host.choose(chosen)

    return choose


def make_advise(host: Host, tab: CompareTab) -> Handler:
    """Return the handler that tells what makers advise; its inputs are the whole form."""

    async def advise(values: Values) -> Updates:
        """Say what the chosen models' makers advise, where it is not what would be sent."""
        try:
            said = await in_thread(host.advice, draft_of(tab, values))
        except MultiLLMError:  # Run says what is wrong in the form
            said = []
        return {tab.advice: gr.update(value=render.advice(said), visible=any(said))}

    return advise


def draft_of(tab: CompareTab, values: Values) -> RequestDraft:
    """Read the tab's form.

    Raises:
        ConfigurationError: a field or the settings of a column cannot be read.
    """
    form = {name: values[field] for name, field in tab.settings.items()}
    models = [values[field] for field in tab.lists.models]
    own = [values[field] for field in tab.own_settings]
    chosen = list(zip(models, own, strict=True))
    together = bool(values[tab.together])
    return from_page(values[tab.prompt], values[tab.system_prompt], chosen, form, together)
