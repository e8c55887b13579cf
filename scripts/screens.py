"""Every screen of the page for ``make_screens.py``: what is shown, how one gets there, which looks.

A screen goes on where the one before it in its group ended; a group begins with a page of its own.
"""

from __future__ import annotations

from typing import NamedTuple


class Look(NamedTuple):
    """How a screen is seen: its width and height in pixels, its colours, its language."""

    name: str
    width: int
    height: int
    scheme: str
    language: str


LOOKS = (
    Look("wide", 1440, 900, "light", "en"),
    Look("wide-zh", 1440, 900, "dark", "zh-CN"),
    Look("middle", 1024, 768, "dark", "en"),
    Look("phone", 390, 844, "light", "en"),
    Look("phone-zh", 390, 844, "dark", "zh-CN"),
)


class Screen(NamedTuple):
    """One screen.

    Attributes:
        name: of its files.
        title: what it shows, for the index.
        steps: what leads there: a word of ``DO`` and what it is given.
        is_whole: whether the picture goes down to the end of the page.
        looks: names of the looks in which it is taken; all where empty.
        is_apart: whether its steps are left out where it is not taken; nothing after it needs them.
    """

    name: str
    title: str
    steps: tuple[tuple[str, str], ...]
    is_whole: bool = False
    looks: tuple[str, ...] = ()
    is_apart: bool = False


WIDE_ONES = ("wide", "wide-zh")
BOTH_ENDS = (*WIDE_ONES, "phone", "phone-zh")
# By group. The group named "empty" is taken of a page without models.
SCREENS: dict[str, tuple[Screen, ...]] = {
    "empty": (
        Screen("empty", "A page without models", (("wait", "#starter"),), looks=BOTH_ENDS),
        Screen(
            "history-empty",
            "A history in which nothing is kept",
            (("click", "#history-tab-button"), ("wait", ".history-empty h2")),
            looks=("wide", "phone-zh"),
        ),
        Screen(
            "library-empty",
            "A library without models",
            (("click", "#library-tab-button"), ("wait", ".library-frame .hint:not(:empty)")),
            looks=("wide",),
        ),
    ),
    "page": (
        Screen("start", "The page as it opens", (("models", ""),)),
        Screen(
            "slot",
            "A slot's own settings",
            (("click", "#own-a .slot-settings"), ("wait", "#slot-form"), ("own", "1.5")),
            looks=BOTH_ENDS,
        ),
        Screen(
            "settings",
            "More settings",
            (("press", "Escape"), ("click", "#more > button"), ("wait", "#more > .open")),
            is_whole=True,
            looks=BOTH_ENDS,
        ),
        Screen(
            "shortcuts",
            "The list of shortcuts",
            (("click", "#more > button"), ("click", "#help-open"), ("wait", "#help[open]")),
            looks=("wide", "wide-zh", "phone"),
        ),
        Screen(
            "answers",
            "Answers side by side",
            (("press", "Escape"), ("run", ""), ("top", ".answer")),
        ),
        Screen("answers-whole", "What stands below the answers", (), is_whole=True),
        Screen(
            "fair-play",
            "Whether it was fair: what a model was sent",
            (("open", ".fair-play"), ("open", ".fair-play-slot"), ("show", ".fair-play")),
            looks=BOTH_ENDS,
        ),
        Screen(
            "difference",
            "The difference between two answers",
            (("click", "[data-mode='difference']"), ("wait", ".marked mark"), ("top", ".answer")),
            looks=BOTH_ENDS,
        ),
        Screen(
            "tokens",
            "The tokens of the answers",
            (("click", "[data-mode='tokens']"), ("wait", ".marked .token"), ("top", ".none")),
            looks=BOTH_ENDS,
        ),
        Screen(
            "conversation",
            "A second question",
            (("click", "[data-mode='markdown']"), ("ask-on", ""), ("top", ".none")),
            looks=BOTH_ENDS,
            is_apart=True,
        ),
        Screen(
            "history",
            "The history",
            (("click", "#history-tab-button"), ("wait", ".history-row")),
        ),
    ),
    "library": (
        Screen(
            "library",
            "The library",
            (
                ("models", ""),
                ("click", "#library-tab-button"),
                ("wait", "#library-root tbody tr[data-id]"),
            ),
        ),
        Screen(
            "library-model",
            "What is known of a model, and the question before one is removed",
            (
                ("click", "#library-root tbody tr[data-id] td.name"),
                ("wait", "#library-detail dl"),
                ("no-place", "#library-detail dd"),
                ("click", "[data-action='remove']"),
                ("wait", "#removal-question p"),
            ),
            is_whole=True,
            looks=BOTH_ENDS,
        ),
        Screen(
            "hub",
            "Getting models",
            (("click", "#keep"), ("click", "#hub-tab-button"), ("wait", "#hub-go")),
            looks=BOTH_ENDS,
        ),
    ),
    "evaluate": (
        Screen(
            "blind",
            "Answers without names, before the vote",
            (("models", ""), ("blind", ""), ("top", ".answer")),
            looks=("wide", "phone-zh"),
            is_apart=True,
        ),
        Screen(
            "blind-voted",
            "The names, after the vote",
            (("vote", ""),),
            looks=("wide", "phone-zh"),
            is_apart=True,
        ),
        Screen(
            "evaluate",
            "Prompts for a suite, as they were read",
            (("click", "#evaluate-tab-button"), ("prompts", "")),
            is_whole=True,
            looks=BOTH_ENDS,
        ),
        Screen("suite", "A suite's answers and what they say", (("suite", ""),), is_whole=True),
        Screen(
            "suite-answer",
            "One answer of a suite",
            (
                ("click", "#evaluate-cell-0-0"),
                ("wait", ".evaluate-answer"),
                ("show", ".evaluate-answer"),
            ),
            looks=BOTH_ENDS,
        ),
        Screen(
            "ratings",
            "What the votes say",
            (("wait", ".ratings-table, .ratings-empty"), ("show", "#ratings-title")),
            looks=BOTH_ENDS,
        ),
    ),
}
