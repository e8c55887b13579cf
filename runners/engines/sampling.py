"""What sampling has in common in both engines: seeds, and how far back the penalties look."""

from __future__ import annotations

import secrets
from dataclasses import replace

from comparator.core.config import LARGEST_SEED, ModelConfig

PENALTY_WINDOW_TOKENS = 64


def seed_of(settings: ModelConfig) -> int:
    """Return the configured seed, or a new one."""
    seed = settings.seed
    return secrets.randbelow(LARGEST_SEED + 1) if seed is None else seed


def seeded(settings: ModelConfig, seed: int | None) -> ModelConfig:
    """Return settings with a seed in place of theirs, where there is one."""
    return settings if seed is None else replace(settings, seed=seed)
