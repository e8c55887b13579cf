"""Several answers at once: the same cases over every engine that writes them.

What a model would write differs from machine to machine: no answer ends by itself here, and where
its text matters it is prescribed, token for token.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
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
END_TOKEN = 0  # of the starter models, which is in no text
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
    with pytest.MonkeyPatch.context() as patch:
        ending_with(inferencer, (), patch)
        yield inferencer
    inferencer.unload_model()


def is_gguf(engine: Any) -> bool:
    return hasattr(engine, "_context")


def ending_with(engine: Any, tokens: Collection[int], patch: pytest.MonkeyPatch) -> None:
    """Have an answer end with these tokens alone."""
    if is_gguf(engine):
        patch.setattr(engine.model, "ends_answer", lambda token: token in tokens)
    else:
        patch.setattr(engine, "_end_tokens", frozenset(tokens))


def prescribe(engine: Any, answers: Sequence[str], patch: pytest.MonkeyPatch) -> list[int]:
    """Have the model choose the tokens of these texts, that of a seed each; return how many."""
    if is_gguf(engine):
        from runners.engines.gguf.sampling import GGUFSampler as Sampler

        ids = [engine.model.tokens(text, add_special=False, special=False) for text in answers]
    else:
        from runners.engines.pytorch.sampling import TorchSampler as Sampler  # type: ignore[assignment]

        ids = [engine.tokenizer.encode(text, add_special_tokens=False) for text in answers]
    begin: Any = Sampler.__init__
    ending_with(engine, (END_TOKEN,), patch)

    def noted(sampler: Any, *arguments: Any) -> None:
        begin(sampler, *arguments)
        (settings,) = (one for one in arguments if isinstance(one, ModelConfig))
        assert settings.seed is not None
        sampler.prescribed = iter([*ids[settings.seed], END_TOKEN])

    patch.setattr(Sampler, "__init__", noted)
    patch.setattr(Sampler, "next", lambda sampler, *_scores: next(sampler.prescribed))
    return [len(of_it) for of_it in ids]


def settings_of(engine: Any, patch: pytest.MonkeyPatch, **changed: Any) -> None:
    """Change settings of a loaded engine that its answers alone depend on."""
    patch.setattr(engine, "_config", replace(engine._config, **changed))


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
        assert (last.reason, len(middle)) == ("length", MOST_TOKENS)
    sizes = [piece.batch for _, piece in pieces if isinstance(piece, End)]
    assert max(sizes) == AT_ONCE
    assert all(1 <= size <= AT_ONCE for size in sizes)


def test_they_are_written_at_once(first: Told) -> None:
    writers = [number for number, piece in first if isinstance(piece, TokenText)]
    changes = sum(before != after for before, after in pairwise(writers))
    assert changes > len(ASKED), "their tokens come in turn, not one answer after another"


def test_the_same_batch_twice_is_the_same(engine: BaseInferencer, first: Told) -> None:
    assert texts(told(engine)) == texts(first)


def test_each_draws_by_its_own_seed(
    engine: BaseInferencer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the whole vocabulary and at the highest temperature no two draw the same six tokens."""
    settings_of(engine, monkeypatch, temperature=2.0, top_k=0, top_p=1.0, min_p=0.0)
    drawn = texts(told(engine, [ASKED[4]] * 3, (7, 8, 9)))
    assert len(set(drawn.values())) == 3


