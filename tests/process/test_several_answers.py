"""One child answers several conversations: its model is loaded once, and each is told apart."""

from __future__ import annotations

import pytest

from runners import protocol

pytestmark = pytest.mark.process
PROMPTS = ["one two", [{"role": "user", "content": "three"}], "four"]


def ends(played) -> list[tuple[int, str, int]]:
    answered = [m for m in played.messages if isinstance(m, protocol.Answered)]
    return [(m.answer, m.reason, m.tokens) for m in answered]


def words(played) -> list[tuple[int, str]]:
    return [(m.answer, m.text) for m in played.messages if isinstance(m, protocol.Token)]


def test_they_are_answered_in_order_by_one_load(echo_model, play):
    played = play(echo_model(), PROMPTS)
    assert isinstance(played.final, protocol.Finished)
    assert ends(played) == [(0, "stop", 2), (1, "stop", 1), (2, "stop", 1)]
    assert words(played) == [(0, "one "), (0, "two"), (1, "three"), (2, "four")]
    assert sum(isinstance(message, protocol.Loaded) for message in played.messages) == 1


def test_a_crash_keeps_what_was_answered_before(echo_model, play):
    played = play(echo_model(fault="sigsegv", fault_after=1), ["one", "two two"])
    assert isinstance(played.final, protocol.Crashed)
    assert ends(played) == [(0, "stop", 1)]
    assert played.final.stage == "generate"


def test_a_stop_between_tokens_ends_all(echo_model, begin, wait_until):
    played = begin(echo_model(tokens_per_second=20), ["a b c d e f g h", "never"])
    assert wait_until(lambda: played.seen(protocol.Token))
    played.run.stop()
    assert isinstance(played.to_end().final, protocol.Cancelled)
    assert all(answer == 0 for answer, _text in words(played))


@pytest.mark.model
@pytest.mark.parametrize("key", ["gguf_q4_1", "pytorch"])
def test_real_models_answer_each_as_if_it_were_alone(starter_models, play, key):
    from comparator.core.models import ModelInfo, ModelType

    kind = ModelType.PYTORCH if key == "pytorch" else ModelType.GGUF
    model = ModelInfo("", key, starter_models[key], kind, 0)
    settings = {"max_tokens": 6, "do_sample": False, "n_ctx": 512, "n_threads": 1}
    prompts = ["What is the capital of France?", "Count to three."]
    together = play(model, [*prompts, prompts[0]], settings=settings)
    assert isinstance(together.final, protocol.Finished), together.final
    texts: dict[int, str] = {}
    for answer, text in words(together):
        texts[answer] = texts.get(answer, "") + text
    alone = [play(model, prompt, settings=settings).text for prompt in prompts]
    assert [texts[0], texts[1], texts[2]] == [*alone, alone[0]]
