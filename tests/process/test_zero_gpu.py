"""Runs on a ZeroGPU Space: the real package ``spaces``, a scheduler of our own, and no GPU."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from comparator.core.config import ModelConfig
from comparator.core.conversation import Conversation
from comparator.core.models import ModelInfo, ModelType
from runners import process, protocol
from runners.supervision import zero_gpu
from runners.supervision.fork_server import fork_is_safe

pytest.importorskip("spaces")
pytestmark = pytest.mark.slow
SUPPORT = Path(__file__).resolve().parents[1] / "support"
PROGRAM, PAGE = SUPPORT / "zero_gpu_space.py", SUPPORT / "zero_gpu_page.py"


def told_by(program: Path, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, str(program), *arguments], capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stderr
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("SEEN "))
    told: dict[str, Any] = json.loads(line.removeprefix("SEEN "))
    return told


def seen(model: str, how: str = "") -> dict[str, Any]:
    told = told_by(PROGRAM, model, *([how] if how else []))
    assert told["left"] == []
    assert not any(psutil.pid_exists(pid) for pid in told["pids"])
    return told


def test_gpu_time_counts_against_the_visitor_who_asked(starter_models: dict[str, str]) -> None:
    """Anna asks two models, Berta waits in line meanwhile; Anna retries, Berta uses the API.

    Each asks for so many tokens that the seconds say whose run a call was for.
    """
    told = told_by(PAGE, starter_models["pytorch"])
    assert told["told"] == [[True]] * 3
    assert told["errors"] == [None, None]
    anna, berta = told["tokens"]["anna"], told["tokens"]["berta"]
    assert [(one["durationSeconds"], one.get("token")) for one in told["asked"]] == [
        ("20", anna),
        ("20", anna),  # begun by the thread that saw the first model end
        ("25", berta),  # begun when Anna's comparison had left the line
        ("20", anna),
        ("30", berta),
        ("35", None),  # a program outside Hugging Face, which gives it no token
    ]


def test_each_run_takes_place_in_one_lent_process(starter_models: dict[str, str]) -> None:
    told = seen(starter_models["pytorch"])
    first, second = told["results"]
    assert first["error"] is None
    assert first["content"] == second["content"] != ""
    for result in (first, second):
        assert result["stats"]["token_count"] == 6
        assert result["stats"]["finish_reason"] == "length"
        assert result["engine"]["sandbox"] == "off (the process is lent)"
        assert result["receipt"]["peak_bytes"] > 0
    calls = [asked["to"] for asked in told["asked"] if asked["to"] != "/startup-report"]
    assert calls == ["/schedule", "/allow", "/release"] * 2
    allowed = [int(asked["pid"]) for asked in told["asked"] if asked["to"] == "/allow"]
    assert allowed == told["pids"]
    assert len(set(allowed)) == 2
    assert told["own"] not in allowed
    assert {asked.get("fail") for asked in told["asked"] if asked["to"] == "/release"} == {"false"}
    assert {a["durationSeconds"] for a in told["asked"] if a["to"] == "/schedule"} == {"20"}


def test_stop_ends_the_lent_process_and_gives_the_gpu_back(
    starter_models: dict[str, str],
) -> None:
    told = seen(starter_models["pytorch"], "stop")
    (result,) = told["results"]
    assert result["stats"]["finish_reason"] == "cancelled"
    assert 2 < result["stats"]["token_count"] < 2000  # of 2000
    assert [asked["to"] for asked in told["asked"]][-1] == "/release"


def test_a_gpu_that_is_taken_away_is_told_in_words(starter_models: dict[str, str]) -> None:
    (result,) = seen(starter_models["pytorch"], "kill")["results"]
    assert result["error_kind"] == "crashed"
    assert "its 115 s may be over" in result["error"]
    assert result["stats"]["token_count"] > 2


def test_a_quota_that_is_used_up_is_told_in_words(starter_models: dict[str, str]) -> None:
    told = seen(starter_models["pytorch"], "quota")
    (result,) = told["results"]
    assert result["error_kind"] == "refused"
    assert "lent no GPU" in result["error"]
    assert told["pids"] == []


def answer(kind: str, answers: int = 1, **settings: Any) -> protocol.Answer:
    model = ModelInfo("", "m", "/m", ModelType(kind), 1)
    questions = (Conversation.of("hi"),) * answers
    return protocol.Answer(model, ModelConfig(**settings), questions)


@pytest.mark.parametrize(
    ("kind", "job", "value", "method"),
    [
        ("pytorch", False, "true", "lent"),
        ("custom", False, "1", "lent"),
        ("gguf", False, "true", "fork"),
        ("echo", False, "true", "fork"),
        ("dequantize", True, "true", "fork"),
        ("pytorch", False, "false", "fork"),
        ("pytorch", False, None, "fork"),
    ],
)
def test_only_runs_that_use_the_gpu_ask_for_it(
    monkeypatch: pytest.MonkeyPatch, kind: str, job: bool, value: str | None, method: str
) -> None:
    monkeypatch.delenv("SPACES_ZERO_GPU", raising=False)
    if value is not None:
        monkeypatch.setenv("SPACES_ZERO_GPU", value)
    work = protocol.Job(kind) if job else answer(kind)
    assignment = protocol.Assignment(work, 0.0)
    elsewhere = "fork" if fork_is_safe() else "spawn"
    assert process._start_method(assignment) == (method if method == "lent" else elsewhere)


def test_more_tokens_ask_for_more_time_within_bounds() -> None:
    def asked(tokens: int | None, answers: int = 1) -> int:
        work = answer("pytorch", answers, max_tokens=tokens)
        return zero_gpu.lent_seconds(protocol.Assignment(work, 0.0))

    assert asked(1) == zero_gpu.SHORTEST_SECONDS
    assert asked(1) < asked(512) < asked(1500) <= zero_gpu.LONGEST_SECONDS
    assert asked(512) < asked(512, answers=2)
    assert asked(100_000) == asked(None) == zero_gpu.LONGEST_SECONDS


def test_everywhere_else_the_package_is_not_imported() -> None:
    code = (
        "import sys; from runners import process; process.make_ready(); "
        "print('spaces' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "False", done.stderr
