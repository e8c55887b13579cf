"""The making of a ladder, from the work behind it to what the page says; no file is made."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from comparator.core.exceptions import ModelLoadError
from comparator.core.models import ModelInfo, ModelType
from comparator.hosting.background_work import BackgroundWork, WorkStopped
from comparator.hosting.library.library_actions import LadderProgress, LadderStatus, make_ladder
from comparator.library.changes import quantising
from comparator.ui.library import render

SOURCE = ModelInfo("s", "Small", "/small.gguf", ModelType.GGUF, 10)
RUNGS = tuple(
    quantising.Rung(name, Path(f"/{name}.gguf"), 5, 4.0, 0) for name in ("Q8_0", "Q4_K_M")
)
LADDER = quantising.Ladder(SOURCE, Path("/models"), RUNGS, ())


def made(rung: quantising.Rung) -> quantising.QuantisingProgress:
    model = ModelInfo(rung.quantisation, rung.quantisation, str(rung.path), ModelType.GGUF, 5)
    return quantising.QuantisingProgress("made", rung, 5, 5, 1.0, model)


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[LadderStatus, list[str]]]:
    """Make the ladder where so many files come, and perhaps an error after them."""

    def make_it(
        files: int, error: Exception | None = None, stopped: bool = False
    ) -> tuple[LadderStatus, list[str]]:
        def making(
            _ladder: object, _is_stopping: object
        ) -> Iterator[quantising.QuantisingProgress]:
            yield from map(made, RUNGS[:files])
            if error:
                raise error

        monkeypatch.setattr(quantising, "make", making)
        seen: list[str] = []
        work: BackgroundWork[LadderProgress] = BackgroundWork(
            "test",
            lambda report, stopping: make_ladder(
                LADDER, lambda: seen.append("made"), report, stopping
            ),
        )
        if stopped:
            work.stop()
        work.start()
        assert work.join(10)
        return work.status, seen

    return make_it


Make = Callable[..., tuple[LadderStatus, list[str]]]


def shown(status: LadderStatus, seconds_left: float | None = None) -> str:
    """Return what people read of a status."""
    return re.sub(r"<[^>]*>", "", render.making(status, seconds_left))


def test_a_whole_ladder_is_told_by_its_names(make: Make) -> None:
    status, seen = make(2)
    assert (status.was_stopped, status.trouble) == (False, "")
    assert seen == ["made"]
    assert "Made: Q8_0, Q4_K_M." in shown(status)


def test_what_was_made_before_a_stop_stays_and_is_told(make: Make) -> None:
    status, seen = make(1, stopped=True)
    assert status.was_stopped
    assert seen == ["made"]
    assert "Cancelled. Made: Q8_0." in shown(status)


def test_a_stop_after_the_last_file_is_none(make: Make) -> None:
    assert not make(2, stopped=True)[0].was_stopped


def test_what_goes_wrong_is_told_with_what_was_made(make: Make) -> None:
    status, _seen = make(1, ModelLoadError("The disk is full."))
    assert "The disk is full. Made: Q8_0." in shown(status)


def test_how_far_it_is_is_told_with_the_time_that_is_left() -> None:
    news = quantising.QuantisingProgress("quantise", RUNGS[0], 5_000_000, 10_000_000, 0.25)
    status = LadderStatus(LadderProgress(news))
    assert shown(status, 80) == "Making Q8_0, 5.0 MB of 10 MB, 1 min 20 s left"
    assert 'value="0.250"' in render.making(status)


def test_a_stop_is_told_to_who_does_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quantising, "make", lambda _ladder, _is_stopping: iter(()))
    with pytest.raises(WorkStopped):
        make_ladder(LADDER, lambda: None, lambda _progress: None, lambda: True)
