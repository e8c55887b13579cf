"""Where ``--mcp`` is refused, and what is said where Gradio has no tools after all."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from comparator.core.exceptions import ConfigurationError
from comparator.hosting.options import ServerOptions
from comparator.ui import adapter
from comparator.ui.server import refuse_mcp_where_it_cannot_be

HERE = Path("models")
REPOSITORY = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def met(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr(adapter, "_met", found)
    return found


def _bound() -> str:
    """Return what the project's own extra asks for."""
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    (bound,) = project["project"]["optional-dependencies"]["mcp"]
    return str(bound)


def test_without_its_package_the_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(adapter, "has_mcp", lambda: False)
    with pytest.raises(ConfigurationError, match=re.escape(f"pip install '{_bound()}'")):
        refuse_mcp_where_it_cannot_be(ServerOptions(HERE, mcp=True))
    refuse_mcp_where_it_cannot_be(ServerOptions(HERE, mcp=False))


@pytest.mark.parametrize("values", [{"public": True}, {"auth": (("anna", "secret"),)}])
def test_a_page_for_others_is_refused(
    values: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapter, "has_mcp", lambda: True)
    with pytest.raises(ConfigurationError, match="this machine alone"):
        refuse_mcp_where_it_cannot_be(ServerOptions(HERE, mcp=True, **values))
    refuse_mcp_where_it_cannot_be(ServerOptions(HERE, mcp=True))


def test_tools_answer_in_json(met: list[str]) -> None:
    tools = SimpleNamespace(postprocess_output_data=lambda data, url: [url, *data])
    adapter.tools_in_json(SimpleNamespace(mcp_server_obj=tools))
    url, answer, text = tools.postprocess_output_data([{"a": [None, "苹果"]}, "plain"], "root")
    assert (url, json.loads(answer), text) == ("root", {"a": [None, "苹果"]}, "plain")
    assert met == []


@pytest.mark.parametrize(
    ("page", "said"),
    [
        (SimpleNamespace(mcp_server_obj=None, mcp_error="it broke"), "no tools.*it broke"),
        (SimpleNamespace(mcp_server_obj=SimpleNamespace()), "not as JSON"),
    ],
)
def test_what_gradio_does_otherwise_is_found(page: Any, said: str, met: list[str]) -> None:
    adapter.tools_in_json(page)
    (finding,) = met
    assert re.search(said, finding)
