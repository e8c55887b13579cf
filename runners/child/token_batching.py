"""When an engine that keeps tokens back for a moment must tell them."""

from __future__ import annotations

import math
import time

from runners import protocol

_SLOWER = 2.0  # how much longer than this token the next one may take and still come in time


class TokenBatching:
    """Says after each token whether what was kept back must be told now.

    The parent looks at the tokens every ``protocol.LOOK_SECONDS``, at instants that all
    processes know. To tell them together shortly before takes a model less time than to tell
    each by itself, when what telling needs has left the caches (docs/speed.md), and nobody
    sees them later. The first token, and each of a slow model, is told at once.
    """

    def __init__(self) -> None:
        self._before = -math.inf

    def is_due(self) -> bool:
        """Return whether the next token may come too late for the parent's next look."""
        now = time.monotonic()
        ahead = _SLOWER * (now - self._before)
        self._before = now
        return now % protocol.LOOK_SECONDS + ahead >= protocol.LOOK_SECONDS
