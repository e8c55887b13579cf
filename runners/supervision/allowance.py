"""How much a child may tell: by its run's answers, so that no long one passes for a flood."""

from __future__ import annotations

from comparator.core.config import ModelConfig
from runners import protocol

BESIDE_TOKENS = 50_000  # messages of an answer that tell no token; a load needs far fewer
RUN_LIMIT_BYTES = 64 * 1024 * 1024  # all that one child may tell beside tokens, for an answer
BYTES_OF_A_TOKEN = 256  # of its message; a usual one has about 80
MOST_TOLD = 2**20  # tokens of a context that are believed to a child; settings may ask for more


class Allowance:
    """Counts what one child tells.

    The tokens of an answer are at most those asked for, or else as many as its context has.
    """

    def __init__(self, config: ModelConfig | None = None, answers: int = 1) -> None:
        """Begin a run; ``config`` are the settings of the model, None for a job."""
        self._answers = max(1, answers)
        self._asked = (config.max_tokens or config.n_ctx) if config else 0
        self._tokens = self._asked or 0
        self._messages = self._bytes = 0

    def count_bytes(self, size: int) -> None:
        """Take in that so much was read.

        Raises:
            ProtocolError: it is more than such a run has to tell.
        """
        self._bytes += size
        most = RUN_LIMIT_BYTES + BYTES_OF_A_TOKEN * self._tokens
        if self._bytes > most * self._answers:
            raise protocol.ProtocolError("more than a run has to tell")

    def count(self, message: protocol.ChildMessage) -> None:
        """Take in a message.

        Raises:
            ProtocolError: it is one more than such a run has.
        """
        self._messages += 1
        if isinstance(message, protocol.Loaded) and self._asked is None:
            self._tokens = min(message.context_length, MOST_TOLD)
        if self._messages > (BESIDE_TOKENS + self._tokens) * self._answers:
            raise protocol.ProtocolError("more messages than a run has")
