"""From any sequence of messages to a result that is complete and never changes later."""

from __future__ import annotations

import copy
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comparator.comparison.disturbance import Beside
from comparator.comparison.request import Advice
from comparator.comparison.results import MOST_SAID, SPEEDS_OF_ONE, ResultBuilder
from comparator.core.config import ModelConfig
from comparator.core.conversation import Conversation
from comparator.core.models import ModelInfo, ModelType, RunState
from runners import protocol
from runners.process import Receipt

MANY = 3 * MOST_SAID
QUESTION = {"role": "user", "content": "hi"}
MODEL = ModelInfo("abc", "name", "/p", ModelType.ECHO, 1)
KINDS = {"load", "out_of_memory", "crashed", "timeout", "inference", "configuration", "refused"}


def builder() -> ResultBuilder:
    return ResultBuilder(MODEL, ModelConfig(seed=1), notice="look")


def played(*messages: protocol.Message, begun: float = 100.0, end: float = 110.0):
    made = builder()
    made.begin(begun)
    for message in messages:
        made.take(message, end)
    return made.snapshot()


class TestGoodRun:
    RESULT = played(
        protocol.Hello(0.0, "on"),
        protocol.Loading("weights", 1, 2),
        protocol.Loaded(1.0, 2048, "cpu", "float32", "engine 1", 2),
        protocol.Prompted(1.1, 7, "<user>hi", "gguf"),
        protocol.Token("a", 1, 2.0),
        protocol.Token("b", 2, 2.5),
        protocol.Token("c", 3, 4.0),
        protocol.Answered("stop", 3, 4.1, text="!"),
        protocol.Finished(4.2),
    )

    def test_the_text_and_the_end(self):
        assert self.RESULT.content == "abc!"
        assert self.RESULT.is_complete
        assert self.RESULT.state is RunState.DONE
        assert (self.RESULT.error, self.RESULT.error_kind) == (None, None)
        assert self.RESULT.notice == "look"

    def test_the_numbers(self):
        stats = self.RESULT.stats
        assert stats.duration == pytest.approx(10.0)
        assert stats.load_seconds == 1.0
        assert stats.time_to_first_token == 2.0
        assert stats.tokens_per_second == pytest.approx((3 - 1) / (4.0 - 2.0))
        assert (stats.prompt_tokens, stats.token_count) == (7, 3)
        assert stats.finish_reason == "stop"

    def test_what_was_asked_and_what_answered(self):
        result = self.RESULT
        assert (result.prompt.rendered, result.prompt.template_source) == ("<user>hi", "gguf")
        assert result.engine["device"] == "cpu"
        assert result.engine["context_length"] == 2048
        assert result.config["seed"] == 1


def test_states_in_order():
    made, seen = builder(), []
    for step in (
        lambda: None,
        lambda: made.begin(1.0),
        lambda: made.take(protocol.Loading("w", 1, 4), 2.0),
        lambda: made.take(protocol.Loaded(1.0, 1, "cpu"), 2.0),
        lambda: made.take(protocol.Token("a", 1, 2.0), 2.0),
        lambda: made.take(protocol.Answered("length", 1, 2.0), 3.0),
        lambda: made.take(protocol.Finished(2.0), 3.0),
    ):
        step()
        seen.append((made.state.value, made.snapshot().progress))
    assert seen == [
        ("waiting", None),
        ("loading", None),
        ("loading", 0.25),
        ("reading the prompt", None),
        ("writing", None),
        ("writing", None),
        ("done", None),
    ]


@pytest.mark.parametrize(
    ("message", "kind", "words"),
    [
        (protocol.Failed("load", "load", "No tensors."), "load", "No tensors."),
        (protocol.Crashed(-9, "It was killed.", "generate", ""), "crashed", "It was killed."),
        (protocol.TimedOut("load", 5.0), "timeout", "No sign of life for 5 s while loading"),
        (protocol.TimedOut("whole run", 9.5), "timeout", "took longer than 9.5 s"),
    ],
)
def test_failures_are_complete_and_say_why(message, kind, words):
    result = played(protocol.Token("a", 1, 1.0), message)
    assert (result.state, result.error_kind) == (RunState.FAILED, kind)
    assert words in result.error
    assert result.content == "a"
    assert result.stats.finish_reason == "error"
    assert result.stats.tokens_per_second == 0.0


