"""What the form says of a prompt that does not fit."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from comparator.core.exceptions import ConfigurationError
from comparator.hosting.host import Host
from comparator.hosting.options import ServerOptions
from comparator.ui import adapter
from comparator.ui.compare import prompt_fit
from comparator.ui.page import build_page
from tests.unit.hosting.test_host import IdleEngine


def looked(host: Any, draft_of: Any) -> dict[str, Any]:
    look = prompt_fit.make_look(host, SimpleNamespace(fits="fits"), draft_of)  # type: ignore[arg-type]
    updates: dict[str, Any] = asyncio.run(look({}))["fits"]  # type: ignore[arg-type]
    return updates


def test_each_slot_is_named_and_what_others_wrote_is_text() -> None:
    host = SimpleNamespace(prompt_fit=lambda _draft: [(1, "<b>\x1b too long")])
    told = looked(host, lambda _values: "draft")
    assert told["visible"]
    assert '<b class="letter">B</b> <span data-sentence="&lt;b&gt;' in told["value"]
    assert ">&lt;b&gt;\\x1b too long</span>" in told["value"]


def test_nothing_is_said_where_all_fits_or_nothing_is_typed() -> None:
    fits = looked(SimpleNamespace(prompt_fit=lambda _draft: []), lambda _values: "draft")
    assert (fits["visible"], fits["value"]) == (False, "")

    def wrong(_values: Any) -> Any:
        raise ConfigurationError("Type a prompt first; it is empty.")

    assert not looked(SimpleNamespace(prompt_fit=None), wrong)["visible"]


def test_no_event_of_the_page_lets_gradio_tell_changes_for_ever(tmp_path: Path) -> None:
    host = Host(ServerOptions(models_dir=tmp_path), IdleEngine())
    try:
        page = adapter.in_a_loop(lambda: build_page(host))
    finally:
        host.close()
    modes = {one["api_name"]: one["trigger_mode"] for one in page.get_config_file()["dependencies"]}
    assert (modes["page_fits"], modes["page_fits_slot"]) == ("multiple", "multiple")
    assert modes["evaluate_read"] == "multiple"  # with "once" a choice made while it reads is lost
