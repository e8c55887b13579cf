"""Runs of suites for tests: slots of models as the engine has them, and a run to its end."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from comparator.comparison.request import Slot
from comparator.core.models import ModelConfig, ModelInfo, told_apart
from comparator.evaluation.suite_run import SuiteRun, new_suite
from comparator.services.inference_engine import InferenceEngine
from comparator.storage.kept_suite import Assertion, Item, KeptSuite, Suite
from comparator.storage.suites import Suites

PATIENCE_SECONDS = 120.0


def suite_of(*questions: str, **more: Any) -> Suite:
    """Return a suite of these questions, each of which must be repeated by its answer."""
    items = [
        Item(
            f"q{number}",
            [{"role": "user", "content": question}],
            assertions=[Assertion("contains", question)],
            **more,
        )
        for number, question in enumerate(questions)
    ]
    return Suite("questions", items)


def slots_of(*models: ModelInfo, **settings: Any) -> list[Slot]:
    """Return slots of models, all with the same settings."""
    return [Slot.of(model, ModelConfig(**settings)) for model in told_apart(models)]


class Played:
    """A suite and what its runs left, one after another."""

    def __init__(self, path: Path, kept: KeptSuite, slots: Sequence[Slot]) -> None:
        self.store = Suites(path)
        self.kept, self.slots = kept, slots
        self.run: SuiteRun | None = None

    def begin(self, engine: InferenceEngine, **how: Any) -> SuiteRun:
        """Start a run of it, or one more."""
        self.run = SuiteRun(engine, self.store, self.kept, slots=self.slots, **how)
        return self.run.start()

    def to_end(self, engine: InferenceEngine, **how: Any) -> KeptSuite:
        """Run it to its end and return how it is kept."""
        run = self.begin(engine, **how)
        assert run.join(PATIENCE_SECONDS), "the suite did not end"
        return self.stored()

    def stored(self) -> KeptSuite:
        """Return it as it is kept."""
        found = self.store.get(self.kept.id)
        assert found is not None
        return found


def played(
    engine: InferenceEngine, path: Path, suite: Suite, slots: Sequence[Slot], **how: Any
) -> Played:
    """Return a new suite that can be run."""
    return Played(path, new_suite(engine, suite, slots, **how), slots)


def answers(kept: KeptSuite, slot: int = 0) -> list[tuple[str, str]]:
    """Return state and answer of each cell of a slot."""
    cells = [cell for cell in kept.cells if cell.slot == slot]
    return [(cell.state, str((cell.record or {}).get("content", ""))) for cell in cells]