def test_a_crash_says_how_far_it_came():
    crash = protocol.Crashed(-9, "It was killed.", "generate", "")
    assert "It had written 1 tokens." in played(protocol.Token("a", 1, 1.0), crash).error
    assert "written" not in played(crash).error


def test_an_answer_that_was_refused_alone_is_a_failure():
    result = played(
        protocol.Answered("error", 0, 1.0, "", 0, "Too long.", "refused"), protocol.Finished(2.0)
    )
    assert (result.state, result.error_kind) == (RunState.FAILED, "refused")
    assert (result.error, result.stats.finish_reason) == ("Too long.", "error")


def test_each_answer_of_a_run_has_a_builder_of_its_own():
    messages = (
        protocol.Loaded(1.0, 1, "cpu"),
        protocol.Prompted(1.0, 1, "first", "none", answer=0),
        protocol.Token("a", 1, 2.0, answer=0),
        protocol.Answered("stop", 1, 2.0, answer=0),
        protocol.Prompted(3.0, 2, "second", "none", answer=1),
        protocol.Token("b", 1, 4.0, answer=1),
        protocol.Token("c", 2, 5.0, answer=1),
        protocol.Answered("length", 2, 5.0, answer=1),
        protocol.Finished(5.0),
    )
    told = []
    for number in (0, 1):
        made = ResultBuilder(MODEL, ModelConfig(), answer=number)
        for message in messages:
            made.take(message, 9.0)
        result = made.snapshot()
        told.append((result.content, result.prompt.rendered, result.stats.finish_reason))
    assert told == [("a", "first", "stop"), ("bc", "second", "length")]


@pytest.mark.parametrize("batch", [1, 8])
def test_the_speeds_of_one_are_not_told_of_one_of_a_batch(batch):
    result = played(
        protocol.Token("a", 1, 2.0),
        protocol.Token("b", 2, 2.5),
        protocol.Answered("stop", 2, 3.0, batch=batch),
        protocol.Finished(4.0),
    )
    told = [result.stats.to_record()[name] for name in SPEEDS_OF_ONE]
    assert told == ([2.0, 2.0, 2.0, 2.0] if batch == 1 else [None] * 4)
    assert (result.content, result.stats.token_count) == ("ab", 2)


def test_the_record_tells_the_messages_with_the_system_prompt_of_the_settings():
    asked = Conversation.of([{"role": "system", "content": "general"}, QUESTION])
    made = ResultBuilder(MODEL, ModelConfig(system_prompt="own"), conversation=asked)
    expected = [{"role": "system", "content": "own"}, QUESTION]
    assert made.snapshot().to_record()["prompt"]["messages"] == expected
    made.take(protocol.Prompted(1.1, 7, "rendered", "gguf"), 1.1)
    prompt = made.snapshot().to_record()["prompt"]
    assert (prompt["messages"], prompt["rendered"]) == (expected, "rendered")


def test_a_stop_is_no_error():
    result = played(protocol.Token("a", 1, 1.0), protocol.Cancelled("generate"))
    assert (result.state, result.error, result.content) == (RunState.STOPPED, None, "a")
    assert result.stats.finish_reason == "cancelled"


def test_a_stop_before_the_turn_has_no_duration():
    made = builder()
    made.take(protocol.Cancelled("start"), 50.0)
    result = made.snapshot()
    assert result.is_complete
    assert result.stats.duration == 0.0


def test_evidence_of_the_parent_is_kept():
    made = builder()
    made.begin(1.0)
    made.keep_evidence(Receipt(10, 9, 5, 3, 0.1), "last words")
    made.take(protocol.Crashed(-6, "It ended.", "load", "last words"), 2.0)
    result = made.snapshot()
    assert (result.stats.memory_usage, result.stats.device_memory_usage) == (5, 3)
    assert result.log_tail == "last words"
    assert result.receipt["available_before"] == 10


