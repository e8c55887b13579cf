"""What a chat template cuts earlier answers at marks its model's thoughts."""

from __future__ import annotations

import pytest

from runners.engines import template_thoughts
from runners.engines.template_thoughts import MOST_PAIRS, marks_of, told_by_template
from runners.engines.thinking import KNOWN, Pair

REFLECT = (
    "{%- if '</reflect>' in content %}{%- set reasoning_content = "
    "content.split('</reflect>')[0].rstrip('\\n').split('<reflect>')[-1].lstrip('\\n') %}"
    "{%- set content = content.split('</reflect>')[-1].lstrip('\\n') %}{%- endif %}"
)


@pytest.mark.parametrize(
    ("source", "pairs"),
    [
        (REFLECT, (Pair("<reflect>", "</reflect>"),)),
        (
            "{% set thinking = content.split('((t))')[1].split('((/t))')[0] %}",
            (Pair("((t))", "((/t))"),),
        ),
        (
            "{{ m['content'].split('[/DEEP_THOUGHT]')[-1] | trim }}",
            (Pair("[DEEP_THOUGHT]", "[/DEEP_THOUGHT]"),),
        ),
        (
            "{{ m.content.split('<|end_of_reasoning|>')[-1] }}",
            (Pair("<|begin_of_reasoning|>", "<|end_of_reasoning|>"),),
        ),
        ("{{ m.content.split('</think>')[-1] }}", ()),  # known to all
        ("{% set call = content.split('</tool_call>')[0].split('<tool_call>')[-1] %}", ()),
        ("{{ m.content.split('\\n')[0] }}{{ m.content.split('Thought')[0] }}", ()),
        ("{% set reasoning = m.content.split('Thought')[0] %}", ()),  # a word, no mark
        ("{{ m.content.split('</reflect>')[-1] }}{% if", ()),
        ("", ()),
    ],
)
def test_a_templates_own_marks_are_read_from_its_source(
    source: str, pairs: tuple[Pair, ...]
) -> None:
    assert told_by_template(source) == pairs


def test_they_stand_beside_what_all_know() -> None:
    assert marks_of(None).pairs == KNOWN
    assert marks_of(REFLECT).pairs == (*KNOWN, Pair("<reflect>", "</reflect>"))


def test_ends_that_a_template_names_are_expected() -> None:
    assert marks_of(None).expected == frozenset()
    assert marks_of("{{ m.content.split('</think>')[-1] }}").expected == {"</think>"}
    assert marks_of(REFLECT).expected == {"</reflect>"}


def test_a_template_cannot_tell_any_number_of_them() -> None:
    source = "".join(f"{{{{ a.split('</think{number}>')[-1] }}}}" for number in range(50))
    assert len(told_by_template(source)) == MOST_PAIRS


def test_a_template_that_tells_nothing_new_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template_thoughts, "parsed", None)
    assert told_by_template("{{ m.content.split('</think>')[-1] }}") == ()
