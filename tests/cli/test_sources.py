"""Models of other programs, listed and run through the command line."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from cases import slow
from model_files import write_gguf
from source_trees import hub_file, whole_home, write

LIMIT_SECONDS = 120


class Home:
    """A home folder with every program's models, and a way to run commands in it."""

    def __init__(self, folder: Path, gguf: Path, transformers: Path) -> None:
        self.folder = folder
        self.own = folder / "own"
        self.own.mkdir()
        self.environment = whole_home(folder, gguf, transformers)

    def comparator(self, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "comparator", *words],
            capture_output=True,
            text=True,
            timeout=LIMIT_SECONDS,
            env={**self.environment, **variables},
            cwd=self.folder,
        )

    def records(self, *words: str, **variables: str) -> dict[str, dict[str, Any]]:
        done = self.comparator(
            "models", "--json", "--models-dir", str(self.own), *words, **variables
        )
        assert done.returncode == 0, done.stderr
        return {record["name"]: record for record in json.loads(done.stdout)}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory, starter_models: dict[str, str]) -> Home:
    # beside the starter models: hard links do not cross file systems
    folder = tmp_path_factory.mktemp("home")
    gguf = write(folder / "one", Path(starter_models["gguf_q4_1"]).read_bytes())
    return Home(folder, gguf, Path(starter_models["pytorch"]))


def test_everyone_is_listed_in_one_table(home: Home) -> None:
    done = home.comparator("models", "--models-dir", str(home.own))
    assert done.returncode == 0, done.stderr
    for title in (
        "Hugging Face cache, Ollama, llama.cpp",
        "LM Studio",
        "GPT4All",
        "Jan",
        "text-generation-webui",
    ):
        assert title in done.stdout, done.stdout
    assert "SmolLM" not in done.stdout
    assert "not offered" in done.stderr


def test_json_has_places_sources_and_facts(home: Home) -> None:
    records = home.records()
    assert set(records) == {
        "one", "org/whole", "hf.co/org/other:Q8_0", "studio", "all", "tiny", "web",
    }  # fmt: skip
    one = records["one"]
    assert [place["source"] for place in one["places"]] == ["huggingface", "ollama", "llamacpp"]
    assert [place["name"] for place in one["places"]] == ["one", "small:135m", "org_quants_one"]
    assert one["path"] == one["places"][0]["path"]
    assert (one["quantisation"], one["context_length"]) == ("UD-Q4_1", 8192)
    assert records["org/whole"]["architecture"] == "llama"
    assert records["org/whole"]["problem"] is None
    assert records["studio"]["problem"], "a file of eleven bytes cannot be loaded, and says so"


def test_what_is_not_offered_has_a_reason(home: Home) -> None:
    done = home.comparator("models", "--skipped", "--models-dir", str(home.own))
    lines = done.stdout.splitlines()
    for name, reason in {
        "models--org--half": "half downloaded",
        "mmproj-studio.gguf": "A projector",
        "incomplete-more.gguf": "Half downloaded",
    }.items():
        assert any(name in line and reason in line for line in lines), (name, lines)


def test_an_embedding_model_is_known_by_its_header(home: Home, tmp_path: Path) -> None:
    write_gguf(tmp_path / "looks-like-any.gguf", architecture="bert")
    words = ("models", "--models-dir", str(tmp_path))
    done = home.comparator(*words, "--skipped", COMPARATOR_SOURCES="none")
    assert "looks-like-any.gguf: An embedding model" in done.stdout
    assert "looks-like-any" not in home.comparator(*words, COMPARATOR_SOURCES="none").stdout


def test_sources_can_be_switched_off(home: Home) -> None:
    names = home.records("--no-source", "jan", "--no-source", "huggingface")
    assert "tiny" not in names
    assert "org/whole" not in names
    assert names["small:135m"]["source"] == "ollama"
    assert set(home.records(COMPARATOR_SOURCES="jan, gpt4all")) == {"tiny", "all"}
    assert home.records(COMPARATOR_SOURCES="none") == {}
    done = home.comparator("models", "--no-source", "olama", "--models-dir", str(home.own))
    assert done.returncode == 2
    assert "No source is called 'olama'. There are: huggingface, ollama" in done.stderr


def test_folders_are_repeatable(home: Home, tmp_path: Path) -> None:
    write(tmp_path / "a" / "extra.gguf", b"GGUF extra")
    names = home.records("--models-dir", str(tmp_path / "a"), COMPARATOR_SOURCES="none")
    assert list(names) == ["extra"]
    done = home.comparator("models", "--models-dir", str(home.own), "--models-dir", "nowhere")
    assert done.returncode == 1
    assert "no models folder at nowhere" in done.stderr


@pytest.mark.parametrize(
    ("name", "off"),
    [
        slow("one", []),
        ("small:135m", ["huggingface"]),
        ("org/whole", []),
        slow("org_quants_one", []),
    ],
)
def test_models_of_others_answer(home: Home, name: str, off: list[str]) -> None:
    done = home.comparator(
        *("run", "-m", name, "-p", "Say hello.", "--max-tokens", "8", "-o", "jsonl"),
        *("--models-dir", str(home.own), "--greedy"),
        *(word for source in off for word in ("--no-source", source)),
    )
    assert done.returncode == 0, done.stderr
    record = json.loads(done.stdout)
    assert record["content"].strip()
    assert record["stats"]["token_count"] > 1
    if off:
        assert Path(record["model"]["path"]).name.startswith("sha256-")


def test_a_model_that_went_away_after_the_listing(home: Home, tmp_path: Path) -> None:
    hub = tmp_path / "hub"
    file = hub_file(hub, "org/gone", "gone.gguf", write(tmp_path / "gone", b"GGUF gone"))
    assert "gone" in home.records(HF_HUB_CACHE=str(hub))
    file.resolve().unlink()
    done = home.comparator(
        *("run", "-m", "gone", "-p", "x", "--models-dir", str(home.own)), HF_HUB_CACHE=str(hub)
    )
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "No model 'gone'" in done.stderr
