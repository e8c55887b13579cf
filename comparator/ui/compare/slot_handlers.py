"""What happens in the form that asks: its models, its settings, and what becomes of them.

What a slot holds is moved, changed and remembered in the browser (``static/slots*.js``); the
server says with what the form begins (``hosting/page_start.py``) and reads it when it is asked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import gradio as gr

from comparator.core.context_files import with_files
from comparator.core.exceptions import ConfigurationError, MultiLLMError
from comparator.hosting.file_tokens import file_tokens
from comparator.hosting.host import Host
from comparator.hosting.page_start import Start, start_of, usual_form
from comparator.hosting.requests import RequestDraft, from_page
from comparator.ui.compare import render
from comparator.ui.compare.prompt_fit import wire_prompt_fit
from comparator.ui.compare.tab import CompareTab
from comparator.ui.events import AT_ONCE, QUIET, Handler, Updates, Values, Widget
from comparator.ui.model_lists import refresh_at, shelf_updates
from comparator.ui.static_files import static_text
from comparator.ui.threads import in_thread

SAMPLED_FIELDS = (
    *("temperature", "greedy", "top_p", "top_k", "min_p", "repeat_penalty"),
    "sampling",
)
IN_BROWSER: dict[str, Any] = {**QUIET, "queue": False}
ARRANGED = "() => window.comparatorArranged"
FILLED = "() => window.comparatorFilled"


def wire_slots(page: Any, host: Host, tab: CompareTab) -> set[Widget]:
    """Let the form's own events call their handlers; return the widgets that ``draft_of`` reads."""
    lists, slots = tab.lists, tab.slots
    told = [*lists.widgets, *_begun(tab)]
    load, reset = make_load(host, tab), make_reset(host, tab)
    page.load(load, [slots], told, js=static_text("begin.js"), api_name="page_load", **AT_ONCE)
    slots.reset(reset, None, [*told, tab.blind], api_name="page_reset", **AT_ONCE)
    models = list(lists.models)
    for one in models:
        one.change(None, models, None, js=static_text("chosen.js"), **QUIET)
    slots.arrange(None, None, models, js=ARRANGED, **IN_BROWSER)
    slots.fill(None, None, [tab.prompt, tab.system_prompt], js=FILLED, **IN_BROWSER)
    changes = [one.change for one in models]
    gr.on(changes, make_choose(host), models, None, api_name="page_choose", **AT_ONCE)
    refresh_at(tab.refresh.click, host, lists, api_name="page_refresh")
    _remember(tab)
    asked = {tab.prompt, tab.system_prompt, tab.together, *tab.settings.values()}
    asked |= {*models, slots}
    changes += [tab.settings[name].change for name in SAMPLED_FIELDS]
    advise = make_advise(host, tab)
    gr.on(changes, advise, asked, tab.advice, api_name="page_advise", **AT_ONCE)
    slots.edited(advise, asked, tab.advice, api_name="page_advise_slot", **AT_ONCE)
    count = make_count(host, tab)
    tab.files.count(count, {tab.files, *models}, tab.file_tokens, api_name="page_count", **AT_ONCE)
    wire_prompt_fit(host, tab, asked, lambda values: draft_of(tab, values))
    return asked | {tab.files, tab.blind}


def _begun(tab: CompareTab) -> list[Widget]:
    """Return what the form begins with, besides its lists of models."""
    return [tab.slots, tab.prompt, tab.system_prompt, tab.together, *tab.settings.values()]


def _remember(tab: CompareTab) -> None:
    """Let the browser know the form whenever a field of it changes, so that it can keep it."""
    fields = {"prompt": tab.prompt, "system_prompt": tab.system_prompt, "together": tab.together}
    fields |= tab.settings
    names = json.dumps(list(fields))
    script = f"(...values) => {{ window.comparatorForm?.({names}, values); return []; }}"
    widgets = list(fields.values())
    gr.on([field.change for field in widgets], None, widgets, None, js=script, **IN_BROWSER)
    tab.slots.look(None, widgets, None, js=script, **IN_BROWSER)


def make_load(host: Host, tab: CompareTab) -> Handler:
    """Return the handler of the page's beginning; its input is what the browser remembers."""

    async def load(told: Any) -> Updates:
        return await in_thread(_started, host, tab, told)

    return load


def make_reset(host: Host, tab: CompareTab) -> Handler:
    """Return the handler that sets the form as it is for who comes for the first time."""

    async def reset() -> Updates:
        usual = usual_form(host.options.usual_settings, list(tab.settings))
        updates = await in_thread(_started, host, tab, {})
        fields = {tab.settings[name]: value for name, value in usual.items()}
        return {**updates, **fields, tab.system_prompt: "", tab.together: False, tab.blind: False}

    return reset


def _started(host: Host, tab: CompareTab, told: Any) -> Updates:
    """Return the lists of models and the form with which the page begins."""
    shelf = host.shelf().by_facts()
    options = host.options
    names = list(tab.settings)
    start = start_of(told, shelf.offered, options.most_models, options.usual_settings, names)
    updates = shelf_updates(
        tab.lists, shelf, dict(zip(tab.lists.models, start.models, strict=False))
    )
    return {**updates, **_form_of(tab, start)}


def _form_of(tab: CompareTab, start: Start) -> Updates:
    whole = {
        tab.prompt: start.prompt,
        tab.system_prompt: start.system_prompt,
        tab.together: start.together,
    }
    fields = {tab.settings[name]: value for name, value in start.form.items()}
    own = {"own": [dict(settings) for settings in start.own], "notes": list(start.notes)}
    given = {widget: value for widget, value in whole.items() if value is not None}
    return {**given, **fields, tab.slots: own}


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


def make_count(host: Host, tab: CompareTab) -> Handler:
    """Return the handler that counts the files' tokens; its inputs are they and the models."""

    async def count(values: Values) -> Updates:
        chosen = [values[models] for models in tab.lists.models]
        files = files_of(values[tab.files])
        return {tab.file_tokens: await in_thread(file_tokens, host, files, chosen)}

    return count


def draft_of(tab: CompareTab, values: Values) -> RequestDraft:
    """Read the tab's form.

    Raises:
        ConfigurationError: a field or the settings of a slot cannot be read.
    """
    form = {name: values[field] for name, field in tab.settings.items()}
    models = [values[field] for field in tab.lists.models]
    own = own_settings(values[tab.slots])
    padded = [*own, *({} for _ in models)]
    chosen = list(zip(models, padded, strict=False))
    together = bool(values[tab.together])
    prompt = with_files(values[tab.prompt] or "", files_of(values.get(tab.files)))
    return from_page(prompt, values[tab.system_prompt], chosen, form, together)


def files_of(told: Any) -> Any:
    """Return the files before the question as the page's script sends them, unchecked."""
    return told.get("files") if isinstance(told, Mapping) else told


def own_settings(told: Any) -> list[Mapping[str, Any]]:
    """Return each slot's own settings as the page's script sends them.

    Raises:
        ConfigurationError: it sends something else.
    """
    own = told.get("own") if isinstance(told, Mapping) else None
    if own is None:
        return []
    if not isinstance(own, list) or not all(isinstance(settings, Mapping) for settings in own):
        raise ConfigurationError("The slots' own settings cannot be read. Load the page anew.")
    return own
