"""promptfoo's files: prompts times tests, and everything that is not known here told by name."""

from __future__ import annotations

import json
from typing import Any

import pytest

from comparator.core.exceptions import ConfigurationError
from comparator.evaluation import suite_files
from comparator.storage.kept_suite import Assertion, Item, Suite

WHOLE = """
# yaml-language-server: $schema=https://promptfoo.dev/config-schema.json
description: Translations
providers: [openai:gpt-5]
prompts:
  - "Say {{text}} in {{ language | upper }}"
  - label: chat
    raw: '[{"role": "system", "content": "You speak {{language}}."},
           {"role": "user", "content": "{{text}}"}]'
defaultTest:
  assert: &polite
    - {type: not-icontains, value: sorry}
tests:
  - description: greeting
    vars: {language: [German, French], text: 'hello "you"'}
    assert:
      - {type: contains-any, value: ["{{language}}", Hallo], weight: 2}
  - vars: {language: yes, text: 1.0}
    options: {disableDefaultAsserts: true}
    threshold: 0.5
"""


def read(text: str) -> Suite:
    return suite_files.parsed("promptfooconfig.yaml", text.encode())


def test_each_prompt_is_asked_with_each_test() -> None:
    suite = read(WHOLE)
    assert [(item.id, item.tags) for item in suite.items] == [
        ("1-1 greeting", ["prompt 1"]),
        ("1-2 greeting", ["chat"]),
        ("2-1 greeting", ["prompt 1"]),
        ("2-2 greeting", ["chat"]),
        ("3-1", ["prompt 1"]),
        ("3-2", ["chat"]),
    ]
    first, second, *_, last = suite.items
    assert first == Item(
        "1-1 greeting",
        [{"role": "user", "content": 'Say hello "you" in GERMAN'}],
        None,
        [Assertion("not-icontains", "sorry"), Assertion("contains-any", ["German", "Hallo"])],
        ["prompt 1"],
        {"language": "German", "text": 'hello "you"'},
    )
    assert second.messages == [
        {"role": "system", "content": "You speak German."},
        {"role": "user", "content": 'hello "you"'},
    ]
    assert last.messages[0]["content"] == "You speak yes.", "YAML 1.2, as promptfoo reads it"
    assert last.question == "1"
    assert not last.assertions


def test_what_is_passed_over_is_noted_by_name() -> None:
    notes = "\n".join(read(WHOLE).notes)
    for name in ("providers", "weight", "threshold", "Translations"):
        assert f"“{name}”" in notes
    assert "test 2" in notes


def test_json_says_the_same_and_ids_stay() -> None:
    found = {"prompts": ["Say {{x}}"], "tests": [{"vars": {"x": "a"}}, {"vars": {"x": "b"}}]}
    suite = suite_files.parsed("a.json", json.dumps(found).encode())
    assert [(item.id, item.question) for item in suite.items] == [("1", "Say a"), ("2", "Say b")]


def test_an_assertion_may_be_a_template_of_assertions() -> None:
    suite = read(
        "prompts: ['{{x}}']\n"
        "assertionTemplates: {short: {type: starts-with, value: '{{x}}'}}\n"
        "defaultTest: {assert: [{$ref: '#/assertionTemplates/short'}]}\n"
        "tests: [{vars: {x: a}, assert: [{type: is-json}]}]"
    )
    assert suite.items[0].assertions == [Assertion("starts-with", "a"), Assertion("is-json")]
    assert not suite.notes


FILLED: list[tuple[str, dict[str, Any], str]] = [
    ("{{x}}", {"x": None}, ""),
    ("{{ x }}", {"x": True}, "true"),
    ("{{x.a[1]}}", {"x": {"a": [1, 2]}}, "2"),
    ("{{x}}", {"x": {"a": 1}}, '{"a": 1}'),
    ("{{x | dump}}", {"x": "é"}, '"é"'),
    ("{% if x == 'a' %}A{% elif y %}B{% else %}C{% endif %}", {"x": "b", "y": False}, "C"),
    ("{{ x | default('none') }}", {}, "none"),
    ("{# said to nobody #}{{x}}", {"x": "<&"}, "<&"),
    ("{{x}}", {"x": "{{y}}"}, "{{y}}"),
]


@pytest.mark.parametrize(("template", "variables", "meant"), FILLED)
def test_templates_are_filled(template: str, variables: dict[str, Any], meant: str) -> None:
    found = {"prompts": [f"={template}"], "tests": [{"vars": variables}]}
    suite = suite_files.parsed("a.json", json.dumps(found).encode())
    assert suite.items[0].question == f"={meant}"


def config(**parts: Any) -> str:
    return json.dumps({"prompts": ["{{x}}"], "tests": [{"vars": {"x": "a"}}], **parts})


def test_of(**parts: Any) -> str:
    return config(tests=[{"vars": {"x": "a"}, **parts}])


test_of.__test__ = False  # type: ignore[attr-defined]

