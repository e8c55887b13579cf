"""A suite before its first answer: seeds, labels, configurations, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from comparator.comparison.request import Slot
from comparator.core.config import LARGEST_SEED
from comparator.core.exceptions import ConfigurationError
from comparator.core.models import ModelConfig, ModelInfo, ModelType
from comparator.evaluation import resuming
from comparator.evaluation.new_suite import MOST_REPEATS, new_suite, seed_of
from comparator.services.inference_engine import InferenceEngine
from comparator.storage.kept_suite import Item, KeptSuite, Suite

ENGINE = InferenceEngine()


def echo(folder: Path, name: str = "echo", text: str = "{}") -> ModelInfo:
    path = folder / f"{name}.echo.json"
    path.write_text(text)
    return ModelInfo("", name, str(path), ModelType.ECHO, path.stat().st_size)


def suite_of(*messages: list[dict[str, str]]) -> Suite:
    asked = messages or ([{"role": "user", "content": "Why?"}],)
    return Suite("some", [Item(f"q{number}", one) for number, one in enumerate(asked)])


def kept_of(*slots: Slot, **how: object) -> KeptSuite:
    return new_suite(ENGINE, suite_of(), slots, **how)  # type: ignore[arg-type]


def test_seeds_of_repeats_follow_from_the_first() -> None:
    seeds = [seed_of(7, repeat) for repeat in range(MOST_REPEATS)]
    assert seeds[0] == 7
    assert len(set(seeds)) == MOST_REPEATS
    assert all(0 <= seed <= LARGEST_SEED for seed in seeds)
    assert seeds == [seed_of(7, repeat) for repeat in range(MOST_REPEATS)]
    assert seeds[1:] != [seed_of(8, repeat) for repeat in range(1, MOST_REPEATS)]


def test_a_slot_has_a_seed_and_a_configuration_that_does_not_hang_on_it(tmp_path: Path) -> None:
    model = echo(tmp_path)
    first, second = kept_of(Slot(model, ModelConfig())), kept_of(Slot(model, ModelConfig(seed=5)))
    assert first.slots[0].config["seed"] is not None
    assert second.slots[0].config["seed"] == 5
    assert first.slots[0].configuration == second.slots[0].configuration
    greedy = kept_of(Slot(model, ModelConfig(do_sample=False)))
    in_batches = kept_of(Slot(model, ModelConfig()), batch=1)
    names = {one.slots[0].configuration for one in (first, greedy, in_batches)}
    assert len(names) == 3


def test_labels_differ_and_say_what_differs(tmp_path: Path) -> None:
    slots = [
        Slot(echo(tmp_path, "a"), ModelConfig(), "Echo"),
        Slot(ModelInfo("1", "b", "", ModelType.GGUF, 0), ModelConfig(), "GGUF · Q8_0"),
        Slot(ModelInfo("2", "b", "", ModelType.GGUF, 0), ModelConfig(), "GGUF · Q2_K"),
        Slot(ModelInfo("3", "b", "", ModelType.GGUF, 0), ModelConfig(), "GGUF · Q2_K"),
    ]
    labels = [slot.label for slot in kept_of(*slots).slots]
    assert labels == ["a", "b (GGUF · Q8_0)", "b (GGUF · Q2_K)", "b (GGUF · Q2_K) #2"]


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ({"repeats": 0}, "between 1 and"),
        ({"repeats": MOST_REPEATS + 1}, "between 1 and"),
        ({"batch": 0}, "batch must be"),
        ({"batch": "many"}, "batch must be"),
        ({"batch": True}, "batch must be"),
    ],
)
def test_what_cannot_be_run_is_refused(tmp_path: Path, how: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        kept_of(Slot(echo(tmp_path), ModelConfig()), **how)


def test_no_prompts_no_models_and_what_is_no_conversation_are_refused(tmp_path: Path) -> None:
    slot = Slot(echo(tmp_path), ModelConfig())
    with pytest.raises(ConfigurationError, match="no prompts"):
        new_suite(ENGINE, Suite("empty", []), [slot])
    with pytest.raises(ConfigurationError, match="at least one model"):
        new_suite(ENGINE, suite_of(), [])
    bad = suite_of([{"role": "user", "content": "Why?"}], [{"role": "user", "content": " "}])
    with pytest.raises(ConfigurationError, match=r"Prompt 2 .*empty"):
        new_suite(ENGINE, bad, [slot])
    large = Suite("large", suite_of().items * 10_000)
    with pytest.raises(ConfigurationError, match="10000 prompts × 1 models × 100 repeats"):
        new_suite(ENGINE, large, [slot], repeats=100)


def test_a_slot_is_taken_up_by_content_and_not_by_name(tmp_path: Path) -> None:
    model = echo(tmp_path)
    kept = kept_of(Slot(model, ModelConfig()))
    (slot,) = resuming.slots_of(kept)
    assert (slot.refusal, slot.config.seed) == (None, kept.slots[0].config["seed"])
    moved = tmp_path / "moved.echo.json"
    Path(model.path).rename(moved)
    (gone,) = resuming.slots_of(kept)
    assert gone.refusal
    assert "echo is not asked on: There is no model at" in gone.refusal
    assert kept.id in gone.refusal
    echo(tmp_path, text='{"text": "another"}')
    (changed,) = resuming.slots_of(kept)
    assert changed.refusal
    assert "is another now" in changed.refusal


def test_the_judge_is_found_again(tmp_path: Path) -> None:
    model = echo(tmp_path)
    kept = kept_of(Slot(model, ModelConfig()), judge=Slot(echo(tmp_path, "j"), ModelConfig()))
    judge = resuming.judge_slot(kept)
    assert judge
    assert judge.model.name == "j"
    assert resuming.judge_slot(kept_of(Slot(model, ModelConfig()))) is None
    Path(judge.model.path).unlink()
    with pytest.raises(ConfigurationError, match="judge cannot be asked"):
        resuming.judge_slot(kept)
