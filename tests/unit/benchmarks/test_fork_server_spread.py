"""What the benchmark of fork servers makes of its measurements; no model runs here."""

from __future__ import annotations

import itertools
import os
import random
import statistics
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks import fork_server_spread as spread
from benchmarks.fork_server_spread import AS_IT_IS, Served
from benchmarks.memory_layout import Mapping, mappings

Speed = Callable[[int, Any], float]


class Stand:
    """Stands in the place of the fork servers: each child's speed is that of a function."""

    def __init__(self, speed: Speed) -> None:
        self._speed = speed
        self.asked = 0

    def speed(self, one: Served, move: Any = AS_IT_IS, look: object = None) -> float:
        self.asked += 1
        return self._speed(one.number, move)


def servers(number: int) -> list[Served]:
    return [Served(index) for index in range(number)]


def test_a_slow_server_is_found_however_often_it_is_asked() -> None:
    stand: Any = Stand(lambda number, _move: 92.0 if number == 3 else 100.0)
    served = servers(8)
    (found,) = spread.screened(stand, served, rounds=2)
    assert (found.number, found.ratio) == (3, pytest.approx(0.92))
    assert len(found.ratios) == 2 + spread.AGAIN


def test_a_server_that_was_only_disturbed_is_asked_again_and_let_go() -> None:
    disturbed = itertools.chain([0.5, 0.6], itertools.repeat(1.0))
    stand: Any = Stand(lambda number, _move: 100.0 * (next(disturbed) if number == 2 else 1.0))
    assert spread.screened(stand, served := servers(6), rounds=2) == []
    assert served[2].ratio == pytest.approx(1.0)


def test_where_none_seems_slow_nobody_is_asked_again() -> None:
    stand: Any = Stand(lambda _number, _move: 100.0)
    spread.screened(stand, servers(5), rounds=2)
    assert stand.asked == 10


def test_moves_are_told_beside_the_ordinary_server_as_it_is() -> None:
    slow, usual = served = servers(2)

    def speed(number: int, move: Any) -> float:
        return 92.0 if number == 0 and move[0] != "heap" else 100.0

    stand: Any = Stand(speed)
    spread.move_buffers(stand, served, rounds=2)
    assert slow.moved["as it is"] == slow.moved["map 5"] == pytest.approx([0.92, 0.92])
    assert slow.moved["heap 5"] == usual.moved["as it is"] == pytest.approx([1.0, 1.0])
    assert any("heap 5" in line and "best 1.000" in line for line in spread.moved(slow, usual))


def test_servers_that_differ_stand_out_of_chance() -> None:
    random.seed(1)
    served = servers(10)
    for one in served:
        one.ratios = [random.gauss(0.9 if one.number == 0 else 1.0, 0.001) for _ in range(4)]
    between = statistics.pstdev(one.ratio for one in served)
    assert between > 2 * spread._of_chance(served)
    assert sum("SLOW" in line for line in spread.differences(served)) == 1


def test_this_process_is_looked_at() -> None:
    found = list(mappings(os.getpid()))
    assert {"[heap]", "[stack]"} <= {mapping.name for mapping in found}
    assert all(mapping.bytes > 0 and "Rss" in mapping.kilobytes for mapping in found)


def test_what_lies_alike_is_told_apart_from_what_differs() -> None:
    served = servers(2)
    for one, heap in zip(served, (5, 9), strict=True):
        one.ratios = [1.0]
        one.mappings = [
            Mapping(heap * 4096, 4096, "rw-p", "[heap]", 0),
            Mapping((512 * heap + 19) * 4096, 4096, "r-xp", "/lib/libggml-cpu.so", 0),
        ]
    lines = list(spread.layouts(served))
    assert [line.split() for line in lines[1:3]] == [
        ["[heap]", "differ:", "5", "9"],
        ["libggml-cpu.so", "all", "alike", "at", "19"],
    ]


def test_a_call_made_deeper_returns_the_same() -> None:
    assert spread._within(200, lambda: 7) == 7
