"""Links that open the page with a comparison: read safely, and never more than a form."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, urlencode

import pytest

from comparator.hosting.links import LONGEST_LINK, read_link


def _keys(link: Any) -> list[str]:
    return [note["key"] for note in link.notes]


def test_a_link_names_models_texts_and_settings() -> None:
    query = urlencode(
        [
            *[("models", "alpha"), ("models", "beta"), ("models", "alpha")],
            *[("prompt", "one\ntwo 用"), ("system", "be brief"), ("seed", "7")],
            *[("temperature", "0.5"), ("max_tokens", "none"), ("n_ctx", "fit")],
            *[("do_sample", "false"), ("stop", '["a", "b"]'), ("together", "1")],
            *[("3.temperature", "1.5"), ("3.kv_cache_type", "q8_0"), ("1.thinking", "on")],
        ]
    )
    link = read_link(f"?{query}")
    assert link.models == ("alpha", "beta", "alpha")
    assert (link.prompt, link.system_prompt, link.together) == ("one\ntwo 用", "be brief", True)
    assert link.settings == {
        "seed": 7,
        "temperature": 0.5,
        "max_tokens": None,
        "n_ctx": None,
        "do_sample": False,
        "stop": ["a", "b"],
    }
    assert link.own == {2: {"temperature": 1.5, "kv_cache_type": "q8_0"}, 0: {"thinking": "on"}}
    assert link.notes == ()


@pytest.mark.parametrize("query", ["", "?", "?__theme=dark&utm_source=x&9x=1", None, 5, ["a"], {}])
def test_what_is_none_of_ours_is_passed_by(query: Any) -> None:
    assert read_link(query).is_empty


@pytest.mark.parametrize(
    ("query", "key"),
    [
        ("seed=-1", "slots.link_no_setting"),
        ("seed=" + "9" * 400, "slots.link_no_setting"),
        ("temperature=hot", "slots.link_no_setting"),
        ("temperature=NaN", "slots.link_no_setting"),
        ("temperature=1e999", "slots.link_no_setting"),
        ("max_tokens=lots", "slots.link_no_setting"),
        ("use_gpu=maybe", "slots.link_no_setting"),
        ("template_args=" + quote("[" * 5000), "slots.link_no_setting"),
        ("template_args=" + quote('{"a": ' + "[" * 200 + "]" * 200 + "}"), "slots.link_no_setting"),
        ("template_args=" + quote('{"a": 100000000000000000000}'), "slots.link_no_setting"),
        ("1.template_args=" + quote('{"a": "\\ud800"}'), "slots.link_no_setting"),
        ("2.top_k=1.5", "slots.link_no_setting"),
        ("7.top_k=1", "slots.link_no_slot"),
        ("trust_remote_code=true", "slots.link_no_code"),
        ("1.trust_remote_code=1", "slots.link_no_code"),
        ("prompt=" + "x" * (LONGEST_LINK + 1), "slots.link_too_long"),
        ("&".join(["seed=1"] * 500), "slots.link_too_many"),
    ],
)
def test_nonsense_is_left_out_and_told(query: str, key: str) -> None:
    link = read_link(query)
    assert _keys(link) == [key]
    assert not link.settings
    assert not any(link.own.values())


def test_control_characters_are_left_out_and_told() -> None:
    link = read_link("?" + urlencode({"prompt": "a\x00b\x1b[2J\r\n\tc\u202e\u200b", "models": "x"}))
    assert link.prompt == "ab[2J\n\tc\u202e\u200b"
    assert _keys(link) == ["slots.link_controls"]


def test_what_no_page_can_carry_is_replaced() -> None:
    link = read_link("stop=" + quote('["\\ud800"]') + "&2.stop=" + quote('["a\\udfff"]'))
    assert link.settings == {"stop": ["\ufffd"]}
    assert link.own == {1: {"stop": ["a\ufffd"]}}


def test_a_megabyte_of_prompt_is_read_whole() -> None:
    text = "x" * (LONGEST_LINK - 10)
    assert read_link(f"prompt={text}").prompt == text


def test_what_is_told_of_a_link_is_short_and_harmless() -> None:
    link = read_link(urlencode({"stop": "\x07" + "<b>" * 900}))
    told = link.notes[-1]["values"]["why"]
    assert len(told) < 300
    assert "\x07" not in told
    many = read_link("&".join(f"{number}.seed=x" for number in [1, 2, 3, 4] * 40))
    assert len(many.notes) == 10
