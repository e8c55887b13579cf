"""Which fork servers are started before the first question."""

from __future__ import annotations

import json
import threading
from pathlib import Path

from comparator.comparison import warm_up
from comparator.core.models import ModelInfo, ModelType


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
    """Notes which engines are tried in the background."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.done = threading.Event()

    def server_of(self, kind: str) -> str:
        return f"{kind}/of its verdict"

    def in_background(self, kinds: list[str]) -> None:
        self.asked.append(kinds)
        self.done.set()


def test_engines_are_tried_once_their_fork_servers_are_started(monkeypatch) -> None:
    started: list[list[str]] = []
    monkeypatch.setattr(
        warm_up.fork_servers, "warm_up", lambda servers, _modules: started.append(servers)
    )
    trials = Trials()
    warm_up.begin([ModelInfo("", "y", "/y.echo.json", ModelType.ECHO, 1)], trials)
    assert trials.done.wait(10)
    assert started == [["echo/of its verdict"]]
    assert trials.asked == [["echo"]]
