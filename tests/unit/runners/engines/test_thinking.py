"""Thoughts and answers are told apart, however the text is cut into pieces."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runners.engines.prompt_end import opened_by
from runners.engines.thinking import (
    CHANNELS,
    KNOWN,
    LONGEST_HEADER,
    Pair,
    ThoughtMarks,
    ThoughtSplitter,
)

ANALYSIS = "<|channel|>analysis<|message|>"
FINAL = "<|start|>assistant<|channel|>final<|message|>"
THINK = ThoughtMarks(special=frozenset(("[THINK]", "[/THINK]")))
CONTROL = ThoughtMarks(special=frozenset(CHANNELS))
OWN = ThoughtMarks((*KNOWN, Pair("((t))", "((/t))"), Pair("", "{{end of thoughts}}")))
TOLD = ThoughtMarks(expected=frozenset(("</think>", "[/THINK]")))  # as by a template


def split(splitter: ThoughtSplitter, text: str, size: int) -> tuple[str, str]:
    return together(splitter, [text[at : at + size] for at in range(0, len(text), size)])


def together(splitter: ThoughtSplitter, pieces: Sequence[str]) -> tuple[str, str]:
    """Return thought and answer as whoever reads the pieces puts them together."""
    thought = answer = ""
    for piece in map(splitter.feed, pieces):
        if piece.was_thought:
            thought, answer = (thought + answer + piece.thought).strip(), piece.answer
        else:
            thought, answer = thought + piece.thought, answer + piece.answer
    rest = splitter.rest()
    return thought + rest.thought, answer + rest.answer


CASES = {
    "<think>x</think>y": ("x", "y"),
    "\n<think>\nx y\n</think>\n\ny\n\nz\n": ("x y", "y\n\nz\n"),
    "<think>\n\n</think>\n\ny": ("", "y"),
    "<think>a < b </ c\n\nd</think>y": ("a < b </ c\n\nd", "y"),
    "[THINK]x[/THINK]y": ("x", "y"),
    "<|channel>thought\nx\n<channel|>y": ("x", "y"),
    "<|channel>thought\n<channel|>y": ("", "y"),
    "<|channel>thoughtful": ("ful", ""),
    "<|START_THINKING|>x<|END_THINKING|>y": ("x", "y"),
    "<seed:think>x</seed:think>y": ("x", "y"),
    f"{ANALYSIS}x<|end|>{FINAL}y": ("x", "y"),
    f"{ANALYSIS}x<|end|><|start|>assistant{ANALYSIS}z<|end|>{FINAL}y": ("x\n\nz", "y"),
    "<|channel|>final<|message|>y": ("", "y"),
    "<|channel|>commentary<|message|>c<|end|>" + FINAL + "y<|return|>": ("", "c\n\ny"),
    "<|start|>assistant<|message|>y": ("", "y"),
    # never closed
    "<think>\nx": ("x", ""),
    "<think>x </thi": ("x </thi", ""),
    f"{ANALYSIS}x": ("x", ""),
    # only closed
    "x\n</think>\n\ny": ("x", "y"),
    " x\n[/THINK] y": ("x", "y"),
    "`x\n</think>y": ("`x", "y"),
    "```\na\n```\n</think>y": ("```\na\n```", "y"),
    "</think>y": ("", "y"),
    # two thoughts before the answer
    "<think>a</think>\n<think>b</think>y": ("a\n\nb", "y"),
    # no thoughts
    "": ("", ""),
    " \n": ("", " \n"),
    " y z": ("", " y z"),
    "<": ("", "<"),
    "a <think> b": ("", "a <think> b"),
    "The tag `</think>` ends it": ("", "The tag `</think>` ends it"),
    "```\n</think>\n```": ("", "```\n</think>\n```"),
    "<table><tr>": ("", "<table><tr>"),
    "<|channel|> is a mark": ("", "<|channel|> is a mark"),
    f"<|channel|>{'x' * LONGEST_HEADER}yz": ("", f"<|channel|>{'x' * LONGEST_HEADER}yz"),
    "<think>x</think>y </think> z": ("x", "y </think> z"),
    "<think>x</think><": ("x", "<"),
}


# Answers that talk of marks.
TALKS = (
    "A reasoning model writes its thoughts between <think> and </think> tags. Then the answer.",
    "The <think> tag is ended by\n</think>\nas it is.",
    "<response>\n<thinking>I add.</thinking>\n<answer>4</answer>\n</response>",
    "In Python:\n\n    text = re.sub('<think>.*?</think>', '', text)\n\nThat is all.",
    "~~~python\nx.split('</think>')\n~~~\nDone",
    "~~~\n```\n</think>\n~~~",
    "````\n```\n</think>\n````",
    "  - ```xml\n</think>",
    "> ```\n> - ```\n</think>",
    "Use ` as a quote. Then `</think>` ends.",
    "`` ` </think> ``",
    "It is x.split('</think>')",
    "So “</think>” ends it",
)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("marks", [ThoughtMarks(), TOLD])
@pytest.mark.parametrize("text", TALKS)
def test_an_answer_that_talks_of_marks_is_no_thought(
    text: str, marks: ThoughtMarks, size: int
) -> None:
    assert split(ThoughtSplitter(marks), text, size) == ("", text)


@pytest.mark.parametrize("size", [1, 2, 1000])
@pytest.mark.parametrize("thought", ["x.", "a `b`", 'He said "hi"', "```\na\n```\nb", "it's"])
def test_within_a_line_an_end_alone_counts_where_it_is_known(thought: str, size: int) -> None:
    text = f"{thought}</think>y"
    assert split(ThoughtSplitter(TOLD), text, size) == (thought, "y")
    assert split(ThoughtSplitter(), text, size) == ("", text)


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize(("text", "parts"), CASES.items())
def test_a_text_is_split_alike_in_pieces_of_any_size(
    text: str, parts: tuple[str, str], size: int
) -> None:
    assert split(ThoughtSplitter(), text, size) == parts


@pytest.mark.parametrize("size", [1, 4, 1000])
@pytest.mark.parametrize(
    ("marks", "text", "parts"),
    [
        (THINK, "a[THINK]b[/THINK]c", ("b", "a\n\nc")),  # control tokens count everywhere
        (THINK, "`a[/THINK]c", ("`a", "c")),
        (THINK, "[THINK]a[/THINK]b[/THINK]c", ("a", "bc")),
        (CONTROL, "<|channel|>ana", ("", "")),  # what only a machine reads
        (CONTROL, f"{FINAL}a<|end|><|start|>assistant{ANALYSIS}b<|end|>{FINAL}c", ("b", "a\n\nc")),
        (OWN, "((t))a((/t))b", ("a", "b")),
        (OWN, "a\n{{end of thoughts}}b", ("a", "b")),
        (OWN.known_by(["{{end of thoughts}}"]), "a{{end of thoughts}}b", ("a", "b")),
    ],
)
def test_a_vocabulary_and_a_template_may_tell_more(
    marks: ThoughtMarks, text: str, parts: tuple[str, str], size: int
) -> None:
    assert split(ThoughtSplitter(marks), text, size) == parts


@pytest.mark.parametrize(
    ("prompt", "after", "text", "parts"),
    [
        ("q<|im_start|>assistant\n<think>\n", 1, "x</think>y", ("x", "y")),
        ("qAssistant: <think>", 1, "x", ("x", "")),
        ("q<|turn>model\n<|channel>thought\n", 1, "x<channel|>y", ("x", "y")),
        (f"q<|start|>assistant{ANALYSIS}", 1, f"x<|end|>{FINAL}y", ("x", "y")),
        ("q<|im_start|>assistant\n<think>\n\n</think>\n\n", 1, "y", ("", "y")),
        ("q[/INST]<think></think>", 1, "y </think> z", ("", "y </think> z")),
        ("What is <think>", 15, "x", ("", "x")),
        ("What is\n<think>", 15, "x", ("", "x")),
        ("Explain </think>", 16, "x\n</think>y", ("x", "y")),
        ("Explain </think>[/INST]", 16, "x\n</think>y", ("x", "y")),
        ("What does this mean: <think>", None, "y", ("", "y")),
        ("Explain </think>", None, "x\n</think>y", ("x", "y")),
        (f"Explain {ANALYSIS}", None, "y", ("", "y")),
        ("A talk.\n<think>\n", None, "x</think>y", ("x", "y")),
        ("<|im_start|>assistant\n<think>\n", None, "x</think>y", ("x", "y")),
        ("<|im_start|>assistant\n<think>\n\n</think>\n\n", None, "y </think>", ("", "y </think>")),
        ("", None, "y", ("", "y")),
    ],
)
def test_a_prompt_may_end_in_an_open_thought(
    prompt: str, after: int | None, text: str, parts: tuple[str, str]
) -> None:
    """``after`` is where the messages end, as far as that is known."""
    behind = None if after is None else prompt[after:]
    assert split(opened_by(prompt, behind, ThoughtMarks()), text, 1) == parts


def test_ordinary_text_is_never_kept_waiting() -> None:
    splitter = ThoughtSplitter()
    pieces = ["Hello", " there", ", a < b", " and\n", "\n", "more"]
    assert [splitter.feed(piece).answer for piece in pieces] == pieces


def test_a_thought_is_told_as_it_comes_but_for_what_may_end_it() -> None:
    splitter = ThoughtSplitter()
    told = [splitter.feed(piece).thought for piece in ["<think>", "\n", "One", " two", " </", "b"]]
    assert told == ["", "", "One", " two", "", " </b"]


def test_much_white_space_at_the_end_of_a_thought_is_not_kept_for_ever() -> None:
    splitter = ThoughtSplitter()
    splitter.feed("<think>a")
    assert splitter.feed("\n" * 1000).thought == "\n" * 1000


def test_it_is_told_once_that_all_before_was_a_thought() -> None:
    splitter = ThoughtSplitter()
    assert splitter.feed("Let me see.\n").answer == "Let me see.\n"
    piece = splitter.feed("So.\n</think>\n\nYes")
    assert (piece.was_thought, piece.thought, piece.answer) == (True, "So.", "Yes")
    assert not splitter.feed(" </think>").was_thought


@pytest.mark.parametrize(
    ("special", "kept"),
    [
        (("<s>", "[THINK]", "[/THINK]"), {"[THINK]", "[/THINK]"}),
        (("<|user|>", "<|end|>", "<|return|>"), set()),  # Phi-3: the end of a turn
        (CHANNELS, set(CHANNELS)),
    ],
)
def test_only_control_tokens_that_mark_thoughts_are_kept(
    special: tuple[str, ...], kept: set[str]
) -> None:
    assert ThoughtMarks().kept(special).special == kept


PARTS = (
    *("<think>", "</think>", "[THINK]", "[/THINK]", "<|channel>", "thought", "<channel|>"),
    *(
        *CHANNELS,
        "analysis",
        "final",
        "`",
        "```",
        "~~~",
        "'",
        "<",
        "</th",
        "a",
        "b c",
        " ",
        "\n",
        "é",
    ),
)


@given(
    st.lists(st.sampled_from(PARTS), max_size=12).map("".join),
    st.lists(st.integers(1, 5), min_size=1, max_size=5),
    st.sampled_from([ThoughtMarks(), THINK, CONTROL, TOLD]),
)
def test_no_cut_changes_what_a_text_is(text: str, sizes: list[int], marks: ThoughtMarks) -> None:
    whole, cut = ThoughtSplitter(marks), ThoughtSplitter(marks)
    assert in_pieces(cut, text, itertools.cycle(sizes)) == split(whole, text, len(text) + 1)


def in_pieces(splitter: ThoughtSplitter, text: str, sizes: Iterator[int]) -> tuple[str, str]:
    pieces, at = [], 0
    while at < len(text):
        end = at + next(sizes)
        pieces.append(text[at:end])
        at = end
    return together(splitter, pieces)
