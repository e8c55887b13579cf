"""``comparator search`` and ``comparator pull`` as a person types them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from fetching import noise, sha256, until
from local_hub import Fault, LocalHub

NAME = "org/SmolLM2-GGUF"


@pytest.fixture
def hub():
    with LocalHub() as hub:
        yield hub


def command(hub, *words):
    return [sys.executable, "-m", "comparator", *words], {
        **{name: value for name, value in os.environ.items() if name != "HF_TOKEN"},
        **hub.environment(),
        "COLUMNS": "120",
    }


def comparator(hub, *words, **environment):
    line, variables = command(hub, *map(str, words))
    done = subprocess.run(
        line, env={**variables, **environment}, capture_output=True, text=True, timeout=120
    )
    assert "Traceback" not in done.stderr
    return done


def bytes_kept(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*.part"))


def test_search_and_list_for_people_and_programs(hub):
    hub.add(
        NAME,
        {"m-Q8_0.gguf": noise(300_000), "m-Q4_K_M.gguf": noise(200_000)},
        tags=["gguf", "license:apache-2.0"],
        parameters=134_515_008,
    )
    shown = comparator(hub, "search", "smollm2")
    assert shown.returncode == 0
    assert NAME in shown.stdout
    assert "135 M" in shown.stdout
    (record,) = json.loads(comparator(hub, "search", "smollm2", "--json").stdout)
    assert (record["id"], record["licence"], record["engines"]) == (NAME, "apache-2.0", ["gguf"])
    small = comparator(
        hub, "search", "smol", "--max-size", "0.001", "--engine", "gguf", "--licence", "apache-2.0"
    )
    assert "200 kB to 300 kB" in small.stdout
    nothing = comparator(hub, "search", "smol", "--licence", "mit")
    assert (nothing.returncode, nothing.stdout) == (0, "")
    assert "Nothing on the hub fits" in nothing.stderr
    (listed,) = json.loads(comparator(hub, "pull", "--list", "--json", NAME).stdout)
    assert [(c["name"], c["size"]) for c in listed["choices"]] == [
        ("Q4_K_M", 200_000),
        ("Q8_0", 300_000),
    ]
    table = comparator(hub, "pull", "--list", NAME).stdout
    assert "Q4_K_M" in table
    assert "300 kB" in table
    assert not hub.asked("GET", ".gguf")


def test_without_a_quantisation_a_usual_one_is_taken_and_said(hub, tmp_path):
    hub.add(NAME, {"m-Q8_0.gguf": noise(300_000), "m-Q4_K_M.gguf": noise(200_000)})
    done = comparator(hub, "pull", NAME, "--models-dir", tmp_path)
    assert done.returncode == 0
    assert done.stdout.strip() == str(tmp_path / "gguf" / NAME / "m-Q4_K_M.gguf")
    assert "Q4_K_M is taken (200 kB), one of 2" in done.stderr


def test_several_at_once_by_file_by_quantisation_and_by_address(hub, tmp_path):
    hub.add("a/a-GGUF", {"m-Q8_0.gguf": noise(300_000), "m-Q4_0.gguf": noise(200_000)})
    hub.add("b/b", {"config.json": b"{}", "model.safetensors": noise(200_000)})
    done = comparator(
        hub, "pull", "a/a-GGUF:m-Q8_0.gguf", "a/a-GGUF:q4_0", "https://huggingface.co/b/b",
        "--models-dir", tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        str(tmp_path / "gguf" / "a" / "a-GGUF" / "m-Q8_0.gguf"),
        str(tmp_path / "gguf" / "a" / "a-GGUF" / "m-Q4_0.gguf"),
        str(tmp_path / "pytorch" / "b" / "b"),
    ]


@pytest.mark.parametrize(
    ("name", "fault", "code", "words"),
    [
        ("no name at all", None, 2, "no name of a repository"),
        ("org/none", None, 1, "There is no org/none"),
        (f"{NAME}:Q5_K_M", None, 2, "There are: Q4_0"),
        (NAME, Fault(403, "GatedRepo"), 1, "hf auth login"),
        (NAME, Fault(429, retry_after=5), 1, "in 5 seconds"),
        (NAME, Fault(500), 1, "error 500"),
    ],
)
def test_what_goes_wrong_is_a_sentence_and_a_code(hub, tmp_path, name, fault, code, words):
    hub.add(NAME, {"m-Q4_0.gguf": noise(200_000)})
    if fault:
        hub.fail("info", fault)
    done = comparator(hub, "pull", name, "--models-dir", tmp_path)
    assert (done.returncode, done.stdout) == (code, "")
    assert words in done.stderr


def test_offline_the_hub_is_not_asked(hub, tmp_path):
    hub.add(NAME, {"m-Q4_0.gguf": noise(200_000)})
    for words in (("pull", NAME, "--models-dir", tmp_path), ("search", "smol")):
        done = comparator(hub, *words, HF_HUB_OFFLINE="1")
        assert done.returncode == 1
        assert "HF_HUB_OFFLINE is set" in done.stderr
    assert hub.requests == []


@pytest.mark.slow
def test_a_pull_that_is_killed_twice_goes_on_and_the_model_answers(hub, tmp_path, starter_models):
    source = Path(starter_models["gguf_q4_1"])
    hub.add(NAME, {"SmolLM2-Q4_1.gguf": source, "SmolLM2-Q8_0.gguf": noise(200_000)})
    wanted = ("pull", f"{NAME}:Q4_1", "--models-dir", str(tmp_path))
    hub.bytes_per_second = 20e6
    for share in (0.25, 0.5):
        line, variables = command(hub, *wanted)
        with subprocess.Popen(
            line, env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            until(lambda share=share: bytes_kept(tmp_path) > share * source.stat().st_size)
            workers = psutil.Process(process.pid).children(recursive=True)
            assert workers
            process.kill()
        until(lambda workers=workers: not any(_lives(worker) for worker in workers))
        assert not list(tmp_path.rglob("*.gguf"))
    hub.bytes_per_second = None
    done = comparator(hub, *wanted)
    assert done.returncode == 0, done.stderr
    path = done.stdout.strip()
    assert sha256(path) == sha256(source)
    starts = [_start(request.headers.get("range")) for request in hub.asked("GET", "Q4_1.gguf")]
    assert starts[0] == 0
    assert starts[1] > 0.25 * source.stat().st_size
    assert starts[2] > 0.5 * source.stat().st_size
    answer = comparator(
        hub, "run", "-m", path, "-p", "Say hello.", "--max-tokens", "5", "-o", "jsonl",
        "--models-dir", tmp_path,
    )  # fmt: skip
    assert answer.returncode == 0, answer.stderr
    assert json.loads(answer.stdout)["stats"]["token_count"] > 0


def _lives(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _start(said: str | None) -> int:
    return int(said.removeprefix("bytes=").rstrip("-")) if said else 0
