"""How long a model may go without a sign of life, by stage, and its engine unused."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

KEEP_WARM_SECONDS = 300.0  # how long a fork server that nobody needs is kept


@dataclass(frozen=True)
class Deadlines:
    """How long each stage may take without a sign of life, in seconds; 0 or None is for ever.

    Attributes:
        load_seconds: from one step of loading to the next.
        first_token_seconds: from the loaded model to its first token.
        between_tokens_seconds: from one token to the next.
        total_seconds: the whole run, however lively it is.
    """

    load_seconds: float | None = 600.0
    first_token_seconds: float | None = 600.0
    between_tokens_seconds: float | None = 120.0
    total_seconds: float | None = 3600.0

    def __post_init__(self) -> None:
        """Take 0 as for ever.

        Raises:
            ValueError: names the limit that is no number of seconds.
        """
        for field in fields(self):
            value = getattr(self, field.name)
            if value is None or value == 0:
                object.__setattr__(self, field.name, None)
            elif not _is_duration(value):
                name = field.name.removesuffix("_seconds").replace("_", " ")
                raise ValueError(
                    f"The limit of time for {name!r} must be a number of seconds more than 0, "
                    f"or 0 for none, not {value!r}."
                )

    def of(self, stage: str) -> float | None:
        """Return the limit of a stage."""
        if stage in ("start", "load"):
            return self.load_seconds
        return self.first_token_seconds if stage == "prompt" else self.between_tokens_seconds


def _is_duration(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    return math.isfinite(value) and value > 0
