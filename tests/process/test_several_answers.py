"""One child answers several conversations: its model is loaded once, and each is told apart."""

from __future__ import annotations

import pytest

from comparator.core.exceptions import PromptTooLongError
from runners import protocol
from runners.base import BaseInferencer, End, PromptTokens, Refused, TokenText

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


# ---- several at once ----


class Interleaving(BaseInferencer):
    """Writes the words of as many prompts at once as it may; refuses one that says so."""

    def load_model(self, model_path, config):
        self.is_loaded = True

    def generate_stream(self, prompt):
        yield f"{prompt} {self.seed}"

    def unload_model(self): ...

    def get_model_info(self):
        return {}

    def pieces_of_all(self, prompts, seeds=(), most=1):
        assert most == self.batch
        waiting, open_ones = list(enumerate(prompts)), {}
        while waiting or open_ones:
            while waiting and len(open_ones) < most:
                number, prompt = waiting.pop(0)
                if "refused" in prompt:
                    yield number, Refused(PromptTooLongError("It is too long."))
                    continue
                open_ones[number] = [*prompt.split(), str(seeds[number])]
                yield number, PromptTokens(1, prompt, "none")
            for number, left in list(open_ones.items()):
                yield number, TokenText(left.pop(0) + " ")
                if not left or self.should_stop():
                    reason = "cancelled" if self.should_stop() else "stop"
                    yield number, End(reason, batch=len(open_ones))
                    del open_ones[number]


class Sequential(Interleaving):
    """Writes one answer after another, as it knows no other way."""

    pieces_of_all = BaseInferencer.pieces_of_all


SEVERAL = ["a b", "refused", "<think>c</think> d", "e"]


def test_answers_that_come_mixed_are_told_apart(custom_model, play):
    played = play(
        custom_model, SEVERAL, factories=(lambda _m: Interleaving(),), seeds=(5, 6, 7, 8), batch=2
    )
    assert isinstance(played.final, protocol.Finished), played.final
    order = [number for number, _text in words(played)]
    assert order != sorted(order)
    told = {number: "" for number in range(4)}
    for number, text in words(played):
        told[number] += text
    answered = {m.answer: m for m in played.messages if isinstance(m, protocol.Answered)}
    for number, message in answered.items():
        told[number] = (told[number] + message.text).strip()
    assert told == {0: "a b 5", 1: "", 2: "d 7", 3: "e 8"}
    assert {number: m.batch for number, m in answered.items()} == {0: 2, 1: 1, 2: 1, 3: 1}
    assert (answered[1].reason, answered[1].error) == ("error", "It is too long.")
    thoughts = [m.thought for m in played.messages if isinstance(m, protocol.Token) and m.thought]
    assert "".join(thoughts).strip() == "c"


@pytest.mark.parametrize("batch", [1, 3])
def test_who_answers_one_after_another_gets_the_seed_of_each(custom_model, play, batch):
    prompts = ["a", "b", "c"]
    played = play(
        custom_model, prompts, factories=(lambda _m: Sequential(),), seeds=(5, 6, 7), batch=batch
    )
    assert words(played) == [(0, "a 5"), (1, "b 6"), (2, "c 7")]
    assert ends(played) == [(0, "stop", 1), (1, "stop", 1), (2, "stop", 1)]


def test_echo_answers_one_after_another_whatever_it_is_asked(echo_model, play):
    played = play(echo_model(), PROMPTS, batch=3)
    assert ends(played) == [(0, "stop", 2), (1, "stop", 1), (2, "stop", 1)]
    assert {m.batch for m in played.messages if isinstance(m, protocol.Answered)} == {1}


def test_an_answer_without_an_end_fails_the_run(custom_model, play):
    class Forgetful(Interleaving):
        def pieces_of_all(self, prompts, seeds=(), most=1):
            yield 0, End("stop")

    played = play(custom_model, ["a", "b"], factories=(lambda _m: Forgetful(),), batch=2)
    assert isinstance(played.final, protocol.Failed)
    assert "without an End" in played.final.message


def test_an_answer_that_nobody_asked_for_fails_the_run(custom_model, play):
    class Talkative(Interleaving):
        def pieces_of_all(self, prompts, seeds=(), most=1):
            yield 0, End("stop")
            yield 0, TokenText("more")

    played = play(custom_model, ["a", "b"], factories=(lambda _m: Talkative(),), batch=2)
    assert isinstance(played.final, protocol.Failed)
    assert "a piece of answer 0, which has ended" in played.final.message


def test_an_inferencer_that_counts_more_at_once_than_were_asked_is_not_believed(custom_model, play):
    class Boastful(Interleaving):
        def pieces_of_all(self, prompts, seeds=(), most=1):
            for number in range(len(prompts)):
                yield number, End("stop", batch=10**6)

    played = play(custom_model, ["a", "b"], factories=(lambda _m: Boastful(),), batch=2)
    assert isinstance(played.final, protocol.Finished), played.final
    assert {m.batch for m in played.messages if isinstance(m, protocol.Answered)} == {2}


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