seconds = st.floats(0, 1e6)
words = st.text(max_size=8)
MIDDLE = st.one_of(
    st.builds(protocol.Hello, seconds, words),
    st.builds(protocol.Loading, words, seconds, seconds),
    st.builds(protocol.Loaded, seconds, st.integers(0, 10**6), words),
    st.builds(protocol.Prompted, seconds, st.integers(0, 10**6), words, words),
    st.builds(protocol.Token, words, st.integers(0, 10**6), seconds),
    st.builds(
        protocol.Answered,
        st.sampled_from(["stop", "length", "cancelled"]),
        st.integers(0, 10),
        seconds,
        words,
    ),
)
FINALS = st.one_of(
    st.builds(protocol.Finished, seconds),
    st.builds(protocol.Failed, words, st.sampled_from(sorted(KINDS)), st.text(min_size=1)),
    st.builds(
        protocol.Crashed, st.none() | st.integers(-64, 255), st.text(min_size=1), words, words
    ),
    st.builds(protocol.TimedOut, words, seconds),
    st.builds(protocol.Cancelled, words),
)


@given(st.booleans(), st.lists(MIDDLE, max_size=12), FINALS, st.lists(MIDDLE | FINALS, max_size=3))
def test_any_sequence_ends_in_a_complete_result(begun, middle, final, late):
    made, snapshots = builder(), []
    if begun:
        made.begin(100.0)
    for number, message in enumerate([*middle, final, *late]):
        made.take(message, 100.0 + number)
        snapshot = made.snapshot()
        snapshots.append((snapshot, copy.deepcopy(snapshot)))
    for snapshot, as_it_was in snapshots:
        assert snapshot == as_it_was, "later messages must not change a snapshot"
    result = snapshots[-1][0]
    assert result == snapshots[len(middle)][0], "nothing after the final message counts"
    assert result.is_complete
    assert result.state in (RunState.DONE, RunState.FAILED, RunState.STOPPED)
    assert (result.error is None) == (result.error_kind is None)
    assert result.error_kind in {None, *KINDS}
    stats = result.stats
    assert isinstance(stats.tokens_per_second, float)
    assert stats.tokens_per_second >= 0 or stats.token_count == 0
    assert math.isfinite(stats.end_time)
    assert stats.duration >= 0
    assert stats.finish_reason in ("stop", "length", "cancelled", "error")
    json.dumps(result.to_record(), allow_nan=False)


class TestWhatIsOff:
    LOADED = protocol.Loaded(1.0, 1, "cpu", way="cached", fallbacks=("Two.", "One."))

    def test_way_and_fallbacks_are_there_in_every_run_that_loaded(self):
        engine = TestGoodRun.RESULT.to_record()["engine"]
        assert (engine["way"], engine["fallbacks"]) == ("", [])
        engine = played(protocol.Hello(0.0), self.LOADED).to_record()["engine"]
        assert (engine["way"], engine["fallbacks"]) == ("cached", ["Two.", "One."])

    def test_every_sentence_stands_once_in_the_order_in_which_it_came(self):
        result = played(
            protocol.FellBack(("One.",)),
            protocol.Hello(0.0),
            self.LOADED,
            protocol.Finished(2.0, fallbacks=("Two.", "Three.")),
        )
        assert result.fallbacks == ["One.", "Two.", "Three."]

    def test_they_are_told_before_a_run_has_loaded_and_when_it_fails(self):
        result = played(protocol.FellBack(("One.",)), protocol.Crashed(-11, "It died.", "load", ""))
        assert result.fallbacks == ["One."]

    def test_a_second_attempt_loads_again(self):
        result = played(self.LOADED, protocol.FellBack(("Again.",), again=True))
        assert result.state is RunState.LOADING
        assert played(protocol.FellBack(("One.",))).state is RunState.LOADING  # as it begins

    def test_earlier_snapshots_stay_as_they_were(self):
        made = builder()
        made.take(self.LOADED, 1.0)
        before = made.snapshot()
        made.take(protocol.Finished(2.0, fallbacks=("Three.",)), 2.0)
        assert before.fallbacks == ["Two.", "One."]
        assert made.snapshot().fallbacks == ["Two.", "One.", "Three."]


def got(run: float, waited: float | None) -> protocol.ProcessorTime:
    return protocol.ProcessorTime(run, waited, 0.0, 0.0, waited, run + (waited or 0.0))


