"""Several answers at once: the same cases over every engine that writes them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any

import pytest

from comparator.core.config import ModelConfig
from comparator.core.conversation import Conversation
from comparator.core.exceptions import InferenceError, PromptTooLongError
from runners import registry
from runners.base import BaseInferencer, End, PromptTokens, Refused, TokenText
from runners.registry import create_inferencer

GGUF_LIBRARIES = ("llama_cpp", "xllamacpp")
AT_ONCE, MOST_TOKENS, CONTEXT = 3, 6, 192
ASKED = [
    "Say only the word yes.",
    "Repeat exactly: 你好，世界 😀👩‍🚀 ünïcödé",
    "List, one after another, all of these: " + "a fox, a hare, " * 15,
    "What is the capital of France?",
    "用一句话介绍人工智能。",
]
TOO_LONG = "a very long story " * 200
Told = list[tuple[int, Any]]


@pytest.fixture(scope="module", params=[*GGUF_LIBRARIES, "pytorch"])
def engine(request: pytest.FixtureRequest) -> Iterator[BaseInferencer]:
    """An engine with room for a few answers, loaded once for all tests."""
    models = request.getfixturevalue("starter_models")
    with pytest.MonkeyPatch.context() as patch:
        kind = request.param
        if kind in GGUF_LIBRARIES:
            pytest.importorskip(kind)
            patch.setenv(registry.CHOICE, kind)
            kind = "gguf"
        inferencer = create_inferencer(kind)
    inferencer.batch = AT_ONCE
    # One thread: on a busy machine two threads wait for each other at every matrix.
    config = ModelConfig(max_tokens=MOST_TOKENS, n_ctx=CONTEXT, n_threads=1, temperature=1.2)
    path = models["gguf_q2_k" if kind == "gguf" else "pytorch"]
    inferencer.load_model(path, config)  # type: ignore[arg-type]
    assert inferencer.fallbacks == []
    yield inferencer
    inferencer.unload_model()


@pytest.fixture(scope="module")
def first(engine: BaseInferencer) -> Told:
    """What it tells of all questions the first time."""
    return told(engine)


@pytest.fixture(autouse=True)
def as_before(engine: BaseInferencer) -> Iterator[None]:
    """Leave the engine as it was found."""
    yield
    engine.should_stop, engine.is_due = lambda: False, lambda: True


def told(
    engine: BaseInferencer, asked: Sequence[str] = ASKED, seeds: Sequence[int] = (), most: int = 3
) -> Told:
    prompts = [Conversation.of(one) for one in asked]
    return list(engine.pieces_of_all(prompts, seeds or range(len(asked)), most))


def by_answer(pieces: Told) -> dict[int, list[Any]]:
    found: dict[int, list[Any]] = {}
    for number, piece in pieces:
        found.setdefault(number, []).append(piece)
    return found


def texts(pieces: Told) -> dict[int, str]:
    return {
        number: "".join(one.text for one in of_it if isinstance(one, (TokenText, End)))
        for number, of_it in by_answer(pieces).items()
    }


def test_each_has_its_prompt_its_tokens_and_one_end(first: Told) -> None:
    pieces = first
    answers = by_answer(pieces)
    assert sorted(answers) == list(range(len(ASKED)))
    for number, (prompt, *middle, last) in answers.items():
        assert isinstance(prompt, PromptTokens)
        assert ASKED[number].strip() in prompt.rendered_prompt
        assert all(isinstance(piece, TokenText) for piece in middle)
        assert isinstance(last, End)
        assert (last.reason, len(middle) == MOST_TOKENS) in (("length", True), ("stop", False))
        assert "\ufffd" not in "".join(piece.text for piece in middle[:-1])
    sizes = [piece.batch for _, piece in pieces if isinstance(piece, End)]
    assert max(sizes) == AT_ONCE
    assert all(1 <= size <= AT_ONCE for size in sizes)


def test_they_are_written_at_once(first: Told) -> None:
    writers = [number for number, piece in first if isinstance(piece, TokenText)]
    changes = sum(before != after for before, after in pairwise(writers))
    assert changes > len(ASKED), "their tokens come in turn, not one answer after another"


def test_the_same_batch_twice_is_the_same(engine: BaseInferencer, first: Told) -> None:
    assert texts(told(engine)) == texts(first)


def test_each_draws_by_its_own_seed(engine: BaseInferencer) -> None:
    drawn = texts(told(engine, [ASKED[4]] * 3, (7, 8, 9)))
    assert len(set(drawn.values())) > 1


def test_one_that_does_not_fit_is_refused_alone(engine: BaseInferencer) -> None:
    answers = by_answer(told(engine, [ASKED[0], TOO_LONG, ASKED[3]]))
    (refused,) = answers[1]
    assert isinstance(refused, Refused)
    assert isinstance(refused.error, PromptTooLongError)
    assert all(isinstance(answers[number][-1], End) for number in (0, 2))
    (only,) = by_answer(told(engine, [TOO_LONG, TOO_LONG]))[1]
    assert isinstance(only, Refused)


def test_a_stop_ends_those_under_way_and_begins_no_other(engine: BaseInferencer) -> None:
    asked: list[bool] = []
    engine.should_stop = lambda: asked.append(True) or len(asked) > 4  # type: ignore[func-returns-value]
    answers = by_answer(told(engine, [ASKED[2]] * 5))
    ends = [of_it[-1] for of_it in answers.values()]
    assert len(answers) == AT_ONCE
    assert {end.reason for end in ends} == {"cancelled"}
    assert all(0 < len(of_it) - 2 < MOST_TOKENS for of_it in answers.values())


def test_a_stop_before_anything_is_read(engine: BaseInferencer) -> None:
    engine.should_stop = lambda: True
    answers = by_answer(told(engine))
    assert all(isinstance(of_it[-1], End) for of_it in answers.values())
    assert not any(isinstance(piece, TokenText) for of_it in answers.values() for piece in of_it)


def test_what_is_kept_back_is_told_with_its_time(engine: BaseInferencer, first: Told) -> None:
    engine.is_due = lambda: False
    pieces = told(engine)
    assert texts(pieces) == texts(first)
    times = [piece.at for number, piece in pieces if isinstance(piece, TokenText) and number == 1]
    assert None not in times
    assert times == sorted(times)


def test_one_at_once_is_what_an_answer_by_itself_is(engine: BaseInferencer) -> None:
    in_turn = texts(told(engine, ASKED[:2], (5, 6), most=1))
    for number, seed in enumerate((5, 6)):
        engine.seed = seed
        alone = list(engine.pieces(Conversation.of(ASKED[number])))
        assert texts([(number, piece) for piece in alone]) == {number: in_turn[number]}
    engine.seed = None


def test_the_next_answers_know_nothing_of_those_that_were_stopped(
    engine: BaseInferencer, first: Told
) -> None:
    asked: list[bool] = []
    engine.should_stop = lambda: asked.append(True) or len(asked) > 3  # type: ignore[func-returns-value]
    told(engine, [ASKED[2]] * 4)
    engine.should_stop = lambda: False
    assert texts(told(engine)) == texts(first)


def test_a_stop_text_ends_its_answer_alone(
    engine: BaseInferencer, first: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = texts(first)
    stop = next(word for word in whole[2].split() if whole[2].find(word) > 0)
    settings = ModelConfig(
        max_tokens=MOST_TOKENS, n_ctx=CONTEXT, n_threads=1, temperature=1.2, stop=[stop]
    )
    monkeypatch.setattr(engine, "_config", settings)
    pieces = told(engine)
    found = texts(pieces)
    assert found[2] == whole[2][: whole[2].index(stop)]
    assert by_answer(pieces)[2][-1].reason == "stop"


def test_a_failure_loses_no_token_that_was_kept_back(
    engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.is_due = lambda: False
    steps: list[int] = []

    def failing(step: Callable[..., Any]) -> Callable[..., Any]:
        def fail(*arguments: Any) -> Any:
            steps.append(1)
            if len(steps) > 4:
                raise InferenceError("It failed.")
            return step(*arguments)

        return fail

    if hasattr(engine, "_context"):
        monkeypatch.setattr(engine._context, "read_mixed", failing(engine._context.read_mixed))
    else:
        from runners.engines.pytorch.batch_forward import BatchReader

        step = BatchReader.step
        monkeypatch.setattr(BatchReader, "step", failing(step))
    pieces: Told = []
    with pytest.raises(InferenceError, match=r"It failed\."):
        pieces.extend(engine.pieces_of_all([Conversation.of(ASKED[2])] * 3, range(3), 3))
    tokens = Counter(number for number, piece in pieces if isinstance(piece, TokenText))
    assert len(tokens) == 3
    assert min(tokens.values()) >= 4
