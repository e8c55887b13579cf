"""``/suite_run`` and ``/suite_show`` through gradio_client, and who may see what."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from tests.ui.conftest import Server, public_server, start_server, until

ITEMS = [
    {"id": "apple", "prompt": "apple", "assert": [{"type": "contains", "value": "apple"}]},
    "pear",
]


@pytest.fixture(scope="module")
def own(echo_models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A page of its own: one suite at a time runs on a server."""
    folder = tmp_path_factory.mktemp("own")
    data = str(folder / "data")
    server = start_server(echo_models_dir, folder / "log.txt", COMPARATOR_DATA_DIR=data)
    try:
        yield server
    finally:
        code = server.end()
    assert code == 143
    assert "Traceback" not in server.log.read_text()


@pytest.fixture(scope="module")
def public(echo_models_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("public") / "log.txt"
    with public_server(echo_models_dir, log, ["suite_answers=6"]) as page:
        yield page


def _client(server: Server) -> Client:
    return Client(server.url, verbose=False)


def _run(client: Client, suite: Any, *models: str, **more: Any) -> Any:
    return client.submit(suite, list(models), api_name="/suite_run", **more)


def _progress(job: Any) -> dict[str, Any]:
    told = job.outputs()
    return dict(told[-1]["progress"]) if told else {}


def test_a_program_runs_a_suite_and_finds_it_again(own: Server, echo_models_dir: Path) -> None:
    client = _client(own)
    job = _run(client, ITEMS, "Quick", "Failing", config={"seed": 3}, repeat=2, name="Fruit")
    whole = job.result(timeout=120)
    first = job.outputs()[0]
    assert set(first) == {"id", "name", "state", "progress"}
    assert (first["progress"]["total"], first["name"]) == (8, "Fruit")
    assert (whole["state"], whole["prompts"], whole["repeats"]) == ("done", 2, 2)
    assert [line["answered"] for line in whole["summary"]] == [4, 0]
    assert whole["progress"]["done"] == whole["progress"]["failed"] == 4
    assert whole["slots"][0]["config"]["seed"] == 3
    shown = client.predict(whole["id"][:6], api_name="/suite_show")
    assert shown["cells"] == whole["cells"]
    assert "owner" not in shown
    assert str(echo_models_dir) not in str(shown)
    for wrong, sentence in (
        (7, "suite must be"),
        ([{"prompt": 3}], "prompt"),
        ("", "Type prompts"),
    ):
        with pytest.raises(AppError, match=sentence):
            _run(client, wrong, "Quick").result(timeout=60)
    with pytest.raises(AppError, match="No suite 'abcdabcd'"):
        client.predict("abcdabcd", api_name="/suite_show")
    client.close()


def test_a_suite_of_ones_own_goes_on_without_its_caller_until_it_is_stopped(own: Server) -> None:
    client, other = _client(own), _client(own)
    job = _run(client, "one", "Endless", config={"max_tokens": None})
    name = until(lambda: job.outputs() and job.outputs()[0]["id"])
    until(lambda: own.runs())
    with pytest.raises(AppError, match="A suite is running"):
        _run(other, "two", "Quick").result(timeout=60)
    assert other.predict(api_name="/stop") is False
    assert own.runs()
    assert client.predict(api_name="/stop") is True
    assert job.result(timeout=120)["state"] == "interrupted"
    until(lambda: not own.runs())
    assert other.predict(name, api_name="/suite_show")["state"] == "interrupted"
    client.close()
    other.close()


def test_on_a_public_page_a_suite_is_small_ones_own_and_ends_with_its_visitor(
    public: Server,
) -> None:
    anna, ben = _client(public), _client(public)
    with pytest.raises(AppError, match="8 answers; this public page takes 6"):
        _run(anna, "\n".join("abcd"), "Quick", "Thinker").result(timeout=60)
    asks_python = [{"prompt": "a", "assert": [{"type": "python", "value": "True"}]}]
    with pytest.raises(AppError, match="'python' assertions are not for a public page"):
        _run(anna, asks_python, "Quick").result(timeout=60)
    job = _run(anna, "one", "Loading")
    name = until(lambda: job.outputs() and job.outputs()[0]["id"])
    until(lambda: public.runs())
    for wanted in (name, "last"):
        with pytest.raises(AppError, match="No suite"):
            ben.predict(wanted, api_name="/suite_show")
    assert ben.predict(api_name="/stop") is False
    assert public.runs()
    anna.close()
    job.cancel()
    until(lambda: not public.runs())
    ben.close()