ALIASES = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9)
)
MERGES = "a: &a {x: 1}\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} {{<<: [{', '.join(['*' + chr(97 + n)] * 9)}]}}\n"
    for n in range(9)
)
BAD: list[tuple[str, str]] = [
    ("[1, 2]", "must have prompts and tests"),
    ("description: x", "must have prompts and tests"),
    ("prompts: {{x}}", 'stands in "quotation marks"'),
    ("prompts: [a\ntests: b", "line 2, character"),
    ("prompts: [a]\nprompts: [b]", "line 2: “prompts” is there twice"),
    (ALIASES + "prompts: *j", "more than 500000 values"),
    (MERGES + "prompts: [a]", "more than 500000 values"),
    ("prompts: &a [*a]", "has itself as a part"),
    ("prompts: " + "[" * 50_000, "more than 60 levels deep"),
    ("prompts: " + "[" * 70 + "]" * 70, "more than 60 levels deep"),
    ("prompts: [a]\nx: !!python/object/apply:os.system [id]", "the tag"),
    ("prompts: [a]\nx: !!binary aGk=", "the tag"),
    ("prompts: [a]\n" + "#" * 2_000_001, "the limit of YAML is 2 MB"),
    (config(prompts=[]), "an empty list of prompts"),
    (config(prompts=[""]), "prompt 1 must be text"),
    (config(prompts=[{"label": "x"}]), "prompt 1 must be text, or an object with raw"),
    (config(prompts={"p.txt": "label"}), "prompts name other files"),
    (test_of(**{"assert": [{"$ref": "#/assertionTemplates/x"}]}), "of an assertion in"),
    (config(prompts=["file://p.txt"]), "prompt 1 refers to another file"),
    (config(prompts=["prompts/a.json"]), "prompt 1 refers to another file"),
    (config(tests="file://tests.csv"), "tests refers to another file"),
    (config(tests={"path": "x"}), "tests must be a list of objects"),
    (config(tests=["file://t.yaml"]), "test 1 refers to another file"),
    (config(tests=[3]), "test 1 must be an object"),
    (config(defaultTest="file://d.yaml"), "defaultTest refers to another file"),
    (config(scenarios=[]), "has scenarios, which is not known here"),
    (config(redteam={}), "has redteam"),
    (config(nunjucksFilters={}), "has nunjucksFilters"),
    (test_of(providerOutput="x"), "test 1 has providerOutput"),
    (
        test_of(options={"transform": "x"}),
        "options has transform, which is not known here: it would",
    ),
    (test_of(options=[1]), "options must be an object"),
    (test_of(vars=["file://v.yaml"]), "vars must be an object"),
    (test_of(vars={"x": "file://v.txt"}), "the variable “x” refers to another file"),
    (test_of(vars={"x": []}), "“x” is an empty list"),
    (test_of(vars={"x": ["a"] * 101, "y": ["b"] * 100}), "comes to 10100 prompts"),
    (test_of(vars={"y": 1}), "test 1: 'x' is undefined"),
    (test_of(**{"assert": {"type": "is-json"}}), "assert must be a list"),
    (test_of(**{"assert": [{"type": "javascript", "value": "1"}]}), "test 1: the assertion 'javas"),
    (test_of(**{"assert": [{"type": "assert-set", "assert": []}]}), "one by one"),
    (test_of(**{"assert": [{"type": "equals", "value": "{{z}}"}]}), "'z' is undefined"),
    (config(prompts=["{% for a in x %}{{a}}{% endfor %}"]), "and no loops"),
    (config(prompts=["{{ x * 99999 }}"]), "and no *"),
    (config(prompts=["{{ x.upper() }}"]), "and no calls"),
    (config(prompts=["{{ x | replace('a', x) }}"]), "the filter “replace” is not known"),
    (config(prompts=["{{ x"]), "cannot be used"),
    (config(prompts=["{{ x.__class__ }}"]), "cannot be"),
    (config(prompts=["{{ x }}" * 11], tests=[{"vars": {"x": "y" * 100_000}}]), "when it is filled"),
]


@pytest.mark.parametrize(("text", "why"), BAD)
def test_what_is_wrong_or_not_known_is_told_with_its_place(text: str, why: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(text)
    assert why in str(caught.value)
    assert str(caught.value).startswith("promptfooconfig.yaml")


def test_a_small_file_that_its_templates_make_large_is_refused() -> None:
    tests = "".join(f"  - vars: {{x: {number}}}\n" for number in range(200))
    large = "b" * 150_000
    for filled in (f"{{{{x}}}}{large}", large):
        text = (
            f'prompts: ["Say {{{{x}}}}"]\ndefaultTest:\n  assert: ["not-contains: {filled}"]\n'
            f"tests:\n{tests}"
        )
        with pytest.raises(ConfigurationError, match="come to more than 20 MB"):
            read(text)
    text = f'prompts: ["Say hi"]\ndefaultTest: {{vars: {{y: "{large}"}}}}\ntests:\n{tests}'
    with pytest.raises(ConfigurationError, match="come to more than 20 MB"):
        read(text)


def test_a_variable_without_a_name_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="test 1 has values that JSON cannot say"):
        read("prompts: [Hi]\ntests:\n  - vars: {~: 1}\n")


@pytest.mark.parametrize(
    ("template", "why"),
    [
        ("{{ x | round(100000000, 'ceil') }}", "round takes up to 20 digits"),  # for hours
        ("{{ 1 if x is divisibleby(0) else 2 }}", "integer modulo by zero"),
        ("{{ 1e400 | int }}", "cannot be filled"),
        ("{{ x.__class__ }}", "is unsafe. Write"),
    ],
)
def test_what_a_template_cannot_do_with_its_values_is_told(template: str, why: str) -> None:
    with pytest.raises(ConfigurationError, match="test 1: the template") as caught:
        read(f'prompts: ["{template}"]\ntests: [{{vars: {{x: 4}}}}]\n')
    assert why in str(caught.value)


def test_numbers_are_rounded_as_jinja_does() -> None:
    suite = read('prompts: ["{{ x | round(1) }} {{ x | round }}"]\ntests: [{vars: {x: 2.25}}]\n')
    assert suite.items[0].question == "2.2 2"
