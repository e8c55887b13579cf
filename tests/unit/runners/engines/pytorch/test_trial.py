"""The trial of PyTorch: right numbers are believed, wrong ones are found, the faster is chosen."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from model_files import write_directory

from comparator.core.config import ModelConfig
from runners.engines.pytorch import trial, trial_speed
from runners.engines.pytorch.forward import OneDnnOff, one_row_products, rule_for_one_row
from runners.engines.pytorch.inferencer import PyTorchInferencer
from runners.registry import PYTORCH_LEVELS

torch = pytest.importorskip("torch")

CPU = torch.device("cpu")
BEST, NO_ONEDNN, SAFEST = PYTORCH_LEVELS


@pytest.fixture(autouse=True)
def as_before() -> Any:
    """A trial changes what counts for its whole process, which is thrown away after it."""
    threads, enabled = torch.get_num_threads(), torch.backends.mkldnn.enabled
    yield
    torch.set_num_threads(threads)
    torch.backends.mkldnn.enabled = enabled


def tried(settings: Any, should_stop: Callable[[], bool] = lambda: False) -> dict[str, Any]:
    arguments = {"settings": {**settings, "threads": 1}, "library": "torch", "target": "unused"}
    found: dict[str, Any] = json.loads(trial.run(arguments, lambda *_: None, should_stop))
    return found


def choices(settings: Any) -> set[str]:
    """Return the names of what a level leaves open, those of number types included."""
    types = settings["auto_dtype"]
    return {name for name, value in {**settings, **types}.items() if value is None} - {"threads"}


@pytest.mark.parametrize("level", PYTORCH_LEVELS, ids=["best", "no oneDNN", "safest"])
def test_what_is_installed_computes_rightly(level: Any) -> None:
    found = tried(level)
    assert (found["right"], found["reason"], found["notes"]) == (True, "", [])
    chosen = found["chosen"]
    assert chosen.keys() == level.keys()
    assert not choices(chosen)
    fixed = {name: value for name, value in level.items() if name in ("onednn", "one_row_onednn")}
    assert all(value in (None, chosen[name]) for name, value in fixed.items())
    for name, value in level["auto_dtype"].items():
        assert chosen["auto_dtype"][name] in ((value,) if value else (name, "float32"))


def test_a_stop_ends_the_trial() -> None:
    found = tried(BEST, lambda: True)
    assert (found["right"], found["reason"]) == (False, "the trial was stopped")


def wrong_where(
    monkeypatch: pytest.MonkeyPatch, is_wrong: Callable[[Any, Any], bool], by: float = 1.1
) -> None:
    """Make products wrong, of the tokens and the matrix that a rule names."""
    real = torch.nn.functional.linear

    def linear(tokens: Any, weight: Any, *others: Any) -> Any:
        found = real(tokens, weight, *others)
        return found * by if is_wrong(tokens, weight) else found

    monkeypatch.setattr(torch.nn.functional, "linear", linear)


@pytest.mark.parametrize("by", [1.1, float("nan")])
@pytest.mark.parametrize("name", ["float32", "bfloat16"])
def test_wrong_products_of_many_rows_are_named(
    monkeypatch: pytest.MonkeyPatch, name: str, by: float
) -> None:
    dtype = getattr(torch, name)
    wrong_where(monkeypatch, lambda x, w: x.dtype is dtype and x.shape[1] == 64, by)
    found = tried(BEST)
    assert not found["right"]
    assert found["reason"].startswith(f"products of 64 x 576 x 512 in {name} are ")
    assert found["chosen"] == {**BEST, "threads": 1}


def test_wrong_attention_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    real = torch.nn.functional.scaled_dot_product_attention

    def attention(query: Any, *others: Any, is_causal: bool) -> Any:
        return real(query, *others, is_causal=False)

    monkeypatch.setattr(torch.nn.functional, "scaled_dot_product_attention", attention)
    assert tried(BEST)["reason"].startswith("attention of 40 over 40 tokens in float32 are ")


def test_what_is_wrong_with_onednn_alone_is_left_out_for_one_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    switch = torch.backends.mkldnn
    for wrong_mode in (True, False):
        with monkeypatch.context() as patch:
            wrong_where(
                patch,
                lambda x, w, mode=wrong_mode: (
                    (x.dtype is torch.bfloat16 and w.shape == (1536, 576) and x.shape[1] == 1)
                    and switch.enabled is mode
                ),
            )
            found = tried(BEST)
            assert found["right"]
            assert found["chosen"]["one_row_onednn"] is not wrong_mode


def test_one_row_that_is_wrong_either_way_fails_the_level(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong_where(monkeypatch, lambda x, w: x.dtype is torch.bfloat16 and w.shape == (1536, 576))
    found = tried(NO_ONEDNN)
    assert not found["right"]
    assert "products of 1 x 576 x 1536 in bfloat16" in found["reason"]


def test_wrong_float16_is_computed_with_32_bits_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong_where(monkeypatch, lambda x, w: x.dtype is torch.float16)
    found = tried(BEST)
    assert found["right"]
    assert found["chosen"]["auto_dtype"]["float16"] == "float32"
    assert found["notes"] == ["Models of float16 are computed with 32 bits: float16 is wrong here."]


def test_the_safest_level_leaves_16_bits_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong_where(monkeypatch, lambda x, w: x.dtype is torch.bfloat16)
    assert tried(SAFEST)["right"]
    assert not tried(NO_ONEDNN)["right"]


def test_what_is_tried_takes_a_models_threads_and_what_it_is_compared_with_takes_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Several threads that wait for one another made the trial twice as long."""
    tried_with, compared_with = set[int](), set[int]()
    functional, compare = torch.nn.functional, trial.Checks._wrong

    def noting(real: Callable[..., Any]) -> Callable[..., Any]:
        def noted(*args: Any, **named: Any) -> Any:
            tried_with.add(torch.get_num_threads())
            return real(*args, **named)

        return noted

    for name in ("linear", "scaled_dot_product_attention"):
        monkeypatch.setattr(functional, name, noting(getattr(functional, name)))

    def compared(*args: Any) -> str:
        compared_with.add(torch.get_num_threads())
        return compare(*args)

    monkeypatch.setattr(trial.Checks, "_wrong", compared)
    torch.set_num_threads(2)
    assert trial.Checks(BEST).first_wrong() == ""
    assert (tried_with, compared_with) == ({2}, {1})
    assert torch.get_num_threads() == 2


