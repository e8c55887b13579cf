"""From a kept comparison to what each of its columns is asked next."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

import pytest

from comparator.comparison import turns
from comparator.comparison.request import Files, Request, Slot
from comparator.core.config import ModelConfig
from comparator.core.conversation import LONGEST_PROMPT_BYTES, Conversation
from comparator.core.exceptions import ConfigurationError, ModelNotFoundError
from comparator.core.models import ModelInfo, ModelType
from comparator.storage.kept_comparison import KeptComparison

MODEL = ModelInfo("abc", "good", "/m/good.gguf", ModelType.GGUF, 7)
SYSTEM = {"role": "system", "content": "Be brief."}


def user(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def assistant(text: str) -> dict[str, str]:
    return {"role": "assistant", "content": text}


def record(content: str = "One.", reason: str = "length", **more: Any) -> dict[str, Any]:
    return {
        "model": MODEL.to_record(),
        "content": content,
        "thinking": None,
        "error": None,
        "state": "done",
        "stats": {"finish_reason": reason},
        "config": {**asdict(ModelConfig(seed=5)), "temperature": 1.5},
        "config_sources": {"seed": "drawn", "temperature": "given"},
        "prompt": {"messages": [SYSTEM, user("One?")]},
        **more,
    }


def kept(*records: dict[str, Any], **more: Any) -> KeptComparison:
    return KeptComparison(id="1234abcd", created=1.0, records=list(records), **more)


def asked_of(found: turns.Turns) -> list[list[dict[str, str]]]:
    return [turn.conversation.records() for turn in found.turns]


class TestNextTurn:
    def test_each_column_is_asked_behind_its_own_answer(self):
        found = turns.next_turn(kept(record("A."), record("B.")), "Two?")
        assert asked_of(found) == [
            [SYSTEM, user("One?"), assistant(answer), user("Two?")] for answer in ("A.", "B.")
        ]
        assert [turn.column for turn in found.turns] == [0, 1]
        assert (found.parent, dict(found.left_out)) == ("1234abcd", {})

    def test_a_thought_is_not_put_back(self):
        thought = record("A.", thinking={"text": "hm", "tokens": 1, "seconds": 0.1})
        (asked,) = asked_of(turns.next_turn(kept(thought), "Two?"))
        assert "hm" not in str(asked)

    @pytest.mark.parametrize(
        ("more", "words"),
        [
            ({"error": "It crashed.", "state": "failed"}, "since it failed. Ask it again first."),
            ({"thinking": {"text": "x"}}, "while it thought. Raise max_tokens"),
            ({"state": "stopped"}, "no answer to go on from. Ask it again first."),
        ],
    )
    def test_a_column_that_wrote_nothing_is_left_out_and_said(self, more, words):
        found = turns.next_turn(kept(record(" \n", **more), record("B.")), "Two?")
        assert [turn.column for turn in found.turns] == [1]
        assert found.left_out[0].startswith("good is left out: it ")
        assert words in found.left_out[0]

    def test_where_none_wrote_anything_there_is_nothing_to_ask(self):
        with pytest.raises(ConfigurationError, match="no answer to go on from"):
            turns.next_turn(kept(record(""), record("")), "Two?")
        with pytest.raises(ConfigurationError, match="has no columns"):
            turns.next_turn(kept(), "Two?")

    @pytest.mark.parametrize("state", ["stopped", "failed"])
    def test_an_answer_that_broke_off_stands_in_the_history_and_is_said(self, state):
        found = turns.next_turn(kept(record("Half an", state=state), record("B.")), "Two?")
        assert asked_of(found)[0][-2] == assistant("Half an")
        assert [turn.notice for turn in found.turns] == [turns.CUT_SHORT, ""]

    @pytest.mark.parametrize("question", ["", " \n", "x" * (LONGEST_PROMPT_BYTES + 1)])
    def test_a_wrong_question_is_refused_once(self, question):
        with pytest.raises(ConfigurationError, match=r"^(Type a prompt first|The prompt has)"):
            turns.next_turn(kept(record(), record()), question)

    @pytest.mark.parametrize("text", ["\u200b\u202e", "\x00\x1b[2J", "<script>alert(1)</script>"])
    def test_any_text_is_taken_as_it_is(self, text):
        (asked,) = asked_of(turns.next_turn(kept(record(text + "a")), text + "b"))
        assert asked[-2:] == [assistant(text + "a"), user(text + "b")]

    def test_a_history_that_became_too_long_is_left_out(self):
        long = record("x" * LONGEST_PROMPT_BYTES)
        found = turns.next_turn(kept(long, record()), "Two?")
        assert "the limit is" in found.left_out[0]


class TestSettings:
    def test_what_was_given_stays_and_what_was_drawn_is_drawn_anew(self):
        (turn,) = turns.next_turn(kept(record()), "Two?").turns
        assert turn.settings == {"temperature": 1.5}
        seeded = record(config_sources={"seed": "given"})
        (turn,) = turns.next_turn(kept(seeded), "Two?").turns
        assert turn.settings["seed"] == 5

    def test_the_values_of_a_maker_are_found_again(self):
        made = record(
            config={**asdict(ModelConfig()), "sampling": "maker", "top_k": 3},
            config_sources={"sampling": "given", "top_k": "maker"},
        )
        (turn,) = turns.next_turn(kept(made), "Two?").turns
        assert turn.settings == {"sampling": "maker"}

    def test_of_a_record_without_sources_what_is_not_usual_counts(self):
        (turn,) = turns.next_turn(kept(record(config_sources={})), "Two?").turns
        assert turn.settings == {"temperature": 1.5}

    def test_settings_of_another_version_are_left_out_and_wrong_ones_said(self):
        later = record(config={"telepathy": 1, "top_k": 3}, config_sources={})
        (turn,) = turns.next_turn(kept(later), "Two?").turns
        assert turn.settings == {"top_k": 3}
        with pytest.raises(ConfigurationError, match="top_k must be"):
            turns.next_turn(kept(record(config={"top_k": "many"}, config_sources={})), "Two?")


class TestEdited:
    LATER = record(prompt={"messages": [SYSTEM, user("One?"), assistant("I."), user("Two?")]})

    @pytest.mark.parametrize(("turn", "before"), [(-1, [user("One?"), assistant("I.")]), (0, [])])
    def test_a_turn_is_asked_otherwise_and_what_followed_goes(self, turn, before):
        found = turns.edited_turn(kept(self.LATER, record("", state="failed")), "Why?", turn)
        assert asked_of(found)[0] == [SYSTEM, *before, user("Why?")]
        assert asked_of(found)[1] == [SYSTEM, user("Why?")], "a failed column is asked as well"
        assert {one.notice for one in found.turns} == {""}

    def test_a_turn_that_was_not_is_refused(self):
        with pytest.raises(ConfigurationError, match="2 turns, and none with the number 7"):
            turns.edited_turn(kept(self.LATER), "Why?", 7)


class TestRegenerated:
    def test_one_column_is_asked_the_same_with_another_seed(self):
        seeded = record(config_sources={"seed": "given", "temperature": "given"})
        found = turns.regenerated(kept(record(), seeded, date="2001-02-03", together=True), 1)
        (turn,) = found.turns
        assert (turn.column, dict(turn.settings)) == (1, {"temperature": 1.5})
        assert asked_of(found) == [[SYSTEM, user("One?")]]
        assert (found.date, found.together) == ("2001-02-03", False)

    def test_a_continued_answer_is_written_from_its_begin(self):
        prompt = {"messages": [user("One?")], "continued": 2}
        (turn,) = turns.regenerated(kept(record(prompt=prompt)), 0).turns
        assert turn.conversation == Conversation.of("One?")

    def test_a_greedy_column_is_said_to_answer_the_same(self):
        greedy = record(config={"do_sample": False}, config_sources={"do_sample": "given"})
        both = kept(record(), greedy)
        notices = [turns.regenerated(both, column).turns[0].notice for column in (0, 1)]
        assert notices == ["", turns.SAME_AGAIN]

    @pytest.mark.parametrize("column", [-1, 1])
    def test_a_column_that_is_not_there_is_refused(self, column):
        with pytest.raises(ConfigurationError, match="1 columns, and none with the number"):
            turns.regenerated(kept(record()), column)


class TestContinued:
    def test_answers_that_hit_their_limit_go_on_and_whole_ones_do_not(self):
        found = turns.continued(kept(record("A"), record("B.", "stop"), record("C", "cancelled")))
        assert [(turn.column, turn.conversation.begun) for turn in found.turns] == [
            (0, "A"),
            (2, "C"),
        ]
        assert "its answer is whole" in found.left_out[1]

    def test_one_column_alone(self):
        found = turns.continued(kept(record("A"), record("B"), together=True), 1)
        assert [turn.column for turn in found.turns] == [1]
        assert not found.together
        with pytest.raises(ConfigurationError, match="its answer is whole"):
            turns.continued(kept(record("A", "stop")), 0)


class TestAsked:
    def test_a_record_tells_the_begin_of_its_answer(self):
        prompt = {"messages": [user("One?")], "continued": 3}
        asked = turns.asked(record("One.", prompt=prompt))
        assert asked == Conversation.of("One?").continuing("One")

    @pytest.mark.parametrize("count", [None, 0, -1, "3", 1.5])
    def test_a_number_that_is_none_tells_of_no_begin(self, count):
        prompt = {"messages": [user("One?")], "continued": count}
        assert turns.asked(record(prompt=prompt)).begun == ""

    @pytest.mark.parametrize("prompt", [None, {}, {"messages": []}, {"messages": "x" * 2}])
    def test_a_record_of_no_conversation_is_refused_or_a_text(self, prompt):
        if prompt == {"messages": "xx"}:
            assert turns.asked(record(prompt=prompt)).question == "xx"
        else:
            with pytest.raises(ConfigurationError, match="Type a prompt first"):
                turns.asked(record(prompt=prompt))


class TestTheRequest:
    def found(self) -> turns.Turns:
        both = kept(record("A."), record("B.", model={"id": "gone", "name": "gone"}), files="cold")
        return turns.next_turn(both, "Two?")

    def look_up(self, turn: turns.Turn) -> ModelInfo:
        if turn.model["id"] == "gone":
            raise ModelNotFoundError("No model 'gone'.")
        return MODEL

    def test_whose_model_is_gone_is_left_out(self):
        there, models = turns.present(self.found(), self.look_up)
        assert models == [MODEL]
        assert there.left_out == {1: "gone is left out: its model is gone. No model 'gone'."}
        with pytest.raises(ConfigurationError, match="its model is gone"):
            turns.present(there, lambda turn: self.look_up(replace(turn, model={"id": "gone"})))

    def test_a_model_that_has_changed_is_said(self):
        there, _models = turns.present(self.found(), lambda _turn: replace(MODEL, size=8_000_000))
        assert "good have changed since its last answer: 7 bytes then, 8 MB now" in (
            there.turns[0].notice
        )
        assert there.turns[1].notice == "", "of this one no size is known"

    def test_each_slot_is_asked_its_own_and_what_is_left_out_is_said(self):
        there, _models = turns.present(self.found(), self.look_up)
        asked = Request(Conversation.of("x"), [Slot(MODEL, ModelConfig(), notice="n")], notice="r")
        request = turns.as_turns(asked, there)
        (slot,) = request.slots
        assert request.asked(slot).records()[-2:] == [assistant("A."), user("Two?")]
        assert request.notice == "r gone is left out: its model is gone. No model 'gone'."
        assert (request.files, request.parent) == (Files.COLD, "1234abcd")
