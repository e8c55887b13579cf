"""``comparator serve --mcp``: a client of the Model Context Protocol does what the page does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from comparator.core.exceptions import ConfigurationError
from comparator.hosting.options import ServerOptions
from comparator.ui import server as page_server
from tests.ui.conftest import Server, start_server

SERVE = ("-m", "comparator", "serve", "--mcp")


@pytest.fixture(scope="module")
def mcp_server(echo_models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    pytest.importorskip("mcp.server.lowlevel.helper_types", exc_type=ImportError)
    folder = tmp_path_factory.mktemp("mcp")
    data = str(folder / "data")
    server = start_server(echo_models_dir, folder / "log.txt", SERVE, COMPARATOR_DATA_DIR=data)
    try:
        yield server
    finally:
        code = server.end()
    assert code == 143
    assert "Traceback" not in server.log.read_text()


async def _talk(url: str) -> dict[str, Any]:
    from mcp import ClientSession
    from mcp.client.streamable_http import streamable_http_client

    said: dict[str, Any] = {}
    async with (
        streamable_http_client(f"{url}gradio_api/mcp/") as (reading, writing, _),
        ClientSession(reading, writing) as session,
    ):
        await session.initialize()
        said["tools"] = {tool.name: tool for tool in (await session.list_tools()).tools}
        asked = {"prompt": "hello there", "models": ["Quick", "Crash"], "config": {"seed": 3}}
        said["compare"] = await session.call_tool("compare", asked)
        said["history"] = await session.call_tool("history", {"words": "hello"})
        said["show"] = await session.call_tool("show", {"id": "last"})
        said["suite"] = await session.call_tool("suite_run", {"suite": "a", "models": ["Quick"]})
        said["wrong"] = await session.call_tool("compare", {"prompt": "", "models": ["Quick"]})
    return said


def _value(answer: Any) -> Any:
    return json.loads(answer.content[0].text)


def test_an_mcp_client_asks_and_finds_it_in_the_history(mcp_server: Server) -> None:
    with ThreadPoolExecutor(1) as apart:  # the browser of other tests has the loop of this thread
        said = apart.submit(asyncio.run, _talk(mcp_server.url)).result()
    kept = {"history", "show", "suite_run", "suite_show", "vote", "ratings"}
    assert set(said["tools"]) == {"models", "compare", "stop", *kept}
    assert "models" in said["tools"]["compare"].inputSchema["properties"]
    quick, crash = _value(said["compare"])
    assert (quick["content"], quick["is_complete"]) == ("hello there", True)
    assert crash["error_kind"] == "crashed"
    (entry,) = _value(said["history"])
    assert (entry["id"], entry["question"]) == (quick["comparison"], "hello there")
    assert _value(said["show"])["records"][0]["content"] == "hello there"
    assert _value(said["suite"])["summary"][0]["answered"] == 1
    assert said["wrong"].isError
    assert "Type a prompt first" in said["wrong"].content[0].text


def test_without_the_flag_there_is_no_such_address(server: Server) -> None:
    assert httpx.post(f"{server.url}gradio_api/mcp/", json={}).status_code == 404


@pytest.mark.parametrize(
    "others",
    [{"public": True}, {"share": True}, {"server_name": "0.0.0.0"}, {"auth": (("anna", "word"),)}],
    ids=lambda others: next(iter(others)),
)
def test_a_page_for_others_offers_no_tools(
    echo_models_dir: Path, monkeypatch: pytest.MonkeyPatch, others: dict[str, Any]
) -> None:
    monkeypatch.setattr(page_server, "Host", lambda options: pytest.fail("a page was opened"))
    with pytest.raises(ConfigurationError, match="--mcp works on a page of this machine alone"):
        page_server.serve(ServerOptions(echo_models_dir, mcp=True, **others))