def test_each_text_comes_whole_whatever_is_written_beside_it(
    engine: BaseInferencer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Characters go over several tokens, and places are taken over in the middle of others."""
    answers = ["你好，世界 😀👩\u200d🚀 ünïcödé", "", "yes", "naïve café — €5", "🇨🇭 🏳️\u200d🌈"]
    settings_of(engine, monkeypatch, max_tokens=60)
    counts = prescribe(engine, answers, monkeypatch)
    pieces = told(engine)
    assert texts(pieces) == dict(enumerate(answers))
    for number, (_prompt, *middle, end) in by_answer(pieces).items():
        assert (len(middle), end.reason) == (counts[number], "stop")


def test_llama_cpp_is_given_sequences_that_follow_one_another(
    engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It computes those together, as many tokens of each; what differs it computes by itself.

    Ends leave gaps, and prompts differ in length.
    """
    if not is_gguf(engine):
        pytest.skip("for llama.cpp")
    read, steps, lengths = engine._context.read_mixed, [], []

    def noted(batch: Any, parts: Any) -> Any:
        steps.append([part.sequence for part in parts])
        lengths.append({len(part.tokens) for part in parts} - {1})
        return read(batch, parts)

    monkeypatch.setattr(engine._context, "read_mixed", noted)
    settings_of(engine, monkeypatch, max_tokens=60)
    answers = ["one " * 16, "one " * 20, "one " * 24]
    prescribe(engine, answers, monkeypatch)
    asked = [ASKED[0], ASKED[3], ASKED[4]]
    assert texts(told(engine, asked)) == dict(enumerate(answers))
    assert steps == [list(range(len(step))) for step in steps]
    assert {len(step) for step in steps} == {1, 2, AT_ONCE}
    assert max(map(len, lengths)) == 1


def test_what_prompts_begin_with_alike_is_read_once(
    engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the one that has read it ends before another comes to read."""
    if not is_gguf(engine):
        pytest.skip("for llama.cpp")
    read, counts = engine._context.read_mixed, []

    def noted(batch: Any, parts: Any) -> Any:
        counts.append(sum(len(part.tokens) for part in parts))
        return read(batch, parts)

    monkeypatch.setattr(engine._context, "read_mixed", noted)
    prescribe(engine, [""] * 4, monkeypatch)
    pieces = told(engine, [ASKED[2]] * 4)
    assert texts(pieces) == dict.fromkeys(range(4), "")
    (length,) = {piece.prompt_tokens for _, piece in pieces if isinstance(piece, PromptTokens)}
    assert counts == [length, 3], "of each further one its last token alone"
    counts.clear()
    monkeypatch.setattr(engine._context, "copy_beginning", lambda *_a: False)
    assert texts(told(engine, [ASKED[2]] * 4)) == dict.fromkeys(range(4), "")
    assert sum(counts) == 4 * length, "where it cannot be copied all of each is read"


def test_one_that_does_not_fit_is_refused_alone(engine: BaseInferencer) -> None:
    answers = by_answer(told(engine, [ASKED[0], TOO_LONG, ASKED[3]]))
    (refused,) = answers[1]
    assert isinstance(refused, Refused)
    assert isinstance(refused.error, PromptTooLongError)
    assert all(isinstance(answers[number][-1], End) for number in (0, 2))
    (only,) = by_answer(told(engine, [TOO_LONG, TOO_LONG]))[1]
    assert isinstance(only, Refused)


def test_one_whose_prompt_cannot_be_made_is_refused_alone(
    engine: BaseInferencer, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "_prompt" if is_gguf(engine) else "_checked_prompt"
    make = getattr(engine, name)

    def fail(conversation: Conversation) -> Any:
        if conversation.question == ASKED[1]:
            raise InferenceError("The model's chat template fails.")
        return make(conversation)

    monkeypatch.setattr(engine, name, fail)
    answers = by_answer(told(engine))
    (refused,) = answers.pop(1)
    assert isinstance(refused, Refused)
    assert str(refused.error) == "The model's chat template fails."
    assert {of_it[-1].reason for of_it in answers.values()} == {"length"}


def test_the_batch_of_an_answer_is_how_many_shared_a_step(
    engine: BaseInferencer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PyTorch reads prompts of unlike length by themselves; these end with their first token.

    llama.cpp reads first what they begin with alike, by the first, which writes on here.
    """
    together = 2 if is_gguf(engine) else 1
    prescribe(engine, ["one two" if is_gguf(engine) else "", ""], monkeypatch)
    answers = by_answer(told(engine, [ASKED[0], ASKED[2]]))
    assert [answers[number][-1].batch for number in (0, 1)] == [together, together]


def test_a_class_derived_from_an_engine_keeps_its_own_pieces(
    engine: BaseInferencer, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Derived(type(engine)):  # type: ignore[misc]
        def pieces(self, prompt: Any) -> Iterator[Any]:
            yield PromptTokens(1, "mine", "none")
            yield End("stop", f"mine {self.seed}")

    monkeypatch.setattr(engine, "__class__", Derived)
    assert texts(told(engine, ASKED[:2], (5, 6))) == {0: "mine 5", 1: "mine 6"}


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
    engine: BaseInferencer, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings_of(engine, monkeypatch, max_tokens=60, stop=["STOP"])
    answers = ["one STOP two three four", "one two", "STOP", "S T O P STO", "xSTOPy"]
    counts = prescribe(engine, answers, monkeypatch)
    pieces = told(engine)
    assert texts(pieces) == {0: "one ", 1: "one two", 2: "", 3: "S T O P STO", 4: "x"}
    answers_told = by_answer(pieces)
    assert {of_it[-1].reason for of_it in answers_told.values()} == {"stop"}
    assert len(answers_told[0]) - 2 < counts[0], "what follows a stop text is not written"


def test_a_failure_loses_no_token_that_was_kept_back(
    engine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.is_due = lambda: False
    steps: list[int] = []
    error = InferenceError if is_gguf(engine) else RuntimeError  # which is PyTorch's own

    def failing(step: Callable[..., Any]) -> Callable[..., Any]:
        def fail(*arguments: Any) -> Any:
            steps.append(1)
            if len(steps) > 4:
                raise error("It failed.")
            return step(*arguments)

        return fail

    if is_gguf(engine):
        monkeypatch.setattr(engine._context, "read_mixed", failing(engine._context.read_mixed))
    else:
        from runners.engines.pytorch.batch_forward import BatchReader

        step = BatchReader.step
        monkeypatch.setattr(BatchReader, "step", failing(step))
    pieces: Told = []
    with pytest.raises(error, match=r"It failed\."):
        pieces.extend(engine.pieces_of_all([Conversation.of(ASKED[2])] * 3, range(3), 3))
    tokens = Counter(number for number, piece in pieces if isinstance(piece, TokenText))
    assert len(tokens) == 3
    assert max(tokens.values()) >= 4
    assert min(tokens.values()) >= 3, "those of llama.cpp begin after the first, which they share"
