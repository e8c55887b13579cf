"""Every type of assertion and its contrary, why each fails, and what is refused beforehand."""

from __future__ import annotations

import contextlib
import itertools
import json
import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from comparator.core.exceptions import ConfigurationError
from comparator.evaluation.assertions import (
    NAMES,
    WAITS,
    Grader,
    check,
    grading,
    json_text,
    patterns,
    schemas,
)
from comparator.evaluation.assertions.similarity import VARIABLE
from comparator.storage.kept_suite import Assertion, AssertionOutcome, Item

CITY = {"type": "object", "required": ["city"], "properties": {"city": {"type": "string"}}}


def graded(answer: str, *assertions: Assertion) -> list[AssertionOutcome]:
    item = Item("1", [{"role": "user", "content": "Why?"}], assertions=list(assertions))
    with Grader() as grader:
        return grader.grade(item, {"content": answer, "thinking": {"text": "Paris"}})


CASES: list[tuple[str, Any, str, bool, str]] = [  # type, value, answer, whether it is so, why
    ("equals", "Paris", "Paris", True, "The answer is “Paris”"),
    ("equals", "Paris", "Paris\n", False, "but for blanks or line breaks"),
    ("equals", "Paris", "Parma", False, "character 4: the answer has “Parma”, expected is “Paris”"),
    ("equals", "Paris", "", False, "The answer is empty"),
    ("equals", "Paris", "Par", False, "ends where “is” should follow"),
    ("equals", "Paris", "Paris.", False, "goes on with “.”"),
    ("equals", 4, "4", True, "“4”"),
    ("equals", 4.0, "4", True, "“4”"),
    ("equals", True, "true", True, "“true”"),
    ("equals", {"a": [1, 2]}, '{"a": [1, 2]}', True, "content that is expected"),
    ("equals", {"a": [1, 2]}, '{"a": [1, 3]}', False, "at $.a[1]: “3”"),
    ("equals", {"a": [1, 2]}, '{"a": [1]}', False, "$.a: 1 elements instead of 2"),
    ("equals", {"a": 1}, '{"b": 1}', False, "“a” is missing"),
    ("equals", {"a": 1}, '{"a": true}', False, "$.a: “true”"),
    ("equals", {"a": 1}, "a: 1", False, "no JSON: expecting value at line 1, column 1"),
    ("contains", "Paris", "It is Paris.", True, "is in the answer"),
    ("contains", "paris", "It is Paris.", False, "other capitals (icontains"),
    ("contains", "Rome", "It is Paris.", False, "“Rome” is not in the answer."),
    ("contains", 0, "10", True, "“0” is in"),
    ("contains", "巴黎", "答案是巴黎。", True, "“巴黎”"),
    ("icontains", "paris", "It is PARIS.", True, "is in the answer"),
    ("icontains", "STRASSE", "Die Straße", True, "is in the answer"),
    ("icontains", "rome", "It is Paris.", False, "“rome” is not"),
    ("contains-all", ["a", "b"], "b a", True, "All of “a”, “b”"),
    ("contains-all", ["a", "b", "c"], "a", False, "Missing in the answer: “b”, “c”"),
    ("contains-all", 'x, "1,000"', "1,000 x", True, "“1,000”"),
    ("contains-any", ["a", "b"], "b", True, "In the answer: “b”"),
    ("contains-any", ["a", "b"], "c", False, "None of “a”, “b”"),
    ("icontains-all", ["A", "b"], "aB", True, "All of"),
    ("icontains-all", ["A", "c"], "aB", False, "Missing in the answer: “c”"),
    ("icontains-any", ["X", "b"], "aB", True, "In the answer: “b”"),
    ("icontains-any", ["X", "Y"], "aB", False, "None of"),
    ("starts-with", "Yes", "Yes, it is", True, "begins with “Yes”"),
    ("starts-with", "Yes", "No, it is", False, "begins with “No, it is”, not with “Yes”"),
    ("contains-all", "a, b\nc\n", "cab", True, "All of “a”, “b”, “c” are in the answer"),
    ("regex", r"\(?R\)", "(R)", True, "matches"),
    ("regex", r"\d{4}", "in 1848", True, "“1848” in the answer matches"),
    ("regex", r"^\d{4}$", "in 1848", False, "Nothing in the answer matches"),
    ("is-json", None, '{"a": 1}', True, "The answer is JSON."),
    ("is-json", None, " [1]\n", True, "The answer is JSON."),
    ("is-json", None, '```json\n{"a": 1}\n```', False, "with other text around (contains-json"),
    ("is-json", None, '{"a": NaN}', False, "NaN is no number in JSON"),
    ("is-json", None, '{"a": 1,}', False, "line 1, column"),
    ("is-json", None, "", False, "no JSON"),
    ("is-json", CITY, '{"city": "Rome"}', True, "as its schema wants it"),
    ("is-json", CITY, '{"city": 3}', False, "3 is not of type 'string' (at $.city)"),
    ("is-json", CITY, '{"town": "Rome"}', False, "'city' is a required property (at $)"),
    ("is-json", '{"type": "integer"}', "3", True, "as its schema wants it"),
    ("contains-json", None, 'Here: {"a": 1}.', True, "There is JSON in the answer"),
    ("contains-json", None, "Here: a = 1 [sic", False, "no JSON object or list"),
    ("contains-json", CITY, '[1] and {"city": "Rome"}', True, "as its schema wants it"),
    ("contains-json", CITY, '[1] and {"city": 3}', False, "[1] is not of type 'object' (at $)"),
]


