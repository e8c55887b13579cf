"""A judge in a process of its own: one load for all, believed only where it is steady."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from suite_runs import played, slots_of, suite_of

from comparator.comparison.request import Slot
from comparator.core.config import ModelConfig
from comparator.core.models import ModelInfo, ModelType
from comparator.evaluation.judge import Judge
from comparator.evaluation.ratings import ratings_of
from comparator.evaluation.ratings.judged import votes_of_judge
from comparator.services.inference_engine import InferenceEngine
from comparator.storage.kept_suite import (
    Assertion,
    AssertionOutcome,
    Cell,
    Item,
    KeptSuite,
    Suite,
    SuiteSlot,
)
from runners.base import BaseInferencer

PROMPTS = 3


class Steady(BaseInferencer):
    """Finds what is meant by a letter, and prefers what says "good"; counts its loads."""

    fault_after = 0

    def load_model(self, model_path: str, config: Any) -> None:
        self.asked = 0
        with open(model_path, "a") as file:
            file.write("loaded\n")
        self.is_loaded = True

    def generate_stream(self, prompt: str) -> Iterator[str]:
        import os

        self.asked += 1
        if self.fault_after and self.asked > self.fault_after:
            os._exit(3)
        if "Answer 1:" in prompt:
            first, second = prompt.split("Answer 1:")[1].split("Answer 2:")
            yield "A" if "good" in first else "B" if "good" in second else "C"
            return
        is_met = "good" in prompt.split("Answer:")[1].split("Requirement:")[0]
        wanted = "answer meets" if is_met else "answer does not meet"
        yield next(
            line[0] for line in prompt.splitlines() if line[1:].startswith(f": the {wanted}")
        )

    def unload_model(self) -> None:
        self.is_loaded = False

    def get_model_info(self) -> dict[str, Any]:
        return {"model_type": "custom"}


class Mortal(Steady):
    """Dies at its fifth question."""

    fault_after = 4


class Waiting(Steady):
    """Answers two questions, and waits for a stop at the third."""

    def generate_stream(self, prompt: str) -> Iterator[str]:
        import time

        self.asked += 1
        while self.asked > 2 and not self.should_stop():
            time.sleep(0.01)
        yield "C"


def kept(*answers: str, prompts: int = PROMPTS) -> KeptSuite:
    """Return a suite of prompts to each of which a slot answers the same; all with a rubric."""
    items = [
        Item(str(n), [{"role": "user", "content": f"Q{n}"}], None, [Assertion("llm-rubric", "ok")])
        for n in range(prompts)
    ]
    waits = [AssertionOutcome("llm-rubric", None, "Waits for the judge.")]
    cells = [
        Cell(slot, prompt, 0, "done", 1, {"content": text}, waits)
        for slot, text in enumerate(answers)
        for prompt in range(prompts)
    ]
    slots = [
        SuiteSlot({"id": str(n), "name": f"model {n}", "model_type": "echo"}, {}, str(n))
        for n in range(len(answers))
    ]
    suite = Suite("s", items)
    return KeptSuite(id="0", name="", created=0.0, suite=suite, slots=slots, cells=cells)


@pytest.fixture
def engine() -> Iterator[InferenceEngine]:
    made = InferenceEngine()
    yield made
    made.cleanup_resources()


@pytest.fixture
def custom(tmp_path: Path) -> ModelInfo:
    place = tmp_path / "judge"
    place.write_text("")
    place.chmod(0o666)
    return ModelInfo("", "custom", str(place), ModelType.CUSTOM, 0)


def judged_by(engine: InferenceEngine, model: ModelInfo, suite: KeptSuite, **options: Any) -> Any:
    slot = Slot.of(model, ModelConfig(temperature=0.9, system_prompt="Prefer A."))
    return Judge(engine, slot).judged(suite, **options)


def test_a_steady_judge_fills_rubrics_and_verdicts_by_one_load(engine, custom):
    engine.register_inferencer_factory(lambda _model: Steady())
    told: list[tuple[int, int]] = []
    found = judged_by(
        engine, custom, kept("good", "bad", "good"), on_progress=lambda *n: told.append(n)
    )
    passed = [one.assertions[0].passed for one in found.cells]
    assert passed == [True] * 3 + [False] * 3 + [True] * 3
    winners = {(v.a, v.b, v.winner) for v in found.verdicts}
    assert winners == {(0, 1, "a"), (0, 2, "tie"), (1, 2, "b")}
    judge = found.judge
    # Of each prompt: two pairs and two rubrics that differ.
    assert (judge["consistency"], judge["verdicts"], judge["is_refused"]) == (1.0, 12, False)
    assert judge["interval"][0] == pytest.approx(0.7353515)
    assert judge["is_complete"]
    assert judge["config"]["do_sample"] is False
    assert judge["config"]["system_prompt"] == ""
    assert told[-1] == (24, 24)


def test_a_steady_judge_of_a_suite_is_accepted_and_its_verdicts_are_kept_and_rated(
    engine, custom, echo_model, tmp_path
):
    engine.register_inferencer_factory(
        lambda model: Steady() if model.model_type.value == "custom" else None
    )
    slots = slots_of(echo_model("a", text="bad"), echo_model("b", text="good"))
    suite = played(
        engine, tmp_path / "suites", suite_of("one", "two", "three"), slots,
        judge=Slot.of(custom, ModelConfig()),
    )  # fmt: skip
    found = suite.to_end(engine)
    assert found.state == "done"
    assert (found.judge["is_refused"], found.judge["consistency"]) == (False, 1.0)
    assert [(one.a, one.b, one.winner) for one in found.verdicts] == [(0, 1, "b")] * 3
    rated = ratings_of(votes_of_judge(found))
    assert [(one.name, one.votes) for one in rated.ratings] == [("b", 3), ("a", 3)]
    assert Path(custom.path).read_text() == "loaded\n"


def test_a_judge_that_always_says_the_same_letter_is_refused(engine, echo_model):
    found = judged_by(engine, echo_model(text="A"), kept("good", "bad"))
    judge = found.judge
    assert (judge["consistency"], judge["is_refused"]) == (0.0, True)
    assert "refused" in judge["sentences"][0]
    assert {one.assertions[0].passed for one in found.cells} == {None}
    assert {(v.first, v.swapped, v.winner) for v in found.verdicts} == {("a", "b", None)}


def test_what_is_no_choice_counts_as_nothing_said(engine, echo_model):
    found = judged_by(engine, echo_model(text="Answer A, surely"), kept("good", "bad"))
    assert found.judge["consistency"] is None
    assert {v.winner for v in found.verdicts} == {None}
    assert all("none of A, B and C" in v.reason for v in found.verdicts)


def test_a_judge_that_dies_leaves_what_it_has_said(engine, custom):
    engine.register_inferencer_factory(lambda _model: Mortal())
    found = judged_by(engine, custom, kept("good", "bad"))
    assert found.judge["verdicts"] == 2
    assert not found.judge["is_complete"]
    assert found.judge["error"]
    passed = [one.assertions[0].passed for one in found.cells]
    assert passed == [True, None, None, False, None, None]
    assert "ended before" in found.cells[1].assertions[0].reason


def test_what_does_not_fit_the_judges_context_is_said_and_the_rest_is_judged(engine, echo_model):
    suite = kept("good", "word " * 4000)
    slot = Slot.of(echo_model(text="C"), ModelConfig(n_ctx=1024))
    found = Judge(engine, slot).judged(suite)
    assert all("context" in v.reason for v in found.verdicts)
    reasons = [one.assertions[0].reason for one in found.cells]
    assert all("cannot be told" in reason for reason in reasons[:PROMPTS])
    assert all("could not be asked" in reason for reason in reasons[PROMPTS:])


def test_a_judge_that_is_stopped_leaves_the_rest_open(engine, custom):
    engine.register_inferencer_factory(lambda _model: Waiting())
    seen: list[int] = []
    found = judged_by(
        engine, custom, kept("good", "bad"),
        should_stop=lambda: 2 in seen, on_progress=lambda done, total: seen.append(done),
    )  # fmt: skip
    assert not found.judge["is_complete"]
    assert found.judge["error"] is None
    reasons = [one.assertions[0].reason for one in found.cells]
    assert "cannot be told" in reasons[0]
    assert reasons[1:] == ["Waits for the judge."] * 5


def test_nothing_to_judge_starts_no_model(engine, custom):
    suite = kept("same", "same")
    bare = [Item(one.id, one.messages) for one in suite.suite.items]
    cells = [Cell(c.slot, c.prompt, 0, "done", 1, c.record) for c in suite.cells]
    found = judged_by(engine, custom, KeptSuite(
        id="0", name="", created=0.0, suite=Suite("s", bare), slots=suite.slots, cells=cells
    ))  # fmt: skip
    assert {v.winner for v in found.verdicts} == {"tie"}
    assert found.judge["consistency"] is None


def test_a_real_model_says_nothing_but_a_letter_and_is_measured(engine, starter_models):
    model = ModelInfo("", "SmolLM2", starter_models["gguf_q2_k"], ModelType.GGUF, 0)
    slot = Slot.of(model, ModelConfig(n_ctx=1024, n_threads=1))
    found = Judge(engine, slot).judged(kept("Paris is it.", "bananas", prompts=1))
    judge = found.judge
    assert judge["error"] is None
    assert judge["verdicts"] == 3, judge  # each answered by one of the letters, both ways
    assert judge["is_refused"] == (judge["consistency"] < 0.65)
    assert found.judge["same_family"] == []
