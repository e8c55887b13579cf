"""The trial of llama.cpp: right numbers are believed, wrong ones are found and named."""

from __future__ import annotations

import json

import pytest
import tiny_reference

from comparator.memory import need
from runners.engines.gguf import library, tiny_model, trial, trial_model
from runners.engines.gguf.trial_reference import REFERENCE, TOKENS

SETTINGS = {"use_extra_bufts": True, "flash_attention": "auto", "threads": 1}
SAFEST = {"use_extra_bufts": False, "flash_attention": "off", "threads": 1}


def tried(tmp_path, settings=SETTINGS, name="llama_cpp"):
    arguments = {"settings": settings, "library": name, "target": str(tmp_path / "trial")}
    return json.loads(trial.run(arguments, lambda *_: None, lambda: False))


@pytest.mark.parametrize("kind", tiny_model.BLOCK_TYPES)
def test_the_reference_is_what_numpy_computes(kind):
    assert tiny_reference.reference(kind) == REFERENCE[kind]


@pytest.mark.parametrize("kind", tiny_model.BLOCK_TYPES)
def test_weights_are_as_large_as_those_of_a_real_model(kind):
    for name, matrix in tiny_reference.weights(kind).items():
        assert abs(matrix.mean()) < 0.01, name
        assert 0.04 < matrix.std() < 0.09, name


@pytest.mark.parametrize("name", ["llama_cpp", "xllamacpp"])
@pytest.mark.parametrize("settings", [SETTINGS, SAFEST], ids=["best", "safest"])
def test_what_is_installed_computes_rightly(tmp_path, name, settings):
    pytest.importorskip(name)
    found = tried(tmp_path, settings, name)
    assert (found["right"], found["reason"]) == (True, "")
    assert found["chosen"].keys() == settings.keys()
    assert not list((tmp_path / "trial").iterdir())


def test_the_level_is_never_left_for_a_riskier_one(tmp_path):
    assert tried(tmp_path, SAFEST)["chosen"] == SAFEST


@pytest.mark.parametrize("kind", tiny_model.BLOCK_TYPES)
def test_scores_of_the_reference_itself_pass(kind):
    assert trial.difference(kind, tiny_reference.scores(kind).tolist()) == ""


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (slice(0, 40), "40 tokens at once"),
        (slice(32, 40), "40 tokens at once"),  # the rest that fills no tile
        (slice(40, 44), "one token"),
    ],
)
@pytest.mark.parametrize("kind", tiny_model.BLOCK_TYPES)
def test_wrong_rows_are_found_and_named(kind, rows, words):
    """Every wrong row has the scores of another position, as a mixed up tile would make."""
    scores = tiny_reference.scores(kind)
    scores[rows] = scores[rows][::-1]
    reason = trial.difference(kind, scores.tolist())
    assert reason == f"{kind} is computed wrongly when {words} is read"


@pytest.mark.parametrize("wrong", [0.0, float("nan"), float("inf"), 1e30])
def test_no_numbers_at_all_are_found(wrong):
    scores = tiny_reference.scores("Q4_1")
    scores[:] = wrong
    assert "Q4_1 is computed wrongly" in trial.difference("Q4_1", scores.tolist())


def test_scores_that_are_a_fifth_too_large_are_wrong():
    scores = tiny_reference.scores("Q8_0") * 1.2
    assert "Q8_0" in trial.difference("Q8_0", scores.tolist())


def test_a_library_that_computes_one_type_wrongly_is_not_right(tmp_path, monkeypatch):
    """The matrices of a type are others than the reference's, as if their kernel were wrong."""
    blocks = tiny_model.blocks

    def others(name, kind, rows):
        made = blocks(name, kind, rows)
        if kind == "Q5_K" and name == "blk.0.ffn_down":
            made[:, 48:] ^= 0x88
        return made

    monkeypatch.setattr(tiny_model, "blocks", others)
    found = tried(tmp_path)
    assert not found["right"]
    assert found["reason"] == "Q5_K is computed wrongly when 40 tokens at once is read"
    assert found["chosen"] == SETTINGS


def test_what_is_kept_a_second_time_in_memory_is_measured(tmp_path):
    """Whatever this processor keeps in another order, without extra buffers it is nothing."""
    figures = tried(tmp_path, SAFEST)["figures"]
    assert {figures[f"{trial.REPACKED_BITS}{kind}"] for kind in tiny_model.BLOCK_TYPES} == {0.0}


def test_what_this_processor_keeps_in_another_order_is_as_the_estimate_expects(tmp_path):
    """The table for a machine before its trial agrees with what llama.cpp does where it runs."""
    table = need._repacked_bits()
    for name, bits in tried(tmp_path)["figures"].items():
        kind = name.removeprefix(trial.REPACKED_BITS)
        if kind in table and bits:
            assert bits == pytest.approx(table[kind], rel=0.05)


def test_a_stopped_trial_is_no_verdict(tmp_path):
    arguments = {"settings": SETTINGS, "library": "llama_cpp", "target": str(tmp_path)}
    found = json.loads(trial.run(arguments, lambda *_: None, lambda: True))
    assert (found["right"], found["reason"]) == (False, "the trial was stopped")


def test_rows_read_alone_equal_rows_read_together(tmp_path):
    """The two halves of the trial see the same model."""
    path = tmp_path / "model.gguf"
    tiny_model.write(path, "F32")
    with library.log_kept(quiet=True):
        model = trial_model.TinyModel(library.library(), path, False)
        context = trial_model.TinyContext(model, SAFEST)
        together = context.read(TOKENS[:8])
        context.clear()
        alone = [context.read([token])[0] for token in TOKENS[:8]]
        context.close()
        model.close()
    for one, other in zip(together, alone, strict=True):
        assert one == pytest.approx(other, abs=1e-3)