# ---- the faster one ----


def test_each_type_is_measured_on_usual_numbers_of_one_memory() -> None:
    """Zeros, infinities or tiny numbers would take another time than a model's weights."""
    measured, places = trial_speed._Measured(BEST), set[int]()
    for name in ("bfloat16", "float16", "float32"):
        matrices = measured._matrices(name)
        assert [tuple(matrix.shape) for matrix in matrices] == list(trial_speed._SHAPES)
        assert {matrix.dtype for matrix in matrices} == {getattr(torch, name)}
        value = matrices[0][0, 0]
        assert 0.4 < value < 2
        assert all(bool((matrix == value).all()) for matrix in matrices)
        places.add(matrices[0].data_ptr())
    assert len(places) == 1


def clock_of(monkeypatch: pytest.MonkeyPatch, seconds: Callable[[str, int, bool], float]) -> None:
    """Let products take so long as a rule says, of their number type, rows and oneDNN."""
    now = [0.0]

    def linear(tokens: Any, weight: Any) -> None:
        name = str(tokens.dtype).removeprefix("torch.")
        now[0] += seconds(name, tokens.shape[1], torch.backends.mkldnn.enabled)

    monkeypatch.setattr(torch.nn.functional, "linear", linear)
    monkeypatch.setattr(trial_speed._least, "__defaults__", (lambda: now[0],))


def faster(settings: Any = BEST, float16: bool = True) -> dict[str, Any]:
    modes = trial_speed.row_modes(settings)
    usable = {"one_row_onednn": modes, "float16": (float16,)}
    chosen, _figures = trial_speed.faster_settings({**settings, "threads": 1}, usable)
    return chosen


@pytest.mark.parametrize("with_is_faster", [True, False])
def test_the_faster_use_of_onednn_for_one_row_is_chosen(
    monkeypatch: pytest.MonkeyPatch, with_is_faster: bool
) -> None:
    slow, quick = 1.2, 1.0
    clock_of(
        monkeypatch,
        lambda name, rows, used: quick if rows > 1 or used is with_is_faster else slow,
    )
    assert faster()["one_row_onednn"] is with_is_faster


