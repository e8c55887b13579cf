"""What the panels under the board show, and how seldom they are made anew."""

from __future__ import annotations

import json
from typing import Any

import pytest
from panel_records import record

from comparator.comparison.comparison import Comparison
from comparator.comparison.request import Request, Slot
from comparator.core.config import ModelConfig
from comparator.core.conversation import Conversation
from comparator.core.models import ModelInfo, ModelType
from comparator.hosting.session import Session
from comparator.ui import language
from comparator.ui.compare import fair_play, machine
from comparator.ui.compare.board import Board
from runners import protocol
from runners.process import Receipt

MODEL = ModelInfo("a", "al\x1bpha", "/a.echo.json", ModelType.ECHO, 10)


class FakeRun:
    """A run of which a test says what was seen."""

    log_tail = ""

    def __init__(self) -> None:
        self.looks = 0
        self.own: list[int] = []
        self.receipt: Receipt | None = None

    def look(self, own: int) -> None:
        self.looks += 1
        self.own.append(own)

    @property
    def samples(self) -> dict[str, list[Any]]:
        seconds = [float(number) for number in range(self.looks)]
        return {"seconds": seconds, "own_bytes": self.own, "available_bytes": [9] * self.looks}


class Clock:
    now = 100.0

    @classmethod
    def monotonic(cls) -> float:
        return cls.now


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> tuple[Comparison, FakeRun, Board]:
    """A comparison of one model under way, its run, and its board; nothing is started."""
    monkeypatch.setattr(machine, "time", Clock)
    slots = [Slot(MODEL, ModelConfig())]
    comparison, run = Comparison(Request(Conversation.of("hi"), slots)), FakeRun()
    run_of_any: Any = run
    comparison._runs[0] = run_of_any
    engine: Any = None
    return comparison, run, Board(Session(engine, comparison))


def told(comparison: Comparison, board: Board, message: protocol.Message) -> dict[str, Any]:
    comparison._tell(0, message)
    assert board.update()
    return board.view


def test_the_machine_is_drawn_when_something_was_seen_and_once_a_second(shown) -> None:
    comparison, run, board = shown
    assert board.view["machine"] is None
    run.look(5)
    view = told(comparison, board, protocol.Loading("weights", 1, 2))
    assert view["machine"]["charts"][0]["bands"][0]["points"] == [[0.0, 0, 5]]
    version = view["machine"]["version"]
    assert told(comparison, board, protocol.Loading("weights", 2, 2))["machine"] is view["machine"]
    run.look(7)
    Clock.now += 0.5
    assert told(comparison, board, protocol.Token("a", 1, 1.0))["machine"]["version"] == version
    Clock.now += 0.6
    later = told(comparison, board, protocol.Token("b", 2, 1.1))["machine"]
    assert later["version"] == version + 1
    assert later["charts"][0]["bands"][0]["points"][-1] == [1.0, 0, 7]


def test_the_end_is_drawn_at_once(shown) -> None:
    comparison, run, board = shown
    run.look(5)
    told(comparison, board, protocol.Token("a", 1, 1.0))
    quiet: Any = type("Measured", (), {"comparisons": 0, "beside": (), "together": 0})()
    comparison._measured[0] = quiet
    run.receipt = Receipt(9, 8, 5, samples=run.samples)
    comparison._tell(0, protocol.Answered("stop", 1, 1.0))
    view = told(comparison, board, protocol.Finished(1.0))
    assert view["machine"]["given_back"][0]["state"] == "as_before"
    assert view["fair_play"]["columns"][0]["name"] == "al\\x1bpha"
    json.dumps([view["machine"], view["fair_play"]])


def test_fair_play_is_said_when_all_is_over(shown) -> None:
    comparison, _run, board = shown
    assert told(comparison, board, protocol.Token("a", 1, 1.0))["fair_play"] is None


def test_a_very_long_prompt_is_shown_in_part_and_says_so() -> None:
    long = "x" * (fair_play.LONGEST_SHOWN + 5)
    view = fair_play.view_of([record(prompt__rendered=f"<s>{long}", prompt__special=[0, 3])])
    (column,) = view["columns"]
    assert column["pieces"][0] == ["<s>", True]
    assert sum(len(text) for text, _ in column["pieces"]) == fair_play.LONGEST_SHOWN
    assert column["left_out"] == 8


def test_what_others_wrote_is_shown_safely() -> None:
    view = fair_play.view_of(
        [record(prompt__rendered="\x1b[2J", prompt__special=[], config__stop=["\x00"])]
    )
    assert "\x1b" not in str(view)
    assert view["columns"][0]["pieces"][0][0] == "\\x1b[2J"


@pytest.mark.parametrize("area", ["fair_play", "machine"])
def test_the_panels_are_worded_in_every_language(area: str) -> None:
    by_language = {
        name: {key for key in told if key.startswith(f"{area}.")}
        for name, told in language.texts().items()
    }
    assert len(by_language) == 2
    first, *others = by_language.values()
    assert first
    assert all(keys == first for keys in others)
