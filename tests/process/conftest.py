"""What the process tests share: playing one run, hostile children, and counting processes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from local_hub_fixture import hub

from comparator.core.config import ModelConfig
from comparator.core.conversation import Conversation, Prompt
from comparator.core.models import ModelInfo, ModelType
from runners import protocol
from runners.process import Deadlines, Run, pickled

__all__ = ["hub"]
REPOSITORY = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 120.0


@dataclass
class Played:
    """One run and everything that it delivered, with the moments of arrival."""

    run: Run
    messages: list[protocol.Message] = field(default_factory=list)
    arrivals: list[float] = field(default_factory=list)

    @property
    def final(self) -> Any:
        return self.messages[-1]

    @property
    def text(self) -> str:
        return "".join(m.text for m in self.messages if isinstance(m, protocol.Token))

    def seen(self, kind: type) -> bool:
        return any(isinstance(message, kind) for message in list(self.messages))

    def to_end(self) -> Played:
        assert self.run.join(PATIENCE_SECONDS), "the run did not end"
        finals = [m for m in self.messages if isinstance(m, protocol.FINAL)]
        assert len(finals) == 1, "a run ends by exactly one final message"
        assert isinstance(self.final, protocol.FINAL), "the final message is the last one"
        return self


@pytest.fixture
def begin() -> Callable[..., Played]:
    """Start a run of a model and return it while it goes on."""

    def start(
        model: ModelInfo,
        prompt: str | Sequence[Prompt] = "one two three four",
        deadlines: Deadlines | None = None,
        method: str | None = None,
        factories: tuple[Any, ...] = (),
        settings: dict[str, Any] | None = None,
        receiver: Callable[[protocol.Message], None] = lambda message: None,
        **work: Any,
    ) -> Played:
        prompts = [prompt] if isinstance(prompt, str) else prompt
        conversations = tuple(map(Conversation.of, prompts))
        assignment = protocol.Assignment(
            protocol.Answer(
                model, ModelConfig(**(settings or {"max_tokens": 4096})), conversations, **work
            ),
            time.monotonic(),
            factories=pickled(factories),
            readable=(model.path,),
        )

        def deliver(message: protocol.Message) -> None:
            played.arrivals.append(time.monotonic())
            played.messages.append(message)
            receiver(message)

        played = Played(Run(deadlines, method))
        played.run.start(assignment, deliver)
        return played

    return start


@pytest.fixture
def play(begin: Callable[..., Played]) -> Callable[..., Played]:
    """Play a run to its end."""
    return lambda *args, **options: begin(*args, **options).to_end()


@pytest.fixture
def custom_model() -> ModelInfo:
    """A model that only a registered factory can run."""
    return ModelInfo("", "custom", "/nowhere", ModelType.CUSTOM, 0)


def until(condition: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
    """Poll until a condition holds and return its value."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value or time.monotonic() > end:
            return value
        time.sleep(0.01)


def is_gone(pid: int) -> bool:
    """Whether a process has ended; a zombie that nobody reaps counts as ended."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def wait_until() -> Callable[..., Any]:
    return until


@pytest.fixture
def gone() -> Callable[[int], bool]:
    return is_gone


@pytest.fixture
def script(tmp_path: Path) -> Callable[..., subprocess.Popen[bytes]]:
    """Start a Python script of a user, without a main guard, with its output in files."""

    def start(source: str, *arguments: str, how: str = "file") -> subprocess.Popen[bytes]:
        path = tmp_path / "users_script.py"
        path.write_text(source)
        command = {
            "file": [sys.executable, str(path), *arguments],
            "stdin": [sys.executable, "-", *arguments],
            "command": [sys.executable, "-c", source, *arguments],
        }[how]
        environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
        with (
            open(tmp_path / "out", "wb") as out,
            open(tmp_path / "err", "wb") as err,
            open(path if how == "stdin" else os.devnull, "rb") as given,
        ):
            return subprocess.Popen(
                command,
                stdin=given,
                stdout=out,
                stderr=err,
                env=environment,
                cwd=tmp_path,
            )

    return start
