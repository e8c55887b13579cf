"""Reports of suites for the browser, which saves them; no address of the server is opened."""

from __future__ import annotations

import mimetypes
import re
from typing import Any

import gradio as gr

from comparator.core.exceptions import ConfigurationError
from comparator.evaluation.report import FORMATS, written
from comparator.hosting.evaluations import GONE
from comparator.hosting.host import Host
from comparator.hosting.suites_seen import as_seen
from comparator.ui import adapter
from comparator.ui.evaluate.views import numbered
from comparator.ui.events import Handler, Updates, Widget, telling
from comparator.ui.threads import in_thread
from comparator.ui.visitors import browser_of

_LONGEST_ID = 64
_NOT_IN_A_NAME = re.compile(r"[^\w.-]+")


def make_take_away(host: Host, receiver: Widget) -> Handler:
    """Return the handler that writes a report and hands it to the browser."""

    @telling(lambda sentence: {receiver: numbered(trouble=sentence)})
    async def take_away(event: gr.EventData, request: gr.Request) -> Updates:
        """Write the report that the event asks for."""
        name = str(adapter.carried(event, "id"))[:_LONGEST_ID]
        form = str(adapter.carried(event, "form"))
        owner = host.owner_of(browser_of(request))
        return {receiver: await in_thread(written_of, host, name, form, owner)}

    return take_away


def written_of(host: Host, name: str, form: str, owner: str) -> dict[str, Any]:
    """Return a report as the page's script saves it. Computes: not for the loop.

    Raises:
        ConfigurationError: the suite is gone, or there is no such form.
    """
    endings = {ending.lstrip("."): ending for ending in FORMATS}
    if form not in endings:
        raise ConfigurationError(f"There are these reports: {', '.join(endings)}.")
    kept = host.evaluations.get(name, owner)
    if kept is None:
        raise ConfigurationError(GONE)
    if host.options.is_public:
        kept = as_seen(kept, host.options.models_dir)
    title = _NOT_IN_A_NAME.sub("-", kept.name).strip("-.")[:60] or "suite"
    return numbered(
        form=form,
        how="save",
        name=f"{title}-{kept.id[:6]}.{form}",
        media_type=mimetypes.guess_type(f"a.{form}")[0] or "text/plain",
        text=written(kept, endings[form]).decode("utf-8"),
        note="",
        trouble="",
    )
