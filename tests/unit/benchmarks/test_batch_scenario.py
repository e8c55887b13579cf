"""The scenario that asks for several answers at once beside one by one, on made-up speeds."""

from __future__ import annotations

from pathlib import Path

from benchmarks.batch import Speed
from benchmarks.company import Amounts, Company
from benchmarks.record import Record
from benchmarks.scenario_batch import AT_ONCE, LABELS, measure
from benchmarks.targets import verdicts

GAINS = {"GGUF Q8_0": 2.6, "PyTorch": 2.9}


def test_both_ways_are_asked_in_turn_and_each_engine_has_its_own_limit(tmp_path: Path) -> None:
    asked: list[tuple[str, int, int]] = []
    record = Record()

    def ask(label: str, size: int, tokens: int) -> Speed:
        asked.append((label, size, tokens))
        return Speed(10.0 * GAINS[label] if size > 1 else 10.0, 5.0)

    amounts = Amounts(repeats=2, batch_tokens=64, short_tokens=4)
    with Company(tmp_path, amounts, record, lambda _sentence: None) as company:
        measure(company, ask)
    assert asked == [
        (label, size, tokens)
        for label in LABELS
        for size, tokens in [(AT_ONCE, 4), (1, 64), (AT_ONCE, 64), (AT_ONCE, 64), (1, 64)]
    ], "one that does not count, then rounds that begin with either"
    found = {
        one.model: (round(one.median or 0, 3), one.met) for one in verdicts(record, ("batch",))
    }
    assert found == {"GGUF Q8_0": (2.6, True), "PyTorch": (2.9, False)}
    assert record.notes == ["batch: 16 answers of 64 tokens each."]
