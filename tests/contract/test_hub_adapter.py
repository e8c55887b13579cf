"""What the project needs of ``huggingface_hub`` beyond its documents, by what it does.

Runs at the lowest, the pinned and the newest version that is allowed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
from fetching import fetch, noise, sha256
from huggingface_hub import HfApi, SpaceRuntime, constants, errors, file_download, utils
from local_hub import TOKEN, Fault, LocalHub

from comparator.core.exceptions import HubError
from comparator.hub import adapter, catalogue, space_deploy
from comparator.hub.selection import pick
from comparator.hub.transfer import FetchPlan, Transfer

SIZE = 3_000_000
NAME = "org/m-GGUF"


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    """A hub of this machine whose storage, at another address, refuses whoever sends a token."""
    with LocalHub() as hub:
        for name, value in hub.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
        template = hub.endpoint + "/{repo_id}/resolve/{revision}/{filename}"
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", os.devnull)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
        hub.add(NAME, {"m-Q4_0.gguf": noise(SIZE), "config.json": b"{}"}, gated=True)
        yield hub


def fetched_here(folder: Path) -> Path:
    """Fetch the model in this process, so that a test can change the library."""
    repository = catalogue.look(NAME)
    choice = pick(repository.choices, None, NAME)
    return Transfer(FetchPlan(NAME, repository.commit, str(folder), NAME, choice.files)).run()


def asked_of_storage(hub: LocalHub) -> list[dict[str, str]]:
    """Return the headers of the requests for the file's bytes."""
    return [
        {name.lower(): value for name, value in request.headers.items()}
        for request in hub.asked("GET", "m-Q4_0.gguf")
    ]


def test_nothing_has_to_be_told_of_the_installed_version() -> None:
    assert adapter.findings() == []


def test_the_token_reaches_the_hub_and_never_its_storage(hub: LocalHub, tmp_path: Path) -> None:
    path = fetched_here(tmp_path)
    assert sha256(path) == hub.repositories[NAME].files["m-Q4_0.gguf"].sha256
    assert any(TOKEN in str(request.headers) for request in hub.asked("HEAD", "resolve"))
    assert asked_of_storage(hub)
    assert not any("authorization" in headers for headers in asked_of_storage(hub))


def test_a_library_that_sends_it_everywhere_is_not_believed(
    hub: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    careless = {"Authorization": f"Bearer {TOKEN}", "user-agent": "x"}
    monkeypatch.setattr(utils, "build_hf_headers", lambda **_how: dict(careless))
    fetched_here(tmp_path)
    assert asked_of_storage(hub)
    assert not any("authorization" in headers for headers in asked_of_storage(hub))


def test_an_interrupted_file_goes_on_where_it_was(hub: LocalHub, tmp_path: Path) -> None:
    """The pieces are small ones: with the library's own nothing would have been written yet."""
    hub.fail("storage", Fault(cut_after=1_500_000), times=1)
    status = fetch(NAME, tmp_path)
    assert status.state == "done", status.message
    first, second = asked_of_storage(hub)
    assert "range" not in first
    begin = int(second["range"].removeprefix("bytes=").rstrip("-"))
    assert 1_500_000 - 512 * 1024 <= begin <= 1_500_000


@pytest.mark.parametrize("change", ["gone", "other arguments"])
def test_without_the_librarys_own_way_files_come_all_the_same(
    hub: LocalHub, tmp_path: Path, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if change == "gone":
        monkeypatch.delattr(file_download, "http_get")
    else:
        monkeypatch.setattr(file_download, "http_get", lambda url, file, *, offset: None)
    assert "received by plain requests" in " ".join(adapter.findings())
    hub.fail("storage", Fault(cut_after=1_500_000), times=1)
    path = fetched_here(tmp_path)
    assert sha256(path) == hub.repositories[NAME].files["m-Q4_0.gguf"].sha256
    assert "range" in asked_of_storage(hub)[-1]
    assert not any("authorization" in headers for headers in asked_of_storage(hub))


def test_a_dead_network_is_told_from_other_errors() -> None:
    assert issubclass(errors.HfHubHTTPError, adapter.HTTPError)
    with pytest.raises(adapter.HTTPError):
        HfApi(endpoint="http://127.0.0.1:9").model_info("org/name", timeout=5)


# ---- Spaces ----

NEW, OLD = "b" * 40, "a" * 40


def runtime(stage: str, commit: str | None, **more: Any) -> SpaceRuntime:
    said = {"stage": stage, "hardware": None, "storage": None, "gcTimeout": None, **more}
    return SpaceRuntime({**said, "sha": commit} if commit else said)


def waited(*looks: SpaceRuntime, longest_seconds: float = 0.3) -> str:
    """Wait for a Space that stands so at one look after another, and so it stays."""
    left = list(looks)
    api = SimpleNamespace(
        get_space_runtime=lambda _name: left.pop(0) if len(left) > 1 else left[0],
        endpoint="http://hub",
    )
    waiting = space_deploy._Waiting(api, "anna/x", NEW, lambda _line: None)
    return waiting.until_it_runs(0.01, longest_seconds)


def test_an_old_build_never_counts() -> None:
    assert waited(runtime("RUNNING", OLD), runtime("RUNNING", NEW)) == "RUNNING"
    assert waited(runtime("RUNTIME_ERROR", OLD), runtime("RUNNING", NEW)) == "RUNNING"
    with pytest.raises(HubError, match="not known that this is of the new files"):
        waited(runtime("RUNNING", OLD))


def test_where_the_hub_names_no_commit_a_build_must_have_been_seen() -> None:
    with pytest.raises(HubError, match="not known that this is of the new files"):
        waited(runtime("RUNNING", None))
    looks = ("RUNNING", "BUILDING", "APP_STARTING", "RUNNING")
    assert waited(*(runtime(stage, None) for stage in looks)) == "RUNNING"
    with pytest.raises(HubError, match=r"does not run \(BUILD_ERROR\): no space"):
        waited(runtime("BUILDING", None), runtime("BUILD_ERROR", None, errorMessage="no space"))


def test_a_failure_of_no_commit_must_last() -> None:
    assert waited(runtime("RUNTIME_ERROR", None), runtime("RUNNING", NEW)) == "RUNNING"
    with pytest.raises(HubError, match="does not run"):
        waited(runtime("CONFIG_ERROR", None), longest_seconds=30)


def test_a_stage_of_tomorrow_is_no_success() -> None:
    with pytest.raises(HubError, match="in the stage LIVE"):
        waited(runtime("LIVE", NEW))


def test_a_library_that_keeps_no_raw_answer_is_no_success() -> None:
    bare = SimpleNamespace(stage="RUNNING")
    assert adapter.commit_of(bare) is None
    assert adapter.error_of(bare) == ""
    assert huggingface_hub.__version__ in adapter.version("huggingface_hub")