def judged(load, prefill, decode, beside=None):
    made = builder()
    made.begin(1.0)
    made.take(protocol.Loaded(1.0, 1, "cpu", processor=load), 1.0)
    made.take(protocol.Token("a", 1, 2.0), 2.0)
    made.take(protocol.Answered("stop", 1, 3.0, prefill=prefill, decode=decode), 3.0)
    made.keep_evidence(Receipt(10, 9, 5), "")
    made.judge(beside or Beside())
    made.take(protocol.Finished(3.0), 3.0)
    return made.snapshot()


class TestWhatItGotOfTheProcessor:
    def test_each_stage_and_the_answer_as_a_whole(self):
        stats = judged(got(1.0, 0.0), got(3.0, 0.0), got(6.0, 1.0)).to_record()["stats"]
        assert stats["cpu_share"] == pytest.approx(0.9)
        assert stats["cpu_shares"] == {
            "load": 1.0,
            "prefill": 1.0,
            "decode": pytest.approx(6 / 7),
        }
        assert stats["disturbed"] == ["decode"]

    def test_the_receipt_keeps_the_parts(self):
        parts = judged(None, got(3.0, 0.0), got(6.0, 1.0)).receipt["processor"]
        assert set(parts) == {"prefill", "decode"}
        assert parts["decode"]["waited_seconds"] == parts["decode"]["others_seconds"] == 1.0

    def test_a_disturbed_run_says_who_took_how_much(self):
        result = judged(got(1.0, 0.0), got(1.0, 0.0), got(6.0, 2.0))
        assert result.notice == (
            "look Other programs took 25 % of the processor while it wrote; "
            "alone it would have been faster."
        )
        assert "Work of this program" in judged(None, None, got(6.0, 2.0), Beside(jobs=1)).notice

    def test_a_quiet_run_says_nothing(self):
        result = judged(got(5.0, 0.1), got(5.0, 0.1), got(5.0, 0.1))
        assert (result.notice, result.stats.disturbed) == ("look", [])

    def test_where_the_system_does_not_tell_nothing_is_made_up(self):
        for result in (judged(None, None, None), judged(got(5.0, None), None, got(5.0, None))):
            assert result.stats.cpu_share is None
            assert set(result.stats.cpu_shares.values()) == {None}
            assert result.notice == "look"

    def test_models_that_ran_at_once_say_that_speeds_are_shared_and_each_ones_share(self):
        beside = Beside(together=2)
        notice = judged(None, got(1.0, 0.0), got(5.0, 2.0), beside).notice
        assert notice == (
            "look It ran at once with 2 other models, so its speed is shared. "
            "It got 75 % of the processor time that it asked for."
        )
        assert "at once with 2" in judged(None, got(5.0, 0.0), None, beside).notice

    def test_how_its_files_were_is_known_from_the_start(self):
        made = builder()
        made.begin(1.0, Advice(files_cached=0.25, notice="They stayed."))
        result = made.snapshot()
        assert result.to_record()["stats"]["files_cached"] == 0.25
        assert result.notice == "look They stayed."


def test_a_child_that_says_ever_more_is_kept_short():
    notes = [protocol.Prompted(1.0, 1, "", "gguf", notes=(f"<{i}>",)) for i in range(MANY)]
    loads = [protocol.Loaded(1.0, 1, "cpu", fallbacks=(f"<{i}>",)) for i in range(MANY)]
    result = played(*notes, *loads)
    assert result.notice.split()[:3] == ["look", "<0>", "<1>"]
    assert len(result.notice.split()) == 1 + MOST_SAID
    assert len(result.engine["fallbacks"]) == MOST_SAID


def test_what_was_decided_for_a_run_is_told():
    made = builder()
    made.begin(1.0, Advice(sent={"n_threads": 1}))
    assert made.snapshot().to_record()["sent"] == {"n_threads": 1}


@pytest.mark.parametrize(
    ("told", "kept"), [((0, 3), [0, 3]), ((0,), []), ((3, 0), []), ((0, 9), []), ((), [])]
)
def test_places_of_special_tokens_are_kept_where_they_can_be_such(told, kept):
    made = builder()
    made.begin(1.0)
    made.take(protocol.Prompted(1.0, 2, "<s>hi", "gguf", special=told, first_token="<b>"), 1.0)
    prompt = made.snapshot().to_record()["prompt"]
    assert (prompt["special"], prompt["first_token"]) == (kept, "<b>")