@pytest.mark.parametrize(("kind", "value", "answer", "is_so", "why"), CASES)
def test_an_assertion_and_its_contrary_tell_why(
    kind: str, value: Any, answer: str, is_so: bool, why: str
) -> None:
    one, other = Assertion(kind, value), Assertion(f"not-{kind}", value)
    check(one, "Item 1")
    check(other, "Item 1")
    outcome, contrary = graded(answer, one, other)
    assert (outcome.type, contrary.type) == (kind, f"not-{kind}")
    assert (outcome.passed, contrary.passed) == (is_so, not is_so)
    assert why in outcome.reason
    assert outcome.reason == contrary.reason, "it tells a fact, whichever way it counts"
    assert outcome.reason.endswith((".", "”"))


def test_every_type_has_cases_both_ways() -> None:
    elsewhere = {"similar", "python", "llm-rubric"}
    for is_so in (True, False):
        assert {kind for kind, _, _, so, _ in CASES if so is is_so} == set(NAMES) - elsewhere


def test_the_judge_is_waited_for() -> None:
    rubric = Assertion("llm-rubric", "is kind"), Assertion("not-llm-rubric", "is rude")
    for one in rubric:
        check(one, "Item 1")
    assert graded("Hello", *rubric) == [AssertionOutcome(one.type, None, WAITS) for one in rubric]


def test_thoughts_are_not_graded() -> None:
    (outcome,) = graded("Rome", Assertion("contains", "Paris"))
    assert not outcome.passed


