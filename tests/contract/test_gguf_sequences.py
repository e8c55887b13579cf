"""Several conversations in one context of llama.cpp compute what each computes by itself."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy
import pytest
from wide_gguf import write_wide_gguf

from comparator.core.exceptions import EngineMissingError, ModelLoadError
from runners.engines.gguf import library, several
from runners.engines.gguf.mixed_batch import MixedBatch, Part
from runners.engines.gguf.model import GGUFContext, GGUFModel, Scores

TEXTS = ([5, 6, 7, 8, 9, 10, 11], [20, 21, 22], [30, 31, 32, 33, 34])
LIMIT = 256


@pytest.fixture(params=["llama_cpp", "xllamacpp"])
def model(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[GGUFModel]:
    pytest.importorskip(request.param)
    path = write_wide_gguf(tmp_path / "wide.gguf")
    made = GGUFModel.load(str(path), llama=library.of_name(request.param))
    yield made
    made.close()


def scores(found: Scores) -> Any:
    pointer = found.logits()
    return numpy.ctypeslib.as_array(pointer, (found.vocabulary_size,)).copy()


def alone(model: GGUFModel, text: list[int]) -> Any:
    context = GGUFContext(model, LIMIT, 1)
    try:
        assert context.read(text, lambda: False)
        return scores(context)
    finally:
        context.close()


def at(context: GGUFContext, place: int) -> Any:
    found = Scores(context.llama, context.pointer, context.vocabulary_size)
    found.output = place
    return scores(found)


def is_close(found: Any, expected: Any) -> bool:
    return bool(numpy.linalg.norm(found - expected) < 0.02 * numpy.linalg.norm(expected))


def test_each_sees_its_own_text_alone(model: GGUFModel) -> None:
    first, second, third = TEXTS
    context = GGUFContext(model, LIMIT, 1, sequences=2)
    batch = MixedBatch(model.llama, 64, 2)
    try:
        (place, _) = context.read_mixed(
            batch, [Part(0, 0, first[:4], True), Part(1, 0, second[:1], False)]
        )
        assert is_close(at(context, place), alone(model, first[:4]))
        places = context.read_mixed(
            batch, [Part(1, 1, second[1:], True), Part(0, 4, first[4:5], True)]
        )
        assert is_close(at(context, places[0]), alone(model, second))
        assert is_close(at(context, places[1]), alone(model, first[:5]))
        context.forget(0)
        places = context.read_mixed(batch, [Part(0, 0, third, True), Part(1, 3, [40], True)])
        assert is_close(at(context, places[0]), alone(model, third))
        assert is_close(at(context, places[1]), alone(model, [*second, 40]))
    finally:
        context.close()
    assert not is_close(alone(model, first), alone(model, third)), "another text, other scores"


def test_one_that_is_moved_goes_on_where_it_was(model: GGUFModel) -> None:
    first, second, third = TEXTS
    context = GGUFContext(model, LIMIT, 1, sequences=3)
    batch = MixedBatch(model.llama, 64, 3)
    try:
        context.read_mixed(batch, [Part(n, 0, text[:-1], True) for n, text in enumerate(TEXTS)])
        context.forget(0)
        assert context.can_copy
        context.move(2, 0)
        places = context.read_mixed(
            batch,
            [
                Part(0, len(third) - 1, third[-1:], True),
                Part(1, len(second) - 1, second[-1:], True),
            ],
        )
        assert is_close(at(context, places[0]), alone(model, third))
        assert is_close(at(context, places[1]), alone(model, second))
        (place,) = context.read_mixed(batch, [Part(2, 0, first, True)])
        assert is_close(at(context, place), alone(model, first)), "its old place is empty"
    finally:
        context.close()


def test_one_that_begins_like_another_goes_on_from_there(model: GGUFModel) -> None:
    first, second, _ = TEXTS
    context = GGUFContext(model, LIMIT, 1, sequences=3)
    batch = MixedBatch(model.llama, 64, 3)
    try:
        context.read_mixed(batch, [Part(0, 0, first, False)])
        assert context.copy_beginning(0, 2, 4)
        places = context.read_mixed(batch, [Part(0, 7, [40], True), Part(2, 4, second, True)])
        assert is_close(at(context, places[0]), alone(model, [*first, 40]))
        assert is_close(at(context, places[1]), alone(model, [*first[:4], *second]))
    finally:
        context.close()


def test_what_is_not_kept_from_the_first_token_is_not_copied(
    model: GGUFModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sliding window keeps the latest tokens alone; of a running state none can be removed."""
    first, second, _ = TEXTS
    context = GGUFContext(model, LIMIT, 1, sequences=2)
    batch = MixedBatch(model.llama, 64, 2)
    remove = model.llama.llama_memory_seq_rm
    refusals = {
        "llama_memory_seq_pos_min": lambda *_arguments: 2,
        "llama_memory_seq_rm": lambda *of: remove(*of) if of[2:] == (-1, -1) else False,
    }
    try:
        context.read_mixed(batch, [Part(0, 0, first, False)])
        for name, refusal in refusals.items():
            with monkeypatch.context() as patch:
                patch.setattr(model.llama, name, refusal)
                assert not context.copy_beginning(0, 1, 4)
            (place,) = context.read_mixed(batch, [Part(1, 0, second, True)])
            assert is_close(at(context, place), alone(model, second)), "its sequence was empty"
            context.forget(1)
    finally:
        context.close()


