"""Rows 38 to 48 of reliability.md section 4: what people and programs ask.

What a browser does is tested where a browser is; a row that is proved elsewhere:

    45  Run clicked 20 times, Stop twice    tests/ui/test_page_stopping.py, here without a page
    46  a closed tab, a reload, a second    tests/ui/test_page_sessions.py, here without a page
    47  the raw endpoints                   tests/ui/test_endpoints.py
    48  a flooding child                    tests/process/test_hostile_child.py
    48  a full disk, a read-only home       tests/process, tests/unit/core/test_config_manager.py
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import model_files
import pytest
from bad_models import Workshop
from fetching import until

from comparator.core.config import ModelConfig
from comparator.core.exceptions import ConfigurationError, MultiLLMError
from comparator.core.models import ModelInfo, ModelType, RunState
from comparator.hosting.admission_queue import LineFullError
from comparator.hosting.host import Host
from comparator.hosting.options import ServerOptions
from comparator.hosting.requests import RequestDraft, SlotDraft, from_endpoint, from_page
from comparator.hosting.session import BusyError
from comparator.services.inference_engine import InferenceEngine


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """What the page and its endpoints are served from."""
    models = tmp_path / "models"
    models.mkdir()
    (models / "alpha.echo.json").write_text("{}")
    slow = {"tokens": 4000, "tokens_per_second": 50}
    (models / "slow.echo.json").write_text(json.dumps(slow))
    host = Host(ServerOptions(models_dir=models, line_length=2))
    yield host
    host.close()


def begin(host: Host, name: str = "alpha", session: str = "one", prompt: Any = "hi") -> Any:
    return host.begin(session, RequestDraft(prompt, [SlotDraft(name)]), lambda: None)


def answered(sitting: Any) -> str:
    """Return what a visitor's first column has written in the end."""
    assert sitting.join(60)
    end = time.monotonic() + 10
    while not sitting.is_complete and time.monotonic() < end:
        sitting.comparison.drain(0.1)
    return str(sitting.comparison.result(0).content)


def still_works(host: Host) -> None:
    assert answered(begin(host, session="a new one", prompt="all is well")) == "all is well"


def command(*arguments: str, stdin: str | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "comparator", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
    )


# ---- prompts that are none ----


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        ("", "Type a prompt first; it is empty."),
        (" \n\t ", "Type a prompt first; it is empty."),
        ("x" * 5_000_000, "The prompt has 5000000 bytes; the limit is 1000000. Shorten it."),
        ({"a": 1}, "The prompt must be text"),
        (None, "The prompt must be text"),
    ],
)
def test_what_is_no_prompt_is_refused_at_once(
    host: Host, healthy: ModelInfo, prompt: Any, says: str
) -> None:
    with pytest.raises(ConfigurationError, match=re.escape(says)):
        InferenceEngine().run_inference(prompt, [healthy])
    with pytest.raises(ConfigurationError, match=re.escape(says)):
        begin(host, prompt=prompt)
    assert host.current("one") is None
    if not isinstance(prompt, str):
        with pytest.raises(
            ConfigurationError, match="prompt must be text or a list of messages, not"
        ):
            host.begin("one", from_endpoint(prompt, ["alpha"], None, None), lambda: None)
    still_works(host)


def test_the_command_line_refuses_an_empty_prompt(tmp_path: Path) -> None:
    (tmp_path / "alpha.echo.json").write_text("{}")
    where = ("--models-dir", str(tmp_path))
    done = command("run", "-m", "alpha", "-p", "-", *where, stdin=" \n")
    assert done.returncode != 0
    assert "Type a prompt first" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""


# ---- longer than the context ----


@pytest.mark.parametrize("kind", ["gguf", "pytorch"])
def test_a_prompt_that_does_not_fit_is_refused_with_both_numbers(
    shop: Workshop, ask, sentence, kind: str
) -> None:
    path = shop.gguf() if kind == "gguf" else shop.folder()
    for settings, limit, advice in (
        ({}, 512, "this is the model's own limit, raising n_ctx does not help"),
        ({"n_ctx": 100}, 100, r"raise the context \(n_ctx\) \(up to 512 for this model\)"),
    ):
        result = ask(model_files.as_model(path), "x" * 2517, **settings)
        said = sentence(result)
        assert re.search(rf"The prompt has 2518 tokens; model takes {limit}\. .*{advice}", said)
        assert result.error_kind == "refused"
        assert result.stats.load_seconds is None, "the weights were not read"


@pytest.mark.parametrize("kind", ["gguf", "pytorch"])
def test_a_prompt_that_just_fits_is_read_whole(shop: Workshop, ask, kind: str) -> None:
    path = shop.gguf() if kind == "gguf" else shop.folder()
    fits = ask(model_files.as_model(path), "x" * 510, max_tokens=5)
    assert (fits.error, fits.stats.prompt_tokens, fits.prompt.dropped_tokens) == (None, 511, 0)
    assert (fits.stats.token_count, fits.stats.finish_reason) == (1, "length")
    full = ask(model_files.as_model(path), "x" * 511)
    assert "has 512 tokens; model takes 512 and needs room for the answer" in (full.error or "")


