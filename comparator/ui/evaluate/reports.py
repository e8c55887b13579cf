"""Reports of suites for the browser, which saves them; no address of the server is opened."""

from __future__ import annotations

from typing import Any

import gradio as gr

from comparator.core.exceptions import ConfigurationError
from comparator.evaluation.report import FORMATS, file_name, written
from comparator.hosting.host import Host
from comparator.hosting.suites.evaluations import GONE
from comparator.hosting.suites.suites_seen import as_seen
from comparator.ui import adapter
from comparator.ui.evaluate.views import numbered
from comparator.ui.events import LONGEST_ID, Handler, Updates, Widget, telling
from comparator.ui.threads import in_thread
from comparator.ui.visitors import browser_of


def make_take_away(host: Host, receiver: Widget) -> Handler:
    """Return the handler that writes a report and hands it to the browser."""

    @telling(lambda sentence: {receiver: numbered(trouble=sentence)})
    async def take_away(event: gr.EventData, request: gr.Request) -> Updates:
        """Write the report that the event asks for."""
        name = str(adapter.carried(event, "id"))[:LONGEST_ID]
        form = str(adapter.carried(event, "form"))
        owner = host.owner_of(browser_of(request))
        return {receiver: await in_thread(written_of, host, name, form, owner)}

    return take_away


def written_of(host: Host, name: str, form: str, owner: str) -> dict[str, Any]:
    """Return a report as the page's script saves it. Computes: not for the loop.

    Raises:
        ConfigurationError: the suite is gone, or there is no such form.
    """
    ending = f".{form}"
    if ending not in FORMATS:
        known = ", ".join(name.lstrip(".") for name in FORMATS)
        raise ConfigurationError(f"There are these reports: {known}.")
    kept = host.evaluations.get(name, owner)
    if kept is None:
        raise ConfigurationError(GONE)
    if host.options.is_public:
        kept = as_seen(kept, host.options.models_dir)
    return numbered(
        form=form,
        how="save",
        name=file_name(kept, ending),
        media_type=FORMATS[ending].media_type,
        text=written(kept, ending).decode("utf-8"),
        note="",
        trouble="",
    )
