"""The promises to programs: each endpoint through gradio_client."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from bounds import Bounds
from gradio_client import Client
from gradio_client.exceptions import AppError

from tests.ui.conftest import Server, until


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    client = Client(server.url, verbose=False)
    yield client
    client.close()


@pytest.fixture(scope="module")
def refused(server: Server) -> Iterator[Client]:
    """One that all refusals go to: they leave nothing of it behind."""
    client = Client(server.url, verbose=False)
    yield client
    client.close()


def _compare(client: Client, *models: str, prompt: Any = "hi there", **config: Any) -> Any:
    return client.submit(prompt, list(models), "", config, api_name="/compare")


def _state_of(job: Any) -> str | None:
    """Return the state that the first column has come to; None before the first record."""
    told = job.outputs()
    return told[-1][0]["state"] if told else None


def test_only_these_endpoints_are_public(client: Client) -> None:
    named = client.view_api(return_format="dict", print_info=False)["named_endpoints"]
    kept = {"/history", "/show", "/suite_run", "/suite_show", "/vote", "/ratings"}
    assert set(named) == {"/models", "/compare", "/stop", *kept}


def test_models(client: Client) -> None:
    models = {model["name"]: model for model in client.predict(api_name="/models")}
    keys = {"id", "name", "model_type", "path", "file", "size", "quantisation", "problem"}
    assert set(models["Quick"]) == keys
    assert models["Quick"]["problem"] is None
    assert models["Quick"]["path"] is None  # gradio_client would take it for a file to download
    assert models["Quick"]["file"] == "Quick.echo.json"
    assert "empty" in models["broken"]["problem"]


def test_compare_streams_records_and_ends_complete(client: Client) -> None:
    job = _compare(client, "Quick", "Crash", seed=3)
    last = job.result(timeout=60)
    assert [record["model"]["name"] for record in last] == ["Quick", "Crash"]
    quick, crash = last
    assert (quick["content"], quick["is_complete"], quick["error"]) == ("hi there", True, None)
    assert quick["config"]["seed"] == 3
    assert quick["stats"]["finish_reason"] == "stop"
    assert crash["error_kind"] == "crashed"
    assert crash["content"] == "some words "
    assert len(job.outputs()) >= 2


def test_what_was_asked_is_found_in_the_history_and_shown_whole(client: Client) -> None:
    word = secrets.token_hex(8)
    streamed = _compare(client, "Quick", "Failing", prompt=f"hello {word}").result(timeout=60)
    names = {record["comparison"] for record in streamed}
    (entry,) = until(lambda: client.predict(word, api_name="/history"))
    assert names == {entry["id"]}
    assert (entry["question"], entry["states"]) == (f"hello {word}", ["done", "failed"])
    assert client.predict("nobody has asked this", 5, api_name="/history") == []
    whole = client.predict(entry["id"], api_name="/show")
    assert [record["content"] for record in whole["records"]] == [
        record["content"] for record in streamed
    ]
    assert {record["model"]["path"] for record in whole["records"]} == {None}
    assert "owner" not in whole
    with pytest.raises(AppError, match="no comparison 'abcd"):
        client.predict("abcdabcdabcd", api_name="/show")


def test_a_vote_is_cast_changed_and_rated(client: Client) -> None:
    word = secrets.token_hex(8)
    streamed = _compare(client, "Quick", "Rich", prompt=f"hello {word}", top_k=33)
    name = streamed.result(timeout=60)[0]["comparison"]
    until(lambda: client.predict(word, api_name="/history"))
    vote = client.predict(name, "A", api_name="/vote")
    assert (vote["answer"], vote["names"], vote["is_blind"]) == ("A", ["Quick", "Rich"], False)
    assert vote["comparison"] == name
    changed = client.predict(name, "B", api_name="/vote")
    rated = client.predict(api_name="/ratings")
    ours = {row["configuration"]: row for row in rated["ratings"]}
    quick, rich = (ours[key] for key in changed["configurations"])
    assert rich["rating"] > quick["rating"], "the later vote holds"
    low, high = rich["interval"]
    assert low < rich["rating"] < high
    assert {"a", "b", "probability_a_better", "votes", "votes_needed"} <= set(rated["pairs"][0])
    blind = client.predict("configuration", "blind", api_name="/ratings")
    assert not set(changed["configurations"]) & {row["configuration"] for row in blind["ratings"]}
    assert "model" in client.predict("model", api_name="/ratings")["by"]


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("/vote", ("abcdabcdabcd", "A"), "no comparison 'abcd"),
        ("/ratings", ("taste",), "by is one of configuration, model"),
        ("/ratings", ("model", "some"), "of one of all, blind"),
    ],
)
def test_a_vote_that_cannot_be_is_refused_in_a_sentence(
    refused: Client, name: str, arguments: tuple[str, ...], words: str
) -> None:
    with pytest.raises(AppError, match=words):
        refused.predict(*arguments, api_name=name)


def test_a_vote_takes_two_whole_answers(client: Client) -> None:
    failed = _compare(client, "Quick", "Failing", prompt=secrets.token_hex(8)).result(timeout=60)
    until(
        lambda: client.predict(failed[0]["prompt"]["messages"][0]["content"], api_name="/history")
    )
    with pytest.raises(AppError, match="only column A has a whole answer"):
        client.predict(failed[0]["comparison"], "A", api_name="/vote")


def test_a_prompt_may_be_the_messages_of_a_conversation(client: Client) -> None:
    messages = [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "two"},
        {"role": "user", "content": "three four"},
    ]
    (record,) = _compare(client, "Quick", prompt=messages).result(timeout=20)
    assert (record["error"], record["is_complete"]) == (None, True)
    assert "three four" in record["content"]


def test_per_model_settings(client: Client) -> None:
    job = _compare(client, "Quick", "Quick", per_model={"Quick#2": {"max_tokens": 1}})
    assert [record["content"] for record in job.result(timeout=60)] == ["hi there", "hi "]


def test_stop_ends_this_session_only(client: Client, server: Server) -> None:
    other = Client(server.url, verbose=False)
    job = _compare(client, "Endless")
    until(lambda: _state_of(job) == "writing")
    assert other.predict(api_name="/stop") is False
    assert server.runs()
    assert client.predict(api_name="/stop") is True
    assert job.result(timeout=60)[0]["state"] == "stopped"
    until(lambda: not server.runs())
    other.close()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("", ["Quick"], "", {}), "Type a prompt first"),
        ((None, ["Quick"], "", {}), "prompt must be text or a list of messages"),
        (({"a": 1}, ["Quick"], "", {}), "prompt must be text or a list of messages"),
        (("x" * 2_000_000, ["Quick"], "", {}), "the limit is"),
        (("hi", [], "", {}), "Choose at least one model"),
        (("hi", ["Quick"] * 5, "", {}), "Choose up to 4 models"),
        (("hi", ["/etc/passwd"], "", {}), "No model '/etc/passwd'"),
        (("hi", ["broken"], "", {}), "cannot be loaded"),
        (("hi", ["Quick"], 7, {}), "system_prompt must be text"),
        (("hi", ["Quick"], "", "seed=1"), "config must be an object"),
        (("hi", ["Quick"], "", {"max_tokens": 10**9}), "max_tokens must be"),
        (("hi", ["Quick"], "", {"temperature": "hot"}), "temperature must be"),
        (("hi", ["Quick"], "", {"nonsense": 1}), "Unknown setting"),
    ],
)
def test_bad_input_is_a_sentence(
    refused: Client, server: Server, arguments: tuple[Any, ...], words: str
) -> None:
    with pytest.raises(AppError, match=words):
        refused.predict(*arguments, api_name="/compare")
    assert server.runs() == []


def test_a_client_that_goes_away_costs_nothing_more(server: Server, bounds: Bounds) -> None:
    api = f"{server.url}gradio_api/"
    data = {"data": ["go", ["Endless"], "", {}], "session_hash": "somebody"}
    with httpx.Client() as http:
        event = http.post(f"{api}call/compare", json=data).json()["event_id"]
        with http.stream("GET", f"{api}call/compare/{event}") as stream:
            next(stream.iter_lines())
            until(server.runs)
        gone = time.monotonic()
        until(lambda: not server.runs())
        assert bounds.under(time.monotonic() - gone, 1.5)


def test_headers_bind_the_browser_and_foreign_hosts_are_refused(server: Server) -> None:
    answer = httpx.get(server.url)
    policy = answer.headers["content-security-policy"]
    assert "img-src 'self' data: blob:" in policy
    assert "default-src 'self'" in policy
    assert httpx.get(server.url, headers={"Host": "attacker.example"}).status_code == 400
    assert httpx.get(f"{server.url}gradio_api/monitoring/summary").status_code in (403, 404)
    assert httpx.get(f"{server.url}monitoring/summary").status_code in (403, 404)
