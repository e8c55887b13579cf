"""What the form says of a prompt that is too long for a slot, before it is asked."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import gradio as gr

from comparator.core.exceptions import MultiLLMError
from comparator.core.limits import LETTERS
from comparator.hosting.host import Host
from comparator.hosting.requests import RequestDraft
from comparator.ui.compare.tab import CompareTab
from comparator.ui.events import LATEST, Handler, Updates, Values, Widget
from comparator.ui.threads import in_thread
from comparator.ui.worded import sentence


def wire_prompt_fit(
    host: Host, tab: CompareTab, asked: set[Widget], draft_of: Callable[[Values], RequestDraft]
) -> None:
    """Look whether the prompt fits whenever what it depends on has been changed.

    Never while it is typed: a long prompt is counted by a process of its own.
    """
    fields = [tab.prompt, tab.system_prompt, tab.settings["n_ctx"]]
    changes = [field.blur for field in fields] + [one.change for one in tab.lists.models]
    look = make_look(host, tab, draft_of)
    told = asked | {tab.files}
    gr.on(changes, look, told, tab.fits, api_name="page_fits", **LATEST)
    tab.slots.edited(look, told, tab.fits, api_name="page_fits_slot", **LATEST)


def make_look(host: Host, tab: CompareTab, draft_of: Callable[[Values], RequestDraft]) -> Handler:
    """Return the handler that tells which slots the prompt is too long for."""

    async def look(values: Values) -> Updates:
        """Inputs: the whole form."""
        try:
            said = await in_thread(host.prompt_fit, draft_of(values))
        except MultiLLMError:  # nothing typed yet, or Run says what is wrong in the form
            said = []
        return {tab.fits: gr.update(value=in_html(said), visible=bool(said))}

    return look


def in_html(said: Iterable[tuple[int, str]]) -> str:
    """Return for which slots a prompt is too long, as HTML.

    Args:
        said: numbers of slots, and a sentence for each.
    """
    lines = [
        f'<p class="misfit"><b class="letter">{LETTERS[number]}</b> {sentence(words)}</p>'
        for number, words in said
    ]
    return f'<div role="status">{"".join(lines)}</div>' if lines else ""