WRONG: list[tuple[Assertion, str]] = [
    (Assertion(""), "has no type"),
    (Assertion("contians", "x"), "there is no assertion 'contians'. Did you mean contains?"),
    (Assertion("not-Contains", "x"), "Did you mean not-contains?"),
    (Assertion("not-not-equals", "x"), "there is no assertion"),
    (Assertion("\x1b[2J", "x"), "there is no assertion '\\\\x1b[2J'"),
    (Assertion("javascript", "1"), "write it as `python`"),
    (Assertion("not-javascript", "1"), "write it as `python`"),
    (Assertion("latency", threshold=1000), "'latency' is not known here: it is measured"),
    (Assertion("cost", threshold=1), "cost nothing"),
    (Assertion("trajectory:tool-used", "x"), "no traces"),
    (Assertion("similar:dot", "x"), "cosine"),
    (Assertion("contains"), "Item 1, assertion contains: there is no value to look for."),
    (Assertion("contains", ["a"]), "contains-all and contains-any take several"),
    (Assertion("contains", "a", 0.5), "takes no threshold"),
    (Assertion("contains-all", []), "no values"),
    (Assertion("contains-all", ["a", ""]), "one of the values is empty"),
    (Assertion("contains-any", ["a", None]), "one of the values is empty"),
    (Assertion("contains-any", {"a": 1}), "must be a list of texts"),
    (Assertion("contains-any", [["a"]]), "must be a list of texts"),
    (Assertion("contains-all", ["a"] * 1001), "the limit is 1000"),
    (Assertion("equals"), "no value to compare with"),
    (Assertion("equals", {1, 2}), "nothing that JSON can say"),
    (Assertion("equals", "x" * 200_001), "the limit is 200000"),
    (Assertion("regex", "("), "wrong at character 2: missing )"),
    (Assertion("regex", ["a"]), "must be a regular expression, as text"),
    (Assertion("regex", "x" * 2001), "the limit is 2000"),
    (Assertion("regex", "(?:a{1000}){1000}"), "more than 20000 steps"),
    (Assertion("regex", "a{100000000}"), "more than 20000 steps"),
    (Assertion("regex", "a{99999999999999999999}"), "more than 20000 steps"),
    (Assertion("regex", "(?:a{100}){100}(?#and again){60}"), "more than 20000 steps"),
    (Assertion("regex", "(?#[)(?:a{200}){200}(?#])"), "more than 20000 steps"),
    (Assertion("regex", "(?:a{100}){100}(?i){60}"), "more than 20000 steps"),
    (Assertion("regex", "(?x)(?:a{100}){100} {60}"), "more than 20000 steps"),
    (Assertion("regex", "(?x)(?:a{100}){100}{ 60 }"), "more than 20000 steps"),
    (Assertion("regex", "(?x)#[\n(?:a{200}){200}#]"), "more than 20000 steps"),
    (Assertion("regex", "[[:alpha:](?#](?:a{200}){200}(?#)"), "more than 20000 steps"),
    (Assertion("regex", "(?V1)[[a](?#](?:a{200}){200}(?#)"), "more than 20000 steps"),
    (Assertion("regex", r"\\(?R)"), "calls itself"),
    (Assertion("contains-any", "x" * 140_000), "write a list"),
    (Assertion("regex", "(?:" * 400 + "a" + ")" * 400), "cannot be used"),
    (Assertion("regex", "(a(?R)?b)"), "calls itself"),
    (Assertion("is-json", "{"), "the schema is no JSON"),
    (Assertion("is-json", [1]), "must be a JSON schema"),
    (Assertion("is-json", {"type": "strin"}), "no JSON schema at “type”"),
    (Assertion("is-json", {"pattern": "("}), "no JSON schema at “pattern”"),
    (Assertion("is-json", {"pattern": "a{100000000}"}), "more than 20000 steps"),
    (Assertion("is-json", {"$ref": "http://127.0.0.1:9/s.json"}), "nothing is fetched"),
    (Assertion("is-json", {"items": {"$ref": "file:///etc/passwd"}}), "nothing is fetched"),
    (Assertion("is-json", {"$ref": "#/$defs/none"}), "“#/$defs/none”, which is not in it"),
    (Assertion("is-json", {"$dynamicRef": "#none"}), "which is not in it"),
    (Assertion("is-json", {"a": {"$ref": "o.json"}, "$ref": "#/a"}), "“o.json”"),
    (Assertion("is-json", {"$schema": "http://x"}), "the draft “http://x”"),
    (
        Assertion("is-json", {"not": {"$schema": "http://json-schema.org/draft-07/schema#"}}),
        "a $schema of its own",
    ),
    (
        Assertion(
            "is-json",
            {
                "$schema": "http://json-schema.org/draft-07/schema#",
                "propertyNames": {
                    "items": False,
                    "$schema": "http://json-schema.org/draft-04/schema",
                },
            },
        ),
        "the schema cannot be used (TypeError",
    ),
    (
        Assertion("is-json", {"patternProperties": {"a": {}}, "unevaluatedProperties": False}),
        "patternProperties beside unevaluatedProperties",
    ),
    (Assertion("contains-json", {"$ref": "http://x/y"}), "nothing is fetched"),
    (Assertion("llm-rubric"), "what the judge shall look for"),
    (Assertion("llm-rubric", "kind", 2), "must be from 0 to 1"),
    (Assertion("llm-rubric", "kind", float("nan")), "must be from 0 to 1"),
    (Assertion("llm-rubric", "kind", True), "must be from 0 to 1"),
]


