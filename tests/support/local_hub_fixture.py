"""A hub of this machine, which both this process and its children talk to."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import pytest
from huggingface_hub import constants
from local_hub import LocalHub


@contextlib.contextmanager
def hub_alone(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    """The only hub in the world, for the body."""
    with LocalHub() as hub:
        for name, value in hub.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("HF_TOKEN", raising=False)
        monkeypatch.setattr(constants, "ENDPOINT", hub.endpoint)
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", os.devnull)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_TELEMETRY", True)
        yield hub


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalHub]:
    """The hub, alone in the world."""
    with hub_alone(monkeypatch) as hub:
        yield hub
