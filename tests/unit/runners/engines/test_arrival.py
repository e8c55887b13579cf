"""Every message is looked for in what a chat template makes: found, or the run is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from chat_families import FAMILIES

from comparator.core.conversation import Conversation, Message
from comparator.core.exceptions import InferenceError
from runners.engines import chat_prompt
from runners.engines.arrival import plain
from runners.engines.chat_prompt import RenderedPrompt, render
from runners.engines.template import compile_template

QUESTION = "Was heißt „Größe“ \\ <b>&amp;</b> 'x' \"y\"?\n\tÅ ﬁn İ 字 😀"
TURNS = [
    {"role": "user", "content": "One and one?"},
    {"role": "assistant", "content": "Two."},
    {"role": "user", "content": "a"},
]
# The case of the public reports: content is expected to be a list of parts.
PARTS = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}: {% for part in m['content'] %}"
    "{% if part['type'] == 'text' %}{{ part['text'] }}{% endif %}{% endfor %}<|im_end|>\n"
    "{% endfor %}<|im_start|>assistant\n"
)


def each(content: str) -> str:
    """Return a template that writes something of each message."""
    return "{% for m in messages %}[assistant, user, system|{{ " + content + " }}]{% endfor %}"


def rendered(source: str, asked: Any, system: str = "") -> RenderedPrompt:
    template = compile_template(source, {"bos_token": "<s>", "eos_token": "</s>"})
    return render(template, "gguf", Conversation.of(asked, system))


def test_messages_are_given_as_parts_where_a_template_wants_those() -> None:
    prompt = rendered(PARTS, QUESTION, "Be brief.")
    assert prompt.text == (
        f"<|im_start|>system: Be brief.<|im_end|>\n<|im_start|>user: {QUESTION}<|im_end|>\n"
        "<|im_start|>assistant"
    )
    assert prompt.notes == ()
    assert [prompt.text[span.start : span.end] for span in prompt.spans or ()] == [
        "Be brief.",
        QUESTION,
    ]


@pytest.mark.parametrize(
    "content",
    [
        "m.content",
        "m.content | trim",
        "m.content | upper",
        "m.content | lower",
        "m.content | title",
        "m.content | e",
        "m.content | tojson",
        "m.content | tojson(ensure_ascii=true)",
        "m.content | replace(' ', '\n')",
        "m.content ~ m.content",
        "m.content | string | list | join(' ')",
        "(messages | tojson) if loop.first else ''",
        "messages if loop.first else ''",
    ],
)
@pytest.mark.parametrize("system", ["", "Sei nett."])
def test_what_templates_lawfully_do_to_a_text_loses_nothing(content: str, system: str) -> None:
    for asked in (QUESTION, TURNS):
        assert rendered(each(content), asked, system).text


DROPPING: dict[str, str] = {
    "all": "[assistant, user, system|]",
    "the question": "{% for m in messages[:-1] %}[a user|{{ m.content }}]{% endfor %}assistant",
    "the begin of it": each("m.content[1:]"),
    "the end of it": each("m.content[:-1]"),
    "all after some characters": each("m.content[:40]"),
    "short texts": each("m.content if m.content | length > 15 else ''"),
    "long texts": each("m.content if m.content | length < 40 else ''"),
    "punctuation": each("m.content | replace('?', '')"),
    "what it has under another name": each("m.text"),
    "the order of letters": each("m.content | reverse"),
    "all, and shows how parts are written": "{{ messages[0].content if 0 else '' }}assistant",
}


@pytest.mark.parametrize("name", DROPPING)
def test_a_template_that_loses_the_question_is_refused(name: str) -> None:
    asked = "a?" if name in ("short texts", "the order of letters") else f"{QUESTION} {'a' * 20}?"
    with pytest.raises(InferenceError, match=r"leaves out message 1 \(user\): its text is not"):
        rendered(DROPPING[name], asked)


@pytest.mark.parametrize("question", ["a", "u", "user", "system|", "?", "1", "😀", "[", "\u0301"])
@pytest.mark.parametrize("own", ["[assistant, user, system|1?😀\u0301]", "<%s>" * 3])
def test_what_a_template_says_itself_is_not_taken_for_the_question(question: str, own: str) -> None:
    """A question of one letter stands in the name of a role, and still it is lost."""
    with pytest.raises(InferenceError, match=r"leaves out message 1 \(user\)"):
        rendered(own.replace("%s", question), question)
    of_long_texts = "{{ messages[0].content if messages[0].content | length > 15 }}"
    with pytest.raises(InferenceError, match=r"leaves out message 1 \(user\)"):
        rendered(own.replace("%s", question) + of_long_texts, question)
    assert rendered(f"{own}{{{{ messages[0].content | upper }}}}", question).text


@pytest.mark.parametrize(
    ("kept", "lost"),
    [
        ("0", "2 (assistant), 3 (user)"),
        ("1", "1 (user), 3 (user)"),
        ("-1", "1 (user), 2 (assistant)"),
    ],
)
def test_what_is_lost_is_named(kept: str, lost: str) -> None:
    source = f"a user: {{{{ messages[{kept}].content }}}} assistant:"
    with pytest.raises(InferenceError) as caught:
        rendered(source, TURNS)
    assert f"leaves out message {lost}: its text" in str(caught.value)


def test_the_same_text_twice_has_to_arrive_twice() -> None:
    turns = [{**TURNS[0], "content": "a"}, TURNS[1], TURNS[2]]
    kept = "{% for m in messages[1:] %}[{{ m.content | upper }}]{% endfor %}"
    with pytest.raises(InferenceError, match=r"leaves out message 1 \(user\)"):
        rendered(kept, turns)


def test_a_list_of_parts_that_is_written_down_is_no_arrival() -> None:
    """Given texts it drops the question, given parts it shows how Python writes them."""
    source = each("m.content if m.content is not string else ''")
    for question in (QUESTION, "hi"):
        with pytest.raises(InferenceError, match=r"leaves out message 1 \(user\)"):
            rendered(source, question)


@pytest.mark.parametrize(
    "stripped",
    [
        "m.content.split('</think>')[-1]",
        "m.content.split('</think>')[-1].lstrip('\n')",
        "(m.content.split('</think>')[-1] | trim | upper)",
        "m.content",
    ],
)
def test_thoughts_of_earlier_answers_may_go(stripped: str) -> None:
    thought = {"role": "assistant", "content": "<think>\nx is a b\n</think>\n\nTwo."}
    content = f"(m.content if m.role == 'user' else {stripped})"
    assert rendered(each(content), [TURNS[0], thought, TURNS[2]]).text
    gone = "(m.content if m.role == 'user' else '<think>x is a b</think>')"
    with pytest.raises(InferenceError, match=r"leaves out message 2 \(assistant\)"):
        rendered(each(gone), [TURNS[0], thought, TURNS[2]])


@pytest.mark.parametrize("thought", ["<think>a b</think>", "<think>a b", "[THINK]a b[/THINK]\n"])
@pytest.mark.parametrize("left", ["m.content.split('</think>')[-1]", "''", "m.content"])
def test_an_answer_that_is_nothing_but_a_thought_cannot_be_lost(thought: str, left: str) -> None:
    turns = [TURNS[0], {"role": "assistant", "content": thought}, TURNS[2]]
    source = each(f"(m.content if m.role == 'user' else {left})")
    assert "[assistant, user, system|a]" in rendered(source, turns).text


def test_a_closing_mark_that_the_user_typed_hides_nothing() -> None:
    source = each("m.content.split('</think>')[-1]")
    with pytest.raises(InferenceError, match=r"leaves out message 1 \(user\)"):
        rendered(source, "Why? </think> ok")


def test_thoughts_that_only_the_template_tells_may_go() -> None:
    """A reasoning model of tomorrow: its marks stand in its template alone."""
    source = "{% set c = m.content.split('</reason>')[-1] %}[{{ c }}]"
    source = f"{{% for m in messages %}}{source}{{% endfor %}}"
    for thought in ("<reason>x is a b</reason>\nTwo.", "<reason>x is a b</reason>"):
        turns = [TURNS[0], {"role": "assistant", "content": thought}, TURNS[2]]
        prompt = rendered(source, turns)
        assert prompt.spans is not None
        assert "x is" not in prompt.text
    with pytest.raises(InferenceError, match=r"leaves out message 1 \(user\)"):
        rendered(source, "Why? </reason> ok")


SMOL, NANO = "smollm3", "nemotron-nano-2"
SWITCHED = [
    # the family, the system prompt, the question, what of them arrives, the mode, is it said
    (SMOL, "Be brief. /no_think", "2+2?", ["Be brief.", "2+2?"], "/no_think", True),
    (SMOL, "/think Be brief.", "2+2?", ["Be brief.", "2+2?"], "/think", True),
    (
        SMOL,
        "/system_override Be brief.",
        "2+2?",
        ["Be brief.", "2+2?"],
        "Be brief.<|im_end|>",
        True,
    ),
    (
        SMOL,
        "Read /thinking/notes first.",
        "2+2?",
        ["Read ing/notes first.", "2+2?"],
        "/think",
        True,
    ),
    (SMOL, "/no_think", "a", ["a"], "You help.", False),
    (SMOL, "/no_think", "think", ["think"], "/no_think", False),
    (SMOL, "", "/no_think 2+2?", ["/no_think 2+2?"], "/think", False),
    (NANO, "", "2+2? /no_think", ["2+2?"], "<think></think>", True),
    (NANO, "/no_think", "2+2?", ["2+2?"], "<think></think>", False),
    (NANO, "/no_think", "/think", [], "<think>\n", False),
    (NANO, "", "What is in /etc/think?", ["What is in /etc?"], "<think>\n", True),
    ("glm-4.5", "Be brief.", "2+2? /nothink", ["Be brief.", "2+2? /nothink"], "/nothink", False),
    ("qwen3", "/no_think", "2+2? /think", ["/no_think", "2+2? /think"], "/no_think", False),
]


@pytest.mark.parametrize(("family", "system", "question", "arrived", "mode", "is_said"), SWITCHED)
def test_switches_that_a_template_removes_are_no_loss(
    family: str, system: str, question: str, arrived: list[str], mode: str, is_said: bool
) -> None:
    prompt = rendered(FAMILIES[family].template, question, system)
    assert [prompt.text[span.start : span.end] for span in prompt.spans or ()] == arrived
    assert mode in prompt.text
    assert prompt.notes == ((chat_prompt.SWITCHES_TAKEN_OUT,) if is_said else ())


@pytest.mark.parametrize("kept", ["'2+2?'", "'/no_think'", "m.content[5:]"])
def test_a_switch_beside_a_text_hides_no_loss_of_it(kept: str) -> None:
    source = each(f"({kept}).replace('/no_think', '')")
    with pytest.raises(InferenceError, match="leaves out message"):
        rendered(source, "Why not? /no_think")


def test_blank_messages_cannot_be_lost() -> None:
    turns = [TURNS[0], {"role": "assistant", "content": " \n"}, TURNS[2]]
    source = "{% for m in messages if m.content | trim %}[{{ m.content }}]{% endfor %}"
    assert rendered(source, turns).text == "[One and one?][a]"


@pytest.mark.parametrize(
    ("source", "note"),
    [
        ("{% for m in messages | reverse %}[{{ m.content }}]{% endfor %}", "OTHER_ORDER"),
        ("{% for m in messages %}[{{ m.content }}{{ m.content }}]{% endfor %}", "REPEATED"),
    ],
)
def test_another_order_and_repeats_are_said(source: str, note: str) -> None:
    assert rendered(source, TURNS).notes == (getattr(chat_prompt, note),)


ALTERNATING = (
    "{% for m in messages %}{% if (m.role == 'user') != (loop.index0 % 2 == 0) %}"
    "{{ raise_exception('roles must alternate') }}{% endif %}[{{ m.role }}:{{ m.content }}]"
    "{% endfor %}"
)


@pytest.mark.parametrize(
    ("system", "notes"),
    [
        ("", (chat_prompt.NEIGHBOURS_JOINED,)),
        ("s", (chat_prompt.SYSTEM_INSIDE, chat_prompt.NEIGHBOURS_JOINED)),
    ],
)
def test_roles_that_a_template_refuses_are_merged_and_said(
    system: str, notes: tuple[str, ...]
) -> None:
    turns = [TURNS[0], {"role": "user", "content": "Quick!"}, TURNS[1], TURNS[2]]
    prompt = rendered(ALTERNATING, turns, system)
    before = f"{system}\n\n" if system else ""
    assert prompt.text == f"[user:{before}One and one?\n\nQuick!][assistant:Two.][user:a]"
    assert prompt.notes == notes


def test_a_system_prompt_inside_the_first_message_is_said() -> None:
    assert rendered(ALTERNATING, TURNS, "s").notes == (chat_prompt.SYSTEM_INSIDE,)
    assert rendered(each("m.content"), TURNS, "s").notes == ()


def test_a_talk_that_no_merging_helps_is_refused_in_the_templates_words() -> None:
    turns = [{"role": "assistant", "content": "Hello."}, *TURNS]
    with pytest.raises(InferenceError, match=r"fails .*roles must alternate"):
        rendered(ALTERNATING, turns)


def test_what_nobody_tells_a_template_is_named() -> None:
    source = "{{ date_string }}{% if tools %}{{ tools }}{% endif %}" + each("m.content")
    (note,) = rendered(source, "hi").notes
    assert "asks for date_string, which nothing here tells it" in note
    template = compile_template(source, {"bos_token": "<s>", "eos_token": "</s>"})
    told = render(template, "gguf", Conversation.of("hi"), arguments={"date_string": "today"})
    assert told.notes == ()  # what it missed before is forgotten
    with pytest.raises(InferenceError, match="'tool_prompt' is undefined"):
        rendered("{{ tool_prompt + 'x' }}" + each("m.content"), "hi")
    assert rendered("{{ x | default('') }}" + each("m.content"), "hi").notes == ()


def test_a_macro_without_its_argument_is_no_wish() -> None:
    source = "{% macro f(a, b) %}{{ a }}{{ b }}{% endmacro %}{{ f(messages[0].content) }}"
    assert rendered(source, "hi").notes == ()


@pytest.mark.parametrize("forbidden", ["_x", "__class__"])
def test_a_namespace_has_no_private_names(forbidden: str) -> None:
    for source in (
        f"{{% set n = namespace({forbidden}=1) %}}",
        f"{{% set n = namespace() %}}{{% set n.{forbidden} = 1 %}}",
    ):
        with pytest.raises(InferenceError, match="tried something forbidden"):
            rendered(source + each("m.content"), "hi")


@pytest.mark.parametrize(
    ("text", "same"),
    [("Größe", "GRÖSSE"), ("e\u0301", "\u00c9"), ("ﬁ n", "FIN"), ("a\n\tb", " AB ")],
)
def test_texts_are_compared_by_what_they_say(text: str, same: str) -> None:
    assert plain(text) == plain(same)


def test_many_messages_take_two_renderings() -> None:
    turns = [Message("user" if n % 2 == 0 else "assistant", f"text {n}") for n in range(401)]
    count = 0

    def counted(messages: Any, **_arguments: Any) -> str:
        nonlocal count
        count += 1
        return "".join(f"[{one['content']}]" for one in messages)

    template: Callable[..., str] = counted
    prompt = render(template, "gguf", Conversation(tuple(turns)))
    assert len(prompt.spans or ()) == 401
    assert count == 2