# ---- characters ----


@pytest.mark.parametrize("kind", ["gguf", "pytorch", "echo"])
def test_odd_characters_are_asked_as_they_are(
    shop: Workshop, healthy: ModelInfo, engine: InferenceEngine, kind: str
) -> None:
    odd = "a\x00b\x1b[2J\u202ec\u2066 \ufeff👩\u200d🚀 e\u0301 \x7f"
    model = {
        "gguf": lambda: model_files.as_model(shop.gguf()),
        "pytorch": lambda: model_files.as_model(shop.folder()),
        "echo": lambda: healthy,
    }[kind]()
    config = {model.id: ModelConfig(max_tokens=2, n_threads=1, prompt_format="plain")}
    *_, last = engine.run_inference(odd + "\ud800", [model], config)
    result = last[model.id]
    assert result.error is None
    # A busy machine may add a sentence of its own.
    assert result.notice.startswith("Characters that are no text were replaced by U+FFFD.")
    assert result.prompt.rendered == odd + "\ufffd"
    if kind != "echo":
        assert result.stats.prompt_tokens == 1 + len((odd + "\ufffd").encode())
    *_, last = engine.run_inference(odd, [model], config)
    assert "replaced" not in (last[model.id].notice or "")


# ---- settings ----

WRONG = {
    "temperature": (-1, 0.05, 2.5, 1e9, float("nan"), "hot", True, None),
    "top_p": (0, 2, -0.1, float("nan"), "all"),
    "top_k": (-5, 1.5, "many", 10**9),
    "min_p": (-0.1, 1.1, float("inf")),
    "seed": (-1, 2**40, 1.5, "lucky"),
    "repeat_penalty": (0, -1, 100, float("nan")),
    "max_tokens": (0, -1, 10**9, 1.5, "all"),
    "n_ctx": (0, -1, 2 * 10**9, "wide"),
    "n_threads": (0, -1, 10**6),
    "stop": ("text", [1], [""], ["x"] * 17),
}
VALUES = [(name, value) for name, values in WRONG.items() for value in values]


@pytest.mark.parametrize(("name", "value"), VALUES)
def test_a_wrong_setting_is_the_same_sentence_everywhere(
    host: Host, healthy: ModelInfo, name: str, value: Any
) -> None:
    says = rf"{name} must be .*, not "
    config = ModelConfig(**{name: value})
    with pytest.raises(ConfigurationError, match=says):
        InferenceEngine().run_inference("hi", [healthy], {healthy.id: config})
    for question in (
        RequestDraft("hi", [SlotDraft("alpha")], settings={name: value}),
        RequestDraft("hi", [SlotDraft("alpha", {name: value})]),
        from_endpoint("hi", ["alpha"], None, {name: value}),
        from_endpoint("hi", ["alpha"], None, {"per_model": {"alpha": {name: value}}}),
    ):
        with pytest.raises(ConfigurationError, match=says):
            host.begin("one", question, lambda: None)
    assert host.current("one") is None


def test_the_page_says_what_max_tokens_may_be(host: Host) -> None:
    for value in (0, -1, 10**9):
        question = from_page("hi", "", [("alpha", "")], {"max_tokens": value}, False)
        with pytest.raises(ConfigurationError, match="a whole number between 1 and 4096"):
            host.begin("one", question, lambda: None)
    still_works(host)


@pytest.mark.parametrize(
    ("option", "value"),
    [("--max-tokens", "0"), ("--max-tokens", "-1"), ("--temperature", "nan"), ("--seed", "-1")],
)
def test_the_command_line_refuses_a_wrong_setting_too(
    tmp_path: Path, option: str, value: str
) -> None:
    (tmp_path / "alpha.echo.json").write_text("{}")
    done = command("run", "-m", "alpha", "-p", "x", option, value, "--models-dir", str(tmp_path))
    assert done.returncode != 0
    assert done.stdout == ""
    assert re.search(r"must be|not in the range|Invalid value", done.stderr), done.stderr
    assert "Traceback" not in done.stderr


# ---- which models ----


def test_the_same_model_twice_is_asked_and_none_or_five_are_refused(
    host: Host, healthy: ModelInfo
) -> None:
    *_, last = InferenceEngine().run_inference("hi", [healthy, healthy])
    assert list(last) == [healthy.id, f"{healthy.id}#2"]
    assert [result.content for result in last.values()] == ["hi", "hi"]
    for models, says in (([], "Choose at least one model."), (["alpha"] * 5, "Choose up to 4")):
        with pytest.raises(ConfigurationError, match=says):
            host.begin(
                "one", RequestDraft("hi", [SlotDraft(name) for name in models]), lambda: None
            )
    with pytest.raises(ConfigurationError, match="Choose at least one model"):
        InferenceEngine().run_inference("hi", [])
    assert len(InferenceEngine().request("hi", [healthy] * 5).slots) == 5  # four is the page's
    still_works(host)


