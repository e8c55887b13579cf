"""Who answers in a child: an engine of ours, or an inferencer that a user's factory made."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from comparator.core import exceptions
from comparator.core.config import ModelConfig
from comparator.core.conversation import Conversation, Prompt
from comparator.core.models import ModelType
from runners import protocol, registry
from runners.base import BaseInferencer, as_prompt


@dataclass(frozen=True)
class Answerer:
    """An inferencer, and in which form it is told what it is asked.

    Attributes:
        inferencer: who answers.
        config: its settings.
        is_users: whether a user's factory made it: such a one reads the settings as a dictionary
            and a question as its text.
    """

    inferencer: BaseInferencer
    config: ModelConfig
    is_users: bool = False

    def settings(self) -> Any:
        """Return the settings as it reads them."""
        return asdict(self.config) if self.is_users else self.config

    def prompt(self, conversation: Conversation) -> Any:
        """Return a conversation as it takes it."""
        if not self.is_users:
            return conversation
        told: Prompt = as_prompt(self.inferencer, conversation, self.config.system_prompt)
        return told


def find_inferencer(assignment: protocol.Assignment, work: protocol.Answer) -> Answerer:
    """Ask the user's factories first, then take the built-in engine of the kind."""
    for factory in _factories(assignment.factories):
        inferencer = factory(work.model)
        if inferencer is not None:
            return Answerer(adopt(inferencer), work.config, is_users=True)
    if work.model.model_type is ModelType.CUSTOM:
        raise exceptions.ModelLoadError(
            "No registered factory made an inferencer for this custom model. "
            "Register one with register_inferencer_factory before the run."
        )
    library = assignment.verdict.get("library") or ""
    return Answerer(registry.create_inferencer(assignment.kind, library), work.config)


def adopt(inferencer: Any) -> BaseInferencer:
    """Accept a factory's product, also when its __init__ forgot to call ours.

    Raises:
        ModelLoadError: it is no BaseInferencer.
    """
    if not isinstance(inferencer, BaseInferencer):
        raise exceptions.ModelLoadError(
            f"The registered factory returned {type(inferencer).__name__}, not a BaseInferencer."
        )
    if not hasattr(inferencer, "learned"):  # the last that ours sets
        BaseInferencer.__init__(inferencer)
    return inferencer


def _factories(pickled: bytes) -> Iterator[Any]:
    if not pickled:
        return
    import dill

    yield from dill.loads(pickled)