@pytest.mark.parametrize(("assertion", "why"), WRONG)
def test_what_is_wrong_is_found_before_anything_runs(assertion: Assertion, why: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        check(assertion, "Item 1")
    assert str(caught.value).startswith("Item 1")
    assert why.replace("\\\\", "\\") in str(caught.value).replace("\\\\", "\\")


def test_a_schema_may_refer_to_its_own_parts() -> None:
    schema = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": "http://example.com/s.json",
        "properties": {"a": {"$ref": "http://example.com/s.json#/definitions/x"}, "$ref": {}},
        "definitions": {"x": {"type": "integer"}},
    }
    check(Assertion("is-json", schema), "Item 1")
    right, wrong = (
        graded(text, Assertion("is-json", schema))[0] for text in ('{"a":1}', '{"a":""}')
    )
    assert right.passed
    assert not wrong.passed
    assert "(at $.a)" in wrong.reason


def test_names_that_a_pattern_knows_are_no_additional_ones() -> None:
    schema = {"patternProperties": {"^x-": {"type": "integer"}}, "additionalProperties": False}
    answers = ('{"x-a": 1}', '{"x-a": ""}', '{"y": 1}')
    outcomes = [graded(answer, Assertion("is-json", schema))[0] for answer in answers]
    assert [outcome.passed for outcome in outcomes] == [True, False, False]


def test_of_large_patterns_only_a_few_are_kept_at_hand() -> None:
    before = patterns._compiled.cache_info().currsize
    for count in range(400, 420):
        found = patterns.compiled(f"(?:abc){{{count}}}")
        assert found.fullmatch("abc" * count)
    assert patterns._compiled.cache_info().currsize == before
    assert patterns._compiled_large.cache_info().currsize <= 8


def test_what_is_the_same_twice_is_told_by_content() -> None:
    schema = {"uniqueItems": True}
    cases = {
        '[1, 2, true, [1], {"a": 1}, null, 0, false, "1"]': True,
        "[1, 1.0]": False,
        '[[1, {"a": [], "b": 2}], [1, {"b": 2.0, "a": []}]]': False,
        "[{}, []]": True,
        '"not a list"': True,
    }
    for answer, is_so in cases.items():
        (outcome,) = graded(answer, Assertion("is-json", schema))
        assert outcome.passed is is_so, answer
    assert "has non-unique elements" in graded("[1, 1]", Assertion("is-json", schema))[0].reason
    assert graded("[1, 1]", Assertion("is-json", {"uniqueItems": False}))[0].passed


def test_to_find_what_is_there_twice_not_each_is_held_against_each() -> None:
    """A list of 3000 took 20 seconds, with no look at the clock."""
    answer = json.dumps([[number] if number % 2 else {"a": number} for number in range(3000)])
    equals = 0

    def counted(*_given: Any) -> bool:
        nonlocal equals
        equals += 1
        return False

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("jsonschema._utils.equal", counted)
        (outcome,) = graded(answer, Assertion("is-json", {"uniqueItems": True}))
    assert outcome.passed
    assert equals == 0