@pytest.mark.parametrize("name", ["/etc/passwd", "../alpha", "alpha\x00", "x" * 10_000, "gpt2"])
def test_a_visitor_asks_by_name_and_never_by_path(host: Host, name: str) -> None:
    with pytest.raises(MultiLLMError, match=r"No model .*\. There are: alpha, slow\.") as caught:
        begin(host, name)
    assert len(str(caught.value)) < 500


# ---- clicks and tabs ----


def test_run_twenty_times_is_one_run_and_stop_is_always_harmless(host: Host) -> None:
    assert host.stop("one") is False
    sitting = begin(host, "slow")
    for _ in range(20):
        with pytest.raises(BusyError, match=r"still running\. Stop it first"):
            begin(host, "slow")
    assert len(sitting.comparison.pids()) <= 1
    for slot in (None, 0, 7, -1, None):
        host.stop("one", slot)
    assert sitting.join(60)
    assert sitting.comparison.pids() == []
    until(lambda: not host.stop("one"))  # nothing is left to be stopped
    still_works(host)


def test_sessions_are_their_own_and_the_line_is_bounded(host: Host) -> None:
    sitting = begin(host, "slow", "one")
    waiting = [begin(host, "slow", name) for name in ("two", "three")]
    with pytest.raises(LineFullError):
        begin(host, "slow", "four")
    for number in range(1000):
        assert host.stop(f"nobody {number}") is False
    assert not sitting.is_stopping
    for name in ("one", "two", "three"):
        host.stop(name)
    assert all(s.join(60) for s in (sitting, *waiting))
    still_works(host)


# ---- the ground gives way ----


def test_without_a_temporary_folder_a_model_answers_all_the_same(
    tmp_path: Path, shop: Workshop
) -> None:
    """In a program of its own, since the folder is chosen when a program starts."""
    code = f"""
import tempfile
tempfile.tempdir = {str(tmp_path / "nowhere")!r}
from comparator.core.config import ModelConfig
from comparator.core.models import ModelInfo, ModelType
from comparator.services.inference_engine import InferenceEngine
model = ModelInfo("", "tiny", {str(shop.gguf())!r}, ModelType.GGUF, 1)
engine = InferenceEngine()
*_, last = engine.run_inference("hi", [model], {{model.id: ModelConfig(max_tokens=2)}})
(result,) = last.values()
print(result.error, result.stats.token_count, result.engine["fallbacks"])
engine.cleanup_resources()
"""
    environment = {**os.environ, "TMPDIR": str(tmp_path / "nowhere")}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=environment
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("None 2 "), "an answer needs no such folder"
    assert "[]" in done.stdout or "TMPDIR" in done.stdout, "where the trial does, it says so"


@pytest.fixture
def writing(tmp_path: Path, whole_gguf: Path, engine: InferenceEngine) -> Iterator[Any]:
    """A GGUF model that has begun a long answer, its comparison, and its file."""
    path = Path(shutil.copy(whole_gguf, tmp_path / "long.gguf"))
    model = model_files.as_model(path)
    config = ModelConfig(max_tokens=480, n_threads=1, temperature=2.0, top_k=0, top_p=1.0, seed=1)
    comparison = engine.compare(engine.request("ab", [model], {model.id: config}))
    end = time.monotonic() + 60
    while not comparison.result(0).stats.token_count and time.monotonic() < end:
        comparison.drain(0.01)
    yield comparison, path
    engine.finish(comparison)


def ended(comparison: Any) -> Any:
    end = time.monotonic() + 60
    while not comparison.is_complete and time.monotonic() < end:
        comparison.drain(0.1)
    return comparison.result(0)


@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_a_file_that_goes_away_meanwhile_stops_no_answer(writing: Any, how: str) -> None:
    comparison, path = writing
    path.unlink()
    if how == "replaced":
        path.write_bytes(b"something else")
    result = ended(comparison)
    assert result.is_complete
    assert result.error is None or result.error.endswith(".")
    assert result.content


def test_a_killed_child_keeps_what_it_wrote(tmp_path: Path, engine: InferenceEngine) -> None:
    path = tmp_path / "slow.echo.json"
    path.write_text(json.dumps({"tokens": 4000, "tokens_per_second": 100}))
    model = ModelInfo("", "slow", str(path), ModelType.ECHO, 1)
    comparison = engine.compare(engine.request("one two", [model]))
    end = time.monotonic() + 60
    while comparison.result(0).stats.token_count < 3 and time.monotonic() < end:
        comparison.drain(0.01)
    os.kill(comparison.pids()[0], signal.SIGKILL)
    result = ended(comparison)
    engine.finish(comparison)
    assert result.state is RunState.FAILED
    assert re.search(r"SIGKILL.* It had written \d+ tokens\.", result.error)
    assert result.content.startswith("one two")