def test_a_tie_goes_to_the_rule(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = rule_for_one_row("bfloat16")
    clock_of(monkeypatch, lambda name, rows, used: 1.05 if used is rule else 1.0)
    assert faster()["one_row_onednn"] is rule


@pytest.mark.parametrize(
    ("seconds", "bfloat16", "float16"),
    [
        ({"bfloat16": (1, 1), "float16": (1, 1), "float32": (2, 3)}, "bfloat16", "float16"),
        # slower, but not by so much that twice the memory is worth it
        ({"bfloat16": (1.2, 1.2), "float16": (1, 9), "float32": (1, 1)}, "bfloat16", "float32"),
        # no unit for 16 bits: long prompts would take for ever
        ({"bfloat16": (1, 40), "float16": (1, 40), "float32": (2, 1)}, "float32", "float32"),
        # quick in writing alone is not enough for float16
        ({"bfloat16": (1, 2), "float16": (1, 2), "float32": (9, 1)}, "bfloat16", "float32"),
    ],
)
def test_number_types_are_chosen_by_what_an_answer_takes(
    monkeypatch: pytest.MonkeyPatch, seconds: Any, bfloat16: str, float16: str
) -> None:
    clock_of(monkeypatch, lambda name, rows, used: seconds[name][rows > 1])
    assert faster()["auto_dtype"] == {"bfloat16": bfloat16, "float16": float16}


def test_threads_are_measured_where_there_is_a_choice(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = {**BEST, "threads": None}
    usable = {"one_row_onednn": (True,), "float16": (True,)}
    for others, quick, expected in (((), 1, None), ((4,), 1, None), ((4,), 4, 4)):
        torch.set_num_threads(1)
        now = [0.0]

        def linear(tokens: Any, weight: Any, now: Any = now, quick: int = quick) -> None:
            now[0] += 1.0 if torch.get_num_threads() == quick else 2.0

        monkeypatch.setattr(torch.nn.functional, "linear", linear)
        monkeypatch.setattr(trial_speed.cores, "other_thread_counts", lambda others=others: others)
        monkeypatch.setattr(trial_speed.time, "perf_counter", lambda now=now: now[0])
        chosen, _figures = trial_speed.faster_settings(settings, usable)
        assert chosen["threads"] == expected
        monkeypatch.undo()


# ---- what is chosen is heeded ----


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_directory(tmp_path_factory.mktemp("verdict") / "tiny")


def loaded(folder: Path, settings: dict[str, Any], **config: Any) -> PyTorchInferencer:
    inferencer = PyTorchInferencer()
    inferencer.verdict = {"settings": settings}
    inferencer.load_model(str(folder), asdict(ModelConfig(**config)))
    return inferencer


def test_onednn_is_off_where_it_was_wrong(folder: Path) -> None:
    assert loaded(folder, {"onednn": True}, n_threads=1).is_loaded
    assert torch.backends.mkldnn.enabled
    loaded(folder, {"onednn": False}, n_threads=1)
    assert not torch.backends.mkldnn.enabled


def test_threads_of_the_user_come_before_those_of_the_trial(folder: Path) -> None:
    assert loaded(folder, {"threads": 3}).get_model_info()["threads"] == 3
    assert loaded(folder, {"threads": 3}, n_threads=1).get_model_info()["threads"] == 1


@pytest.mark.parametrize("measured", ["float32", "bfloat16"])
def test_auto_takes_the_measured_number_type(folder: Path, measured: str) -> None:
    from transformers import AutoConfig

    stored = str(AutoConfig.from_pretrained(folder).dtype).removeprefix("torch.")
    inferencer = loaded(folder, {"auto_dtype": {stored: measured}}, n_threads=1)
    assert inferencer.model.dtype is getattr(torch, measured)
    asked = loaded(folder, {"auto_dtype": {stored: measured}}, n_threads=1, torch_dtype="float32")
    assert asked.model.dtype is torch.float32


def test_onednn_is_left_out_for_one_row_as_measured() -> None:
    model = torch.nn.Linear(2, 2).to(torch.bfloat16)
    model.dtype = torch.bfloat16
    assert isinstance(one_row_products(model, CPU, False), OneDnnOff)
    assert not isinstance(one_row_products(model, CPU, True), OneDnnOff)
    usual = isinstance(one_row_products(model, CPU), OneDnnOff)
    assert usual is not rule_for_one_row("bfloat16")
    model.dtype = torch.float32
    assert not isinstance(one_row_products(model, CPU, False), OneDnnOff)
