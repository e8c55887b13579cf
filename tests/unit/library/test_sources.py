"""Where other programs keep models, true to their layouts, and what may be wrong there."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import lora_files
import model_files
import pytest
from bounds import Bounds
from source_trees import (
    COMMIT,
    KIND,
    OLDER,
    hub_file,
    link,
    ollama_layer,
    ollama_manifest,
    ollama_model,
    write,
)

from comparator.core.exceptions import ConfigurationError
from comparator.library import sources
from comparator.library.adapters import adapters_among, suits
from comparator.library.changes.removal import plan_removal
from comparator.library.discovery import Scan
from comparator.library.sources.base import Source
from comparator.library.sources.folders import Gpt4All, Jan, LlamaCpp, LmStudio, Textgen
from comparator.library.sources.huggingface import HuggingFace
from comparator.library.sources.modelscope import ModelScope
from comparator.library.sources.ollama import Ollama

VARIABLES = (
    "HF_HOME", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "XDG_CACHE_HOME", "XDG_DATA_HOME",
    "OLLAMA_MODELS", "LLAMA_CACHE", "MODELSCOPE_CACHE",
)  # fmt: skip


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def names(scan: Scan) -> list[str]:
    return [entry.model.name for entry in scan.found]


def reasons(scan: Scan) -> dict[str, str]:
    return {Path(entry.path).name: entry.reason for entry in scan.skipped}


@pytest.mark.skipif(os.name != "posix", reason="paths of Linux")
@pytest.mark.parametrize(
    ("source", "variables", "places"),
    [
        (HuggingFace, {}, [".cache/huggingface/hub"]),
        (HuggingFace, {"XDG_CACHE_HOME": "~/c"}, ["c/huggingface/hub"]),
        (HuggingFace, {"XDG_CACHE_HOME": "~/c", "HF_HOME": "~/h"}, ["h/hub"]),
        (HuggingFace, {"HF_HOME": "~/h", "HUGGINGFACE_HUB_CACHE": "~/old"}, ["old"]),
        (HuggingFace, {"HUGGINGFACE_HUB_CACHE": "~/old", "HF_HUB_CACHE": "~/new"}, ["new"]),
        (Ollama, {}, [".ollama/models", "/usr/share/ollama/.ollama/models"]),
        (Ollama, {"OLLAMA_MODELS": "~/o"}, ["o"]),
        (LmStudio, {}, [".lmstudio/models", ".cache/lm-studio/models"]),
        (Gpt4All, {}, [".local/share/nomic.ai/GPT4All"]),
        (Gpt4All, {"XDG_DATA_HOME": "~/d"}, ["d/nomic.ai/GPT4All"]),
        (ModelScope, {}, [".cache/modelscope"]),
        (ModelScope, {"MODELSCOPE_CACHE": "~/m"}, ["m"]),
        (LlamaCpp, {}, [".cache/llama.cpp"]),
        (LlamaCpp, {"XDG_CACHE_HOME": "~/c"}, ["c/llama.cpp"]),
        (LlamaCpp, {"LLAMA_CACHE": "~/l"}, ["l"]),
    ],
)
def test_places(
    home: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: type[Source],
    variables: dict[str, str],
    places: list[str],
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert source().places() == [home / place for place in places]


@pytest.mark.parametrize(
    ("source", "place"),
    [
        (LmStudio, ".lmstudio/models"),
        (Gpt4All, "Library/Application Support/nomic.ai/GPT4All"),
        (Jan, "Library/Application Support/Jan/data/models"),
        (LlamaCpp, "Library/Caches/llama.cpp"),
        (HuggingFace, ".cache/huggingface/hub"),
    ],
)
def test_places_on_macos(
    home: Path, monkeypatch: pytest.MonkeyPatch, source: type[Source], place: str
) -> None:
    monkeypatch.setattr("sys.platform", "darwin")
    assert home / place in source().places()


def test_lm_studio_may_live_elsewhere(home: Path, tmp_path: Path) -> None:
    write(home / ".lmstudio-home-pointer", str(tmp_path / "studio"))
    assert LmStudio().places()[0] == tmp_path / "studio" / "models"
    for nonsense in (b"\0", b"relative/place", b"\xff\xfe", b"x" * 10**6):
        write(home / ".lmstudio-home-pointer", nonsense)
        assert LmStudio().places()[0] == home / ".lmstudio" / "models"


@pytest.mark.parametrize("kind", sources.SOURCES.values(), ids=list(sources.SOURCES))
class TestEverySource:
    def test_nothing_installed(self, home: Path, kind: type[Source]) -> None:
        assert kind().find() == Scan()

    def test_a_file_in_the_place_of_its_folder(self, home: Path, kind: type[Source]) -> None:
        for place in kind().places():
            if place.is_relative_to(home):
                write(place)
        assert kind().find().found == []

    def test_a_loop_of_links(self, home: Path, kind: type[Source]) -> None:
        for place in kind().places():
            if place.is_relative_to(home):
                place.mkdir(parents=True)
                for name in ("manifests", "models--a--b", "loop"):
                    (place / name).symlink_to(place)
                    (place / f"{name}-self").symlink_to(f"{name}-self")
        assert kind().find().found == []


def test_jan_calls_a_model_as_its_folder(home: Path) -> None:
    place = home / ".local/share/Jan/data/llamacpp/models"
    write(place / "org" / "tiny" / "model.gguf")
    write(place / "model.gguf", b"GGUF alone")
    write(place / "named.gguf", b"GGUF named")
    assert sorted(names(Jan().find())) == ["model", "named", "org/tiny"]


@pytest.mark.parametrize(
    "folder",
    [
        "hub/models/Qwen/Qwen3-0___6B",
        "hub/Qwen/Qwen3-0___6B",
        "models/Qwen/Qwen3-0___6B",
        "models/Qwen--Qwen3-0.6B/snapshots/master",
    ],
)
def test_modelscope_names_are_read_as_people_write_them(home: Path, folder: str) -> None:
    place = home / ".cache/modelscope" / folder
    write(place / "config.json", "{}")
    write(place / "model.safetensors")
    write(place / "small.Q8_0.gguf", b"GGUF q8")
    write(home / ".cache/modelscope/hub/datasets/own/texts/model.gguf", b"GGUF no")
    scan = ModelScope().find()
    assert sorted(names(scan)) == ["Qwen/Qwen3-0.6B", "small.Q8_0"]
    assert {entry.model.source for entry in scan.found} == {"modelscope"}
    assert scan.skipped == []


def test_modelscope_tells_what_is_half_downloaded(home: Path) -> None:
    place = home / ".cache/modelscope/hub/models/org"
    write(place / "m" / "._____temp" / "model.safetensors")
    write(place / "._____temp" / "n" / "model.safetensors")
    (place / "whole" / "._____temp").mkdir(parents=True)
    write(place / "whole" / "a.gguf")
    scan = ModelScope().find()
    assert names(scan) == ["a"]
    assert [entry.reason[:15] for entry in scan.skipped] == ["Half downloaded"] * 2


def test_a_model_of_modelscope_is_left_alone(home: Path, tmp_path: Path) -> None:
    write(home / ".cache/modelscope/hub/models/org/m/a.gguf")
    (entry,) = ModelScope().find().found
    with pytest.raises(ConfigurationError, match="belongs to the ModelScope cache"):
        plan_removal(entry.model, tmp_path / "models")


def test_textgen_has_files_and_folders(home: Path) -> None:
    place = home / "text-generation-webui/user_data/models"
    write(place / "a.gguf")
    write(place / "folder" / "config.json", "{}")
    write(place / "folder" / "model.safetensors")
    assert sorted(names(Textgen().find())) == ["a", "folder"]


class TestHuggingFace:
    def test_it_sees_what_the_hubs_own_scan_sees(self, home: Path, tmp_path: Path) -> None:
        from huggingface_hub import scan_cache_dir

        (hub,) = HuggingFace().places()
        one, two = (write(tmp_path / n, f"GGUF {n}") for n in ("one", "two"))
        hub_file(hub, "org/a", "a.gguf", one)
        hub_file(hub, "org/a", "UD/b-00001-of-00001.gguf", two)
        hub_file(hub, "no-org", "c.gguf", two)
        write(hub / "datasets--org--d" / "snapshots" / COMMIT / "d.gguf")
        write(hub / ".locks" / "models--org--a" / "x.gguf")
        seen = {
            str(file.file_path)
            for repository in scan_cache_dir(hub).repos
            if repository.repo_type == "model"
            for revision in repository.revisions
            for file in revision.files
        }
        assert {entry.model.path for entry in HuggingFace().find().found} == seen

    def test_one_file_missing_hides_no_other(self, home: Path, tmp_path: Path) -> None:
        (hub,) = HuggingFace().places()
        hub_file(hub, "org/a", "good.gguf", write(tmp_path / "good"))
        hub_file(hub, "org/a", "gone.gguf", write(tmp_path / "gone", b"?")).resolve().unlink()
        found = HuggingFace().find()
        assert names(found) == ["good"]
        assert reasons(found) == {"gone.gguf": "Cannot be read: No such file or directory."}

    def test_the_same_weights_in_two_commits_are_one_model(
        self, home: Path, tmp_path: Path
    ) -> None:
        (hub,) = HuggingFace().places()
        config, weights = write(tmp_path / "c", "{}"), write(tmp_path / "w")
        for commit in (COMMIT, OLDER):
            hub_file(hub, "org/a", "config.json", config, commit)
            hub_file(hub, "org/a", "model.safetensors", weights, commit)
        hub_file(hub, "org/a", "tokenizer.json", write(tmp_path / "t1", "1"))
        old_tokenizer = hub_file(hub, "org/a", "tokenizer.json", write(tmp_path / "t2", "2"), OLDER)
        found = sources.find_all([], ["huggingface"]).models
        assert [model.name for model in found] == ["org/a", "org/a@bbbbbbbb"]
        old_tokenizer.unlink()
        old_tokenizer.symlink_to(hub / "models--org--a/snapshots" / COMMIT / "tokenizer.json")
        (model,) = sources.find_all([], ["huggingface"]).models
        assert [place.name for place in model.places] == ["org/a", "org/a@bbbbbbbb"]

    def test_pipelines_and_embedders_are_passed_over(self, home: Path, tmp_path: Path) -> None:
        (hub,) = HuggingFace().places()
        empty = write(tmp_path / "empty", "{}")
        for repository, mark in (("org/image", "model_index.json"), ("org/embed", "modules.json")):
            for name in (mark, "config.json", "model.safetensors", "unet/config.json",
                         "unet/diffusion.safetensors"):  # fmt: skip
                hub_file(hub, repository, name, empty)
        found = HuggingFace().find()
        assert found.found == []
        words = " ".join(entry.reason for entry in found.skipped)
        assert "makes images" in words
        assert "embedding model" in words

    def test_a_ref_that_leads_elsewhere(self, home: Path, tmp_path: Path) -> None:
        (hub,) = HuggingFace().places()
        hub_file(hub, "org/a", "a.gguf", write(tmp_path / "a"))
        for text in ("../../../etc", "", "\0", "é" * 5000):
            write(hub / "models--org--a" / "refs" / "main", text)
            assert names(HuggingFace().find()) == ["a"]


class TestOllama:
    @pytest.fixture
    def store(self, home: Path) -> Path:
        return home / ".ollama" / "models"

    def test_names_are_those_that_ollama_shows(self, store: Path, tmp_path: Path) -> None:
        for number, (place, _name) in enumerate(named := [
            ("registry.ollama.ai/library/llama3/8b", "llama3:8b"),
            ("registry.ollama.ai/me/mine/latest", "me/mine:latest"),
            ("hf.co/org/repo-GGUF/Q4_K_M", "hf.co/org/repo-GGUF:Q4_K_M"),
            ("localhost:5000/a/b/c", "localhost:5000/a/b:c"),
        ]):  # fmt: skip
            ollama_model(store, place, write(tmp_path / str(number), f"GGUF{number}"))
        found = Ollama().find()
        assert sorted(names(found)) == sorted(name for _place, name in named)
        assert all("/blobs/sha256-" in entry.model.path for entry in found.found)
        assert found.skipped == []

    def test_the_other_layers_are_read(self, store: Path, tmp_path: Path) -> None:
        weights = write(tmp_path / "w", b"GGUF 12345")
        ollama_model(
            store, "registry.ollama.ai/library/a/b", weights,
            template=b"{{ .Prompt }}", params=b'{"stop": ["x"]}', system=b"Be brief.",
            projector=b"GGUF", license=b"MIT",
        )  # fmt: skip
        (entry,) = Ollama().find().found
        assert entry.model.size == 10
        assert entry.model.config == {
            "template": "{{ .Prompt }}", "parameters": {"stop": ["x"]}, "system": "Be brief.",
        }  # fmt: skip
        assert entry.model.source == "ollama"

    @pytest.mark.parametrize("content", [b"{", b"[1]", b"\xff" * 9, b"[" * 10**5, b"x" * 300_000])
    def test_broken_layers_are_left_out(self, store: Path, tmp_path: Path, content: bytes) -> None:
        ollama_model(store, "r/n/m/t", write(tmp_path / "w"), params=content)
        (entry,) = Ollama().find().found
        assert "parameters" not in entry.model.config

    @pytest.mark.parametrize(
        ("content", "reason"),
        [
            (b"no JSON", "damaged"),
            (b"\xff\xfe\x00", "damaged"),
            (b"null", "damaged"),
            (b'{"layers": 5}', "damaged"),
            (b'{"layers": [1]}', "damaged"),
            (b'{"layers": [{"mediaType": "x"}]}', "damaged"),
            (b"[" * 100_000, "damaged"),
            (b" " * 2_000_000, "larger than any"),
            (b'{"layers": []}', "no GGUF layer"),
        ],
    )
    def test_broken_manifests(self, store: Path, content: bytes, reason: str) -> None:
        ollama_manifest(store, "r/n/m/t", content)
        found = Ollama().find()
        assert found.found == []
        assert reason in reasons(found)["t"]

    @pytest.mark.parametrize(
        "digest",
        ["sha256:../../../../secret", "sha256:" + "A" * 64, "../" * 20, "", "sha256:" + "a" * 65,
         "sha256:" + "a" * 64 + "\n", "sha512:" + "a" * 64],
    )  # fmt: skip
    def test_a_digest_cannot_lead_elsewhere(self, store: Path, home: Path, digest: str) -> None:
        write(home / "secret")
        layer = {"mediaType": KIND + "model", "digest": digest}
        ollama_manifest(store, "r/n/m/t", {"layers": [layer]})
        found = Ollama().find()
        assert found.found == []
        assert "cannot be one" in reasons(found)["t"]

    def test_what_lies_in_the_place_of_weights(self, store: Path, tmp_path: Path) -> None:
        missing = {"mediaType": KIND + "model", "digest": "sha256:" + "a" * 64}
        ollama_manifest(store, "r/n/m/missing", {"layers": [missing]})
        text = ollama_layer(store, "model", b"no weights")
        ollama_manifest(store, "r/n/m/text", {"layers": [text]})
        gguf = ollama_layer(store, "model", b"GGUF")
        ollama_manifest(store, "r/n/m/two", {"layers": [gguf, gguf]})
        pipe = {"mediaType": KIND + "model", "digest": "sha256:" + "b" * 64}
        os.mkfifo(store / "blobs" / ("sha256-" + "b" * 64))
        ollama_manifest(store, "r/n/m/pipe", {"layers": [pipe]})
        os.mkfifo(store / "manifests" / "r" / "n" / "m" / "fifo")
        write(store / "blobs" / ("sha256-" + "c" * 64 + "-partial"))
        write(store / "blobs" / ("sha256-" + "c" * 64 + "-partial-0"))
        found = Ollama().find()
        assert found.found == []
        told = reasons(found)
        assert "missing" in told["missing"]
        assert "no GGUF" in told["text"]
        assert "no GGUF" in told["pipe"]
        assert "several files" in told["two"]
        assert "regular" in told["fifo"]
        assert [n for n in told if n.startswith("sha256")] == ["sha256-" + "c" * 64]

    def test_adapters_are_found_by_the_name_of_their_model(
        self, store: Path, tmp_path: Path
    ) -> None:
        folder = model_files.write_directory(tmp_path / "base")
        base = model_files.write_gguf(tmp_path / "base.gguf", folder)
        peft = lora_files.write_peft(tmp_path / "polite", folder)
        adapter = lora_files.write_gguf(tmp_path / "polite.gguf", peft).read_bytes()
        ollama_model(store, "registry.ollama.ai/me/polite/latest", base, adapter=adapter)
        found = sources.find_all([], ["ollama"])
        (model,), (polite,) = found.models, adapters_among(found.models, found.skipped)
        assert model.name == "me/polite:latest (without its adapter)"
        assert polite.name == "me/polite:latest"
        assert suits(polite, model)
        ollama_model(store, "registry.ollama.ai/library/z/1b", base)
        assert [one.name for one in sources.find_all([], ["ollama"]).models] == ["z:1b"]

    def test_an_adapter_that_cannot_be_used_leaves_its_base(
        self, store: Path, tmp_path: Path
    ) -> None:
        ollama_model(store, "r/n/m/t", write(tmp_path / "w", b"GGUF 1"), adapter=b"ggla")
        missing = {"mediaType": KIND + "adapter", "digest": "sha256:" + "a" * 64}
        weights = ollama_layer(store, "model", b"GGUF 1")
        ollama_manifest(store, "r/n/m/gone", {"layers": [weights, missing]})
        found = Ollama().find()
        assert len(found.found) == 1
        assert [entry.name for entry in found.skipped] == ["r/n/m:gone", "r/n/m:t"]
        assert all("missing, or no GGUF" in entry.reason for entry in found.skipped)
        assert adapters_among([], found.skipped) == []

    def test_two_tags_of_the_same_weights_are_one_model(self, store: Path, tmp_path: Path) -> None:
        weights = write(tmp_path / "w")
        for tag in ("8b", "latest"):
            ollama_model(store, f"registry.ollama.ai/library/m/{tag}", weights)
        (model,) = sources.find_all([], ["ollama"]).models
        assert [place.name for place in model.places] == ["m:8b", "m:latest"]


class TestTogether:
    def test_folders_come_first_and_keep_their_ids(self, home: Path, tmp_path: Path) -> None:
        own, blob = tmp_path / "own", write(tmp_path / "blob", b"GGUF")
        alone = sources.find_all([own], []).models
        mine = link(blob, own / "mine.gguf")
        alone = sources.find_all([own], []).models
        ollama_model(home / ".ollama" / "models", "r/n/m/t", blob)
        link(blob, home / ".lmstudio" / "models" / "p" / "m" / "other.gguf")
        (model,) = sources.find_all([own], sources.SOURCES).models
        assert (model.id, model.path) == (alone[0].id, str(mine))
        assert [p.source for p in model.places] == ["folder", "ollama", "lmstudio"]

    def test_one_folder_in_two_sources(self, home: Path) -> None:
        place = home / ".lmstudio" / "models"
        write(place / "p" / "m" / "a.gguf")
        (model,) = sources.find_all([place], ["lmstudio"]).models
        assert [p.source for p in model.places] == ["folder", "lmstudio"]

    def test_a_thousand_files_of_all_sources(
        self, home: Path, tmp_path: Path, bounds: Bounds
    ) -> None:
        (hub,) = HuggingFace().places()
        for number in range(250):
            content = f"GGUF {number}"
            hub_file(hub, f"org/r{number}", "m.gguf", write(tmp_path / f"h{number}", content))
            ollama_model(
                home / ".ollama/models", f"r/n/m/{number}", write(tmp_path / f"o{number}", content)
            )
            write(home / ".lmstudio/models/p" / f"{number}.gguf", content)
            write(tmp_path / "own" / f"{number}.gguf", content)
        begun = time.process_time()  # not the wall clock: the machine is shared
        found = sources.find_all([tmp_path / "own"], sources.SOURCES)
        assert bounds.under(time.process_time() - begun, 2)
        assert len(found.models) == 1000


def test_the_table_has_every_program(home: Path) -> None:
    assert list(sources.SOURCES) == [
        "huggingface", "ollama", "modelscope", "lmstudio", "gpt4all", "jan", "textgen", "llamacpp",
    ]  # fmt: skip
    assert json.dumps([sources.title_of(key) for key in ("folder", *sources.SOURCES)])