def test_all_json_of_an_answer_has_one_limit_of_time_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    moments: list[float | None] = []
    usual = schemas.first_error

    def noted(schema: Any, value: Any, until: float | None = None) -> str | None:
        moments.append(until)
        return usual(schema, value, until)

    monkeypatch.setattr(schemas, "first_error", noted)
    wanted = Assertion("contains-json", {"type": "object"})
    assert not graded("[1] [2] [3]", wanted)[0].passed
    assert len(moments) == 3
    assert len(set(moments)) == 1
    assert moments[0] is not None
    monkeypatch.setattr(schemas, "LONGEST_SECONDS", -1.0)
    assert "was ended after" in graded("[1] [2] [3]", wanted)[0].reason


def test_all_searches_in_an_answer_have_a_limit_of_time_together(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A hundred of a second each would hold up whoever stops a suite."""
    clock = itertools.count(step=6.0)  # seconds; so each search takes six
    monkeypatch.setattr(grading, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    asked = [Assertion("regex", "a"), Assertion("contains-json"), Assertion("regex", "b")]
    item = Item("1", [], None, [*asked, Assertion("contains", "a")])
    with Grader() as grader:
        for _ in range(2):  # what an answer took is not the next one's
            outcomes = grader.grade(item, {"content": "a b []"})
            assert [one.passed for one in outcomes] == [True, True, False, True]
            assert "It was not looked at: the assertions before it took 10 s" in outcomes[2].reason


NEVER_ENDING = [
    (Assertion("regex", "(a|aa)+$"), "a" * 100 + "b", "processor time"),
    (Assertion("is-json", {"pattern": "(a|aa)+$"}), '"' + "a" * 100 + 'b"', "was ended after"),
    (
        Assertion(
            "is-json",
            {
                "$defs": {
                    f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} if n < 60 else {}
                    for n in range(61)
                },
                "$ref": "#/$defs/a0",
            },
        ),
        "1",
        "was ended after",
    ),
]


@pytest.mark.parametrize(("assertion", "answer", "why"), NEVER_ENDING)
def test_what_never_ends_is_ended_and_passes_neither_way(
    assertion: Assertion, answer: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patterns, "LONGEST_SECONDS", 0.1)
    monkeypatch.setattr("comparator.evaluation.assertions.schemas.LONGEST_SECONDS", 0.1)
    check(assertion, "Item 1")
    contrary = Assertion(f"not-{assertion.type}", assertion.value)
    for outcome in graded(answer, assertion, contrary):
        assert outcome.passed is False
        assert why in outcome.reason


def test_a_schema_that_refers_to_itself_without_end_is_told() -> None:
    assertion = Assertion("is-json", {"$ref": "#"})
    check(assertion, "Item 1")
    (outcome,) = graded("1", assertion)
    assert outcome.passed is False
    assert "never ends" in outcome.reason


def test_other_threads_work_while_a_regular_expression_is_searched_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(patterns, "LONGEST_SECONDS", 0.3)
    steps, is_over = 0, threading.Event()

    def count() -> None:
        nonlocal steps
        while not is_over.is_set():
            steps += 1
            time.sleep(0)

    thread = threading.Thread(target=count)
    thread.start()
    try:
        before = steps
        assert patterns.matches("a" * 100 + "b", "(a|aa)+$").holds is None
        assert steps > before + 100, "a search that holds the lock lets a few steps through"
    finally:
        is_over.set()
        thread.join()


UNCHECKED = [
    Assertion("is-json", {"$ref": "http://127.0.0.1:9/s.json"}),
    Assertion("is-json", {"type": 3}),
    Assertion("regex", "("),
    Assertion("contains-all", 3),
    Assertion("levitate", "x"),
    Assertion("equals", float("nan")),
    Assertion("similar", []),
]


@pytest.mark.parametrize("assertion", UNCHECKED)
def test_what_was_never_checked_ends_no_suite(assertion: Assertion) -> None:
    (outcome,) = graded('{"a": 1}', assertion)
    assert not outcome.passed
    assert outcome.reason


@given(st.text(max_size=200))
@example("[" * 200)
@example('{"a": [1, 2}')
def test_json_is_looked_for_in_any_text(text: str) -> None:
    values = list(json_text.within(text))
    assert all(isinstance(value, (dict, list)) for value in values)


@given(st.text(max_size=100), st.text(max_size=100))
def test_any_two_texts_are_equal_or_tell_where_they_part(answer: str, expected: str) -> None:
    (outcome,) = graded(answer, Assertion("equals", expected))
    assert outcome.passed is (answer == expected)
    assert outcome.reason.encode()


@given(st.text(alphabet="ab(){}[]|*+?,\\^$.01:<>=!-R&P", max_size=30))
@example("[]a]{3}")
@example("a{,}{2}")
def test_any_pattern_is_compiled_or_refused_in_a_sentence(pattern: str) -> None:
    with contextlib.suppress(ConfigurationError):
        check(Assertion("regex", pattern), "Item 1")
        assert graded("ab01", Assertion("regex", pattern))[0].passed is not None


def test_similar_needs_a_model_and_says_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    assertion = Assertion("similar", "a cat")
    with pytest.raises(ConfigurationError, match=f"Item 1, assertion similar: .*{VARIABLE}"):
        check(assertion, "Item 1")
    (outcome,) = graded("a cat", assertion)
    assert outcome.passed is None
    assert VARIABLE in outcome.reason
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    with pytest.raises(ConfigurationError, match=r"has no config\.json"):
        check(assertion, "Item 1")


@pytest.fixture
def embeddings(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A static model of four words, in which two are alike."""
    numpy = pytest.importorskip("numpy")
    model2vec = pytest.importorskip("model2vec")
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace

    tokenizer = Tokenizer(
        WordLevel({"[UNK]": 0, "cat": 1, "kitten": 2, "stone": 3}, unk_token="[UNK]")
    )
    tokenizer.pre_tokenizer = Whitespace()
    vectors = numpy.array([[0, 0], [1, 0.1], [1, 0.2], [-0.1, 1]], dtype=numpy.float32)
    model2vec.StaticModel(vectors, tokenizer).save_pretrained(tmp_path / "tiny")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "tiny"))


