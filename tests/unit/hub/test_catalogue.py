"""Search and look, against the hub of this machine, and what is said when it refuses."""

from __future__ import annotations

import pytest
from fetching import noise
from huggingface_hub import constants
from local_hub import TOKEN, Fault

from comparator.core.exceptions import ConfigurationError, HubError
from comparator.core.models import ModelType
from comparator.hub import catalogue


@pytest.fixture
def filled(hub):
    for number in range(25):
        hub.add(
            f"many/model-{number:02d}-GGUF", {"m-Q4_0.gguf": noise(1000)}, tags=["gguf"],
            downloads=number,
        )  # fmt: skip
    hub.add(
        "one/Small-GGUF",
        {"s-Q8_0.gguf": noise(200_000), "s-Q2_K.gguf": noise(120_000, 1)},
        tags=["gguf", "license:mit"],
        downloads=500,
        parameters=135_000_000,
    )
    hub.add(
        "one/Small",
        {"config.json": b"{}", "model.safetensors": noise(300_000)},
        tags=["safetensors", "text-generation", "license:apache-2.0"],
        downloads=900,
    )
    return hub


def test_a_search_asks_for_as_many_pages_as_it_needs(filled):
    found = catalogue.search("many", limit=22)
    assert [one.id for one in found[:2]] == ["many/model-24-GGUF", "many/model-23-GGUF"]
    assert len(found) == 22
    assert len(filled.asked("GET", "/api/models?")) == 3


def test_a_search_by_engine_and_licence(filled):
    assert [one.id for one in catalogue.search("small")] == ["one/Small", "one/Small-GGUF"]
    (gguf,) = catalogue.search("small", ModelType.GGUF)
    assert gguf.engines == (ModelType.GGUF,)
    assert (gguf.licence, gguf.parameters, gguf.downloads) == ("mit", 135_000_000, 500)
    (whole,) = catalogue.search("small", ModelType.PYTORCH, "Apache-2.0")
    assert whole.id == "one/Small"
    assert catalogue.search("small", ModelType.PYTORCH, "mit") == []


def test_a_search_by_size_says_what_fits(filled):
    (found,) = catalogue.search("small", largest_bytes=150_000)
    assert [choice.name for choice in found.choices] == ["Q2_K"]
    assert len(catalogue.search("small", largest_bytes=250_000)[0].choices) == 2
    assert catalogue.search("small", ModelType.PYTORCH, largest_bytes=250_000) == []


def test_a_look_tells_the_commit_the_sizes_and_the_checksums(filled):
    repository = catalogue.look("https://huggingface.co/one/Small-GGUF")
    assert repository.commit == filled.repositories["one/Small-GGUF"].commit
    stored = filled.repositories["one/Small-GGUF"].files
    for choice in repository.choices:
        (file,) = choice.files
        assert (file.size, file.digest) == (stored[file.name].size, stored[file.name].sha256)


@pytest.mark.parametrize("name", ["", "a/b/c", "../x", "a b", "org/..", "-x/y", "org/na me", "é/x"])
def test_what_is_no_name_is_refused_without_asking(hub, name):
    with pytest.raises(ConfigurationError, match="no name of a repository"):
        catalogue.look(name)
    assert hub.requests == []


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        (Fault(403, "GatedRepo", "no"), "gated.*HF_TOKEN.*hf auth login"),
        (Fault(403, "", "no"), "error 403.*token may not read"),
        (Fault(404, "RepoNotFound", "no"), "no one/Small on 127.0.0.1.*private"),
        (Fault(429, retry_after=17), "429.*in 17 seconds"),
        (Fault(500), "error 500.*again in some minutes"),
        (Fault(401, "", "Invalid credentials in Authorization header"), "not accept your token"),
    ],
)
def test_a_refusal_is_a_sentence(filled, fault, words):
    filled.fail("info", fault)
    with pytest.raises(HubError, match=words):
        catalogue.look("one/Small")


def test_a_private_repository_opens_with_the_token(filled, monkeypatch):
    filled.repositories["one/Small"].private = True
    with pytest.raises(HubError, match="private"):
        catalogue.look("one/Small")
    monkeypatch.setenv("HF_TOKEN", "hf_wrong")
    with pytest.raises(HubError, match="not accept your token"):
        catalogue.look("one/Small")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert catalogue.look("one/Small").choices


def test_a_hub_that_cannot_be_reached(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(HubError, match=r"127\.0\.0\.1:9 cannot be reached"):
        catalogue.look("one/Small")


def test_an_address_of_no_hub(monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", "ftp://hub")
    with pytest.raises(HubError, match=r"HF_ENDPOINT is 'ftp://hub'"):
        catalogue.look("one/Small")


def test_a_hub_without_checksums_is_not_trusted(filled):
    filled.repositories["one/Small"].files["model.safetensors"].sha256 = "../../evil"
    with pytest.raises(HubError, match="does not say the size and the checksum"):
        catalogue.look("one/Small")


@pytest.mark.parametrize("answer", [[], "text", {"id": "one/Small"}, {"id": 7, "sha": "a" * 40}])
def test_an_answer_that_is_none_of_a_hub_is_a_sentence(filled, monkeypatch, answer):
    from local_hub import _Hub

    monkeypatch.setattr(_Hub, "_info", lambda self, match, query: self.send_json(answer))
    with pytest.raises(HubError, match=r"does not (answer as a hub does|say at which commit)"):
        catalogue.look("one/Small")
