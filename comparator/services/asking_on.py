"""A further turn of results or of a kept comparison, for the library's front door."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Union

from comparator.comparison import turns as of_turns
from comparator.comparison.kept import KeptComparison
from comparator.comparison.request import Request
from comparator.comparison.slot_settings import GivenSettings
from comparator.comparison.turns import Turn, Turns
from comparator.core.config import ModelConfig
from comparator.core.conversation import Conversation
from comparator.core.exceptions import ConfigurationError
from comparator.core.models import InferenceResult, ModelInfo, told_apart

if TYPE_CHECKING:
    from comparator.services.inference_engine import InferenceEngine

Earlier = Union[KeptComparison, Mapping[str, InferenceResult]]  # noqa: UP007


def request_on(
    engine: InferenceEngine, earlier: Earlier, turns_of: Callable[[KeptComparison], Turns]
) -> Request:
    """Return the request that asks on.

    Args:
        engine: what is to run it.
        earlier: the results of a comparison, or one of the history.
        turns_of: says what each column is asked next.

    Raises:
        ConfigurationError: there is nothing to go on from, or the question is wrong.
    """
    kept = _kept(earlier)
    turns, models = of_turns.present(turns_of(kept), _look_up(earlier))
    models = told_apart(models)
    configs, given = {}, {}
    for model, turn in zip(models, turns.turns, strict=True):
        configs[model.id] = ModelConfig.from_dict(turn.settings)
        given[model.id] = GivenSettings(turn.settings, turn.settings)
    question = Conversation.of(turns.turns[0].conversation.question)
    request = engine.request(question, models, configs, together=turns.together, given=given)
    return of_turns.as_turns(request, turns)


def _kept(earlier: Earlier) -> KeptComparison:
    if isinstance(earlier, KeptComparison):
        return earlier
    if not isinstance(earlier, Mapping) or not all(
        isinstance(result, InferenceResult) for result in earlier.values()
    ):
        raise ConfigurationError(
            "To ask on, give the results of a comparison (what run_inference yields) or one of "
            f"the history, not {type(earlier).__name__}."
        )
    records = [result.to_record() for result in earlier.values()]
    told = (result.prompt.date for result in earlier.values())
    date = next((date for date in told if date), None)
    return KeptComparison(id="", created=0.0, records=records, date=date)


def _look_up(earlier: Earlier) -> Callable[[Turn], ModelInfo]:
    """Return the look-up of a turn's model: the one that has answered, where that is known."""
    results = [] if isinstance(earlier, KeptComparison) else list(earlier.values())

    def model(turn: Turn) -> ModelInfo:
        answered = results[turn.column].model if results else None
        return answered or ModelInfo.from_record(turn.model)

    return model
