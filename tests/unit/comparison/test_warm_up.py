"""Which fork servers are started when, and which are waited for."""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from comparator.comparison import warm_up
from comparator.comparison.engine_trials.trials import TrialVerdict
from comparator.comparison.request import Advice, Request, Slot
from comparator.core.config import ModelConfig
from comparator.core.conversation import Conversation
from comparator.core.models import ModelInfo, ModelType
from runners.supervision.fork_server import ForkServers


def _directory(path: Path, model_type: str) -> ModelInfo:
    path.mkdir()
    (path / "config.json").write_text(json.dumps({"model_type": model_type}))
    return ModelInfo("", path.name, str(path), ModelType.PYTORCH, 1)


def test_modelling_modules_are_named_from_the_directories(tmp_path: Path) -> None:
    models = [
        _directory(tmp_path / "a", "llama"),
        _directory(tmp_path / "b", "xlm-roberta"),
        _directory(tmp_path / "c", "../evil"),
    ]
    assert warm_up.modelling_modules(models) == [
        "transformers.models.llama.modeling_llama",
        "transformers.models.xlm_roberta.modeling_xlm_roberta",
    ]


def test_only_kinds_of_models_that_can_be_loaded() -> None:
    broken = ModelInfo("", "x", "/x.gguf", ModelType.GGUF, 0, {"problem": "empty"})
    echo = ModelInfo("", "y", "/y.echo.json", ModelType.ECHO, 1)
    assert warm_up.kinds_of([broken, echo]) == ["echo"]


class Trials:
    """Knows the verdicts of some engines, and notes which are tried in the background."""

    def __init__(self, known: tuple[str, ...] = ()) -> None:
        self.asked: list[list[str]] = []
        self.verdicts = dict.fromkeys(known, TrialVerdict(is_tried=True))
        self.done = threading.Event()

    def server_of(self, kind: str) -> str:
        return f"{kind}/of its verdict"

    def known(self, kind: str) -> TrialVerdict | None:
        return self.verdicts.get(kind)

    def verdict_for(self, kind: str, _should_stop: object) -> TrialVerdict:
        self.asked.append([kind])
        return self.verdicts.setdefault(kind, TrialVerdict(is_tried=True))

    def for_model(self, model: ModelInfo, _should_stop: object) -> tuple[dict[str, str], tuple[()]]:
        return {"of": model.name}, ()

    def in_background(self, kinds: list[str]) -> None:
        self.asked.append(kinds)
        self.done.set()


class Servers(ForkServers):
    """Fork servers that are none: what would start is noted, and what is waited for."""

    def __init__(self, keep_warm_seconds: float = 300.0) -> None:
        super().__init__(keep_warm_seconds)
        self.started: list[str] = []
        self.waited_for: list[list[str]] = []
        self.changed = threading.Event()

    def warm_up(self, kinds: Sequence[str], _modules: Sequence[str] = ()) -> None:
        self.started += kinds
        self.changed.set()

    def reserve(self, kinds: Sequence[str] = ()) -> Any:
        self.started += kinds
        return self

    def make_ready(self, kinds: list[str], _should_stop: object) -> float:
        self.waited_for.append(kinds)
        return 2.5 if len(self.waited_for) == 1 else 0.0


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> Servers:
    servers = Servers()
    monkeypatch.setattr(warm_up, "fork_servers", servers)
    monkeypatch.setattr(warm_up.process, "has_server", lambda _kind: True)
    return servers


ECHO = ModelInfo("", "y", "/y.echo.json", ModelType.ECHO, 1)
GGUF = ModelInfo("", "z", "/z.gguf", ModelType.GGUF, 1)


def never() -> bool:
    return False


def test_the_beginning_of_the_page_tries_what_was_never_tried_and_starts_nothing(servers) -> None:
    trials = Trials()
    warm_up.begin([ECHO], trials)
    assert trials.done.wait(10)
    assert trials.asked == [["echo"]]
    trials = Trials(known=("echo",))
    warm_up.begin([ECHO], trials)
    assert trials.done.wait(10)
    assert trials.asked == [[]]
    assert servers.started == []


def test_the_engine_of_a_chosen_model_starts(servers) -> None:
    warm_up.chosen([ECHO], Trials())
    assert servers.changed.wait(10)
    assert servers.started == ["echo/of its verdict"]


@pytest.mark.parametrize("reason", ["a comparison runs", "nothing is kept warm", "none is chosen"])
def test_no_engine_starts_by_a_choice_where(servers, reason) -> None:
    if reason == "a comparison runs":
        servers._reservations = 1
    elif reason == "nothing is kept warm":
        servers.keep_warm_seconds = 0
    before = threading.active_count()
    warm_up.chosen([] if reason == "none is chosen" else [ECHO], Trials())
    assert threading.active_count() == before
    assert servers.started == []


def request(*models: ModelInfo, together: bool = False) -> Request:
    slots = [Slot.of(model, ModelConfig()) for model in models]
    return Request(Conversation.of("hello"), slots, together=together)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warm_up.registry, "missing_requirements", lambda _kind: [])


def test_all_engines_of_a_comparison_start_and_the_slots_own_is_waited_for(
    servers, installed
) -> None:
    start = warm_up.EngineStart(request(GGUF, ECHO), Trials(known=("gguf", "echo")))
    start.begin()
    assert servers.started == ["gguf/of its verdict", "echo/of its verdict"]
    advice = start.advise(Slot.of(ECHO, ModelConfig()), never)
    assert servers.waited_for == [["echo/of its verdict"]]
    assert advice == Advice({"of": "y"}, (), start_seconds=2.5)
    assert start.advise(Slot.of(ECHO, ModelConfig()), never).start_seconds == 0.0


def test_where_models_run_together_all_engines_are_waited_for(servers, installed) -> None:
    trials = Trials(known=("gguf", "echo"))
    start = warm_up.EngineStart(request(GGUF, ECHO, together=True), trials)
    start.begin()
    start.advise(Slot.of(ECHO, ModelConfig()), never)
    assert servers.waited_for == [["gguf/of its verdict", "echo/of its verdict"]]


def test_an_engine_that_was_never_tried_is_tried_while_it_starts(servers, installed) -> None:
    trials = Trials()
    start = warm_up.EngineStart(request(ECHO), trials)
    start.begin()
    advice = start.advise(Slot.of(ECHO, ModelConfig()), never)
    assert trials.asked == [["echo"]]
    assert advice.start_seconds > 2.5
    assert len(servers.waited_for) == 2, "a trial may choose another library"
