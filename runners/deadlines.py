"""How long a model may go without a sign of life, by stage."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Deadlines:
    """How long each stage may take without a sign of life, in seconds; None is for ever."""

    load_seconds: float | None = 600.0
    first_token_seconds: float | None = 600.0
    between_tokens_seconds: float | None = 120.0
    total_seconds: float | None = 3600.0

    def of(self, stage: str) -> float | None:
        """Return the limit of a stage."""
        if stage in ("start", "load"):
            return self.load_seconds
        return self.first_token_seconds if stage == "prompt" else self.between_tokens_seconds