def test_there_is_room_for_as_many_contexts_as_are_wanted(model: GGUFModel) -> None:
    context, said = several.room_for(3, model, LIMIT, 1, "auto", "f16")
    assert (context.sequences, context.limit, said) == (3, LIMIT, [])
    context.close()


def test_none_looks_through_the_tokens_of_others(model: GGUFModel) -> None:
    """In one cache for all each token would be compared with those of all."""
    if not hasattr(model.llama, "llama_n_ctx_seq"):
        pytest.skip("this library is not asked for it")
    context = GGUFContext(model, LIMIT, 1, sequences=3)
    try:
        assert model.llama.llama_n_ctx_seq(context.pointer) == LIMIT
    finally:
        context.close()


def test_where_memory_has_no_room_there_are_fewer_and_it_is_said(
    model: GGUFModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = several.GGUFContext

    def refuse(*arguments: Any) -> Any:
        if arguments[-1] > 2:
            raise ModelLoadError("There is no memory.")
        return made(*arguments)

    monkeypatch.setattr(several, "GGUFContext", refuse)
    context, said = several.room_for(8, model, LIMIT, 1, "auto", "f16")
    context.close()
    assert context.sequences == 2
    assert said == [
        "2 answers are written at once instead of 8: there was no memory for more contexts of 256 "
        "tokens."
    ]
    monkeypatch.setattr(several, "GGUFContext", lambda *_a: refuse(9))
    with pytest.raises(ModelLoadError):
        several.room_for(8, model, LIMIT, 1, "auto", "f16")


def test_a_library_that_keeps_one_conversation_alone_is_used_for_one(
    model: GGUFModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = several.GGUFContext

    def without_sequences(*arguments: Any) -> Any:
        if arguments[-1] > 1:
            raise EngineMissingError("llama_context_params has no field kv_unified")
        return made(*arguments)

    monkeypatch.setattr(several, "GGUFContext", without_sequences)
    context, said = several.room_for(8, model, LIMIT, 1, "auto", "f16")
    context.close()
    assert context.sequences == 1
    assert said[0].startswith("Answers are written one after another")
    bare = SimpleNamespace(llama=SimpleNamespace())
    monkeypatch.setattr(several, "GGUFContext", lambda *arguments: arguments[-1])
    assert several.room_for(8, bare, LIMIT, 1, "auto", "f16") == (1, said)  # type: ignore[arg-type]