@pytest.mark.usefixtures("embeddings")
def test_similar_is_the_cosine_of_vectors() -> None:
    cases: list[tuple[Any, float | None, str, bool]] = [
        ("cat", None, "kitten", True),
        ("cat", None, "stone", False),
        ("cat", 0.999, "kitten", False),
        (["stone", "cat"], None, "kitten", True),
        ("cat", None, "", False),
        ("cat", 0, "unknown words", True),
    ]
    for value, threshold, answer, is_so in cases:
        one = Assertion("similar", value, threshold)
        other = Assertion("not-similar", value, threshold)
        check(one, "Item 1")
        outcome, contrary = graded(answer, one, other)
        assert (outcome.passed, contrary.passed) == (is_so, not is_so), outcome
        assert outcome.score is not None
        assert contrary.score == pytest.approx(1 - outcome.score)
    assert "“cat” by 1.00" in graded("kitten", Assertion("similar", ["stone", "cat"]))[0].reason
    with pytest.raises(ConfigurationError, match="list of texts"):
        check(Assertion("similar", []), "Item 1")


@pytest.mark.usefixtures("embeddings")
def test_similar_reads_an_answer_to_its_end() -> None:
    long = " ".join(["cat"] * 600 + ["stone"] * 6000)
    (outcome,) = graded(long, Assertion("similar", "stone"))
    assert outcome.passed, outcome


def test_a_damaged_model_of_similar_is_told(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("model2vec")
    for name in ("config.json", "model.safetensors", "tokenizer.json"):
        (tmp_path / name).write_text("{")
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    (outcome,) = graded("cat", Assertion("similar", "cat"))
    assert outcome.passed is None
    assert "cannot be loaded" in outcome.reason
