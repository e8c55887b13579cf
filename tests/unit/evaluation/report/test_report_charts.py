"""Charts as SVG: they are read by screen readers, and their labels do not overlap."""

from __future__ import annotations

import itertools
import re
from xml.etree import ElementTree

import pytest
from kept_suites import kept_suite, suite_slot

from comparator.evaluation.pareto import pareto_of
from comparator.evaluation.report import svg
from comparator.evaluation.report.pareto_chart import pareto_svg
from comparator.evaluation.report.pareto_layout import Box, Disc, LogAxis, places_of_labels
from comparator.evaluation.report.pass_rate_chart import pass_rate_svg
from comparator.evaluation.statistics import summary_of

SPACE = "{http://www.w3.org/2000/svg}"
NAME = '<script>x</script>" onload="x'
LABELS = [f"A · {NAME}", "B · second", "C · third"]
KEPT = kept_suite(((True,) * 30, (False,) * 30, (True, False) * 15))


def charts():
    return pareto_svg(pareto_of(KEPT), LABELS), pass_rate_svg(summary_of(KEPT), LABELS)


@pytest.mark.parametrize("number", [0, 1])
def test_a_chart_is_an_image_with_a_name_and_a_description(number):
    root = ElementTree.fromstring(charts()[number])
    assert root.get("role") == "img"
    names = root.get("aria-labelledby").split()
    title, about = (root.find(f"{SPACE}{tag}") for tag in ("title", "desc"))
    assert [title.get("id"), about.get("id")] == names
    assert title.text
    assert "95 %" in about.text
    assert all(label.split(" ")[0] in about.text for label in LABELS)


@pytest.mark.parametrize("number", [0, 1])
def test_a_chart_has_no_colour_script_or_address_of_its_own(number):
    text = charts()[number]
    root = ElementTree.fromstring(text)
    tags = {node.tag.removeprefix(SPACE) for node in root.iter()}
    assert tags <= {"svg", "title", "desc", "g", "line", "rect", "circle", "text"}
    names = {name for node in root.iter() for name in node.attrib}
    assert not names & {"style", "href", "onload", "class"}
    colours = {node.get(name) for node in root.iter() for name in ("fill", "stroke")}
    assert colours <= {None, "none", "currentColor"}


def test_what_is_dominated_is_hollow():
    root = ElementTree.fromstring(charts()[0])
    circles = root.findall(f".//{SPACE}circle")
    points = pareto_of(KEPT).points
    assert [point.is_dominated for point in points] == [False, True, True]
    assert [circle.get("fill") == "none" for circle in circles] == [False, True, True]


def test_higher_is_better_and_further_right_is_faster():
    slots = [suite_slot(n, aggregate_tokens_per_second=speed) for n, speed in enumerate((10, 80))]
    kept = kept_suite(([True] * 9 + [False], [False] * 9 + [True]), slots=slots, batch=4)
    root = ElementTree.fromstring(pareto_svg(pareto_of(kept), ["A", "B"]))
    good, fast = (
        [float(one.get(name)) for name in ("cx", "cy")] for one in root.iter(f"{SPACE}circle")
    )
    assert good[0] < fast[0]
    assert good[1] < fast[1]  # upwards is less
    assert "A (batch)" in [one.text for one in root.iter(f"{SPACE}text")]


def test_there_is_no_chart_of_what_nothing_is_known_of():
    kept = kept_suite((("", ""),))
    assert pareto_svg(pareto_of(kept), ["A"]) == ""
    assert pass_rate_svg(summary_of(kept), ["A"]) == ""


def test_an_interval_is_drawn_around_each_rate():
    root = ElementTree.fromstring(charts()[1])
    rates = [float(one.get("cx")) for one in root.iter(f"{SPACE}circle")]
    bars = [
        (float(one.get("x1")), float(one.get("x2")))
        for one in root.iter(f"{SPACE}line")
        if one.get("stroke-width") == "2" and one.get("y1") == one.get("y2")
    ]
    assert len(bars) == len(rates) == 3
    assert all(low <= rate <= high for rate, (low, high) in zip(rates, bars, strict=True))
    assert all(high - low > 10 for low, high in bars)


def test_labels_of_four_models_in_one_place_do_not_overlap():
    discs = [Disc(300 + n, 200 + n, 10) for n in range(4)]
    bars = [Box(disc.x - 4, 120, 8, 160) for disc in discs]
    room = Box(50, 0, 600, 320)
    words = ["SmolLM2-135M-Instruct-Q4_1", "模型二", "third", "a longer name of a fourth one"]
    boxes = places_of_labels(discs, words, bars, room)
    assert not [pair for pair in itertools.combinations(boxes, 2) if pair[0].meets(pair[1])]
    assert not [1 for box in boxes for disc in discs if box.meets(disc.box)]
    assert all(box.is_in(room) for box in boxes)


@pytest.mark.parametrize("values", [[25.0], [20.0, 21.0], [0.5, 900.0], [1200.0, 1300.0]])
def test_an_axis_has_round_numbers_on_both_sides(values):
    axis = LogAxis(values, 50, 700)
    assert len(axis.ticks) >= 2
    assert all(50 <= axis(value) <= 700 for value in (*values, *axis.ticks))
    assert all(re.match("[125]0*$|0.[05]*[125]$", f"{tick:g}") for tick in axis.ticks)


def test_a_long_label_is_shortened():
    assert len(svg.shortened("x" * 100)) == svg.LONGEST_LABEL
