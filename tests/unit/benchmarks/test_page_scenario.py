"""The page scenario on the real page, and its sums on made-up updates."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.programs import PeerError, quiet_environment
from benchmarks.scenario_page import (
    COLUMNS,
    Sample,
    make_echo_models,
    measures_of,
    note_delays,
    watch_board,
)
from benchmarks.web import ServedPage, Update

TOKENS = 40


@pytest.mark.process
def test_every_token_of_four_columns_reaches_the_client(tmp_path: Path) -> None:
    models = tmp_path / "models"
    make_echo_models(models, 100)
    page = ServedPage(models, quiet_environment(tmp_path))
    try:
        measures = watch_board(page, TOKENS)
        paths = sorted(models.iterdir())[:2]
        taken = page.round(paths, "hello there", 2)
        with pytest.raises(PeerError, match="does not offer"):
            page.round([models / "z.echo.json"], "hello", 2)
        with pytest.raises(PeerError):
            list(page.board({"prompt": "go", "model-a": "no such model"}))
    finally:
        page.close()
    assert measures["tokens_arrived"] > 0.9  # a stamp that two edits share is not counted
    assert 0 < measures["delay_median"] <= measures["delay_p95"]
    assert measures["page_cpu"] > 0
    assert [figures["tokens"] for figures in taken["models"]] == [2, 2]
    assert taken["first_text_seconds"] <= taken["seconds"]


def test_delays_are_of_each_stamp_once_and_cut_stamps_are_none() -> None:
    delays: dict[bytes, float] = {}
    note_delays(delays, Update(1000.25, b'data: "1000.100000 1000.200000 "'))
    note_delays(delays, Update(1000.5, b'data: "1000.200000 1000.400000 00.300000 1000.45'))
    assert {stamp: round(delay, 3) for stamp, delay in delays.items()} == {
        b"1000.100000": 0.15,
        b"1000.200000": 0.05,
        b"1000.400000": 0.1,
    }


def test_growth_is_the_last_quarter_beside_the_first() -> None:
    samples = [Sample(float(n), 100 + n * 10, n * n * 0.001) for n in range(9)]
    measures = measures_of(samples, [0.05] * 95 + [0.2] * 5, 100)
    assert measures["page_cpu"] == pytest.approx(0.064 / 8)
    assert measures["delay_median"] == pytest.approx(50)
    assert measures["delay_p95"] == pytest.approx(50)
    assert measures["tokens_arrived"] == 1.0
    assert measures["update_bytes_growth"] == pytest.approx(170 / 110)
    assert measures["update_cpu_growth"] == pytest.approx((64 - 36) / 4)
    assert COLUMNS == 4
