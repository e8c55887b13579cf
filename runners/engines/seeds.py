"""The seed of one answer among several of a run, in both engines."""

from __future__ import annotations

from dataclasses import replace

from comparator.core.config import ModelConfig


def seeded(settings: ModelConfig, seed: int | None) -> ModelConfig:
    """Return settings with a seed in place of theirs, where there is one."""
    return settings if seed is None else replace(settings, seed=seed)
