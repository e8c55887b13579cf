"""The web page of a suite: what it holds, and that nothing in it can run or lead anywhere."""

from __future__ import annotations

import itertools
import re
from html.parser import HTMLParser

import msgspec
import pytest
from kept_suites import hostile_suite, item, judged, kept_suite, suite_slot

from comparator.comparison.exports.web_parts import FOLDER, Parts
from comparator.evaluation.report import written
from comparator.evaluation.report.contents import Contents
from comparator.evaluation.report.judging import pair_counts_of
from comparator.evaluation.report.markdown import suite_markdown
from comparator.evaluation.report.web_page import suite_html
from comparator.evaluation.report.web_tables import PARTS
from comparator.storage.kept_suite import JudgeVerdict

VOID = {"meta", "input", "line", "rect", "circle", "br"}


class Outline(HTMLParser):
    """What a page is made of: its tags, with attributes, its text, and whether all are closed."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag: str, **wanted: str) -> list[dict[str, str | None]]:
        return [
            attributes
            for name, attributes in self.tags
            if name == tag and all(attributes.get(key) == one for key, one in wanted.items())
        ]


def page_of(kept) -> Outline:
    outline = Outline(written(kept, ".html").decode())
    assert outline.open == []
    return outline


def test_a_hostile_page_has_no_tag_that_a_good_one_has_not():
    good = judged(kept_suite(((True, False), (False, None)), batch=4))
    allowed = {tag for tag, _ in page_of(good).tags} | {"del", "ins"}
    page = page_of(hostile_suite())
    assert {tag for tag, _ in page.tags} <= allowed
    assert len(page.all("script")) == 1
    names = {name for _, attributes in page.tags for name in attributes}
    assert not [name for name in names if name.startswith("on") and name != "on"]
    assert not names & {"src", "href", "style", "action", "srcset"} - {"href"}
    places = {attributes.get("id") for _, attributes in page.tags}
    leads = [attributes["href"] for attributes in page.all("a")]
    assert leads
    assert all(lead.startswith("#") and lead[1:] in places for lead in leads)
    text = "".join(page.text)
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_the_policy_lets_nothing_in_but_the_pages_own_script_and_style():
    (policy,) = [one["content"] for one in page_of(kept_suite()).all("meta") if "http-equiv" in one]
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy
    assert "http" not in policy


def test_every_table_has_heads_with_scopes_and_every_id_is_there_once():
    page = page_of(judged(kept_suite(((True, False, None), (True, True, "")), batch=8)))
    assert all("scope" in attributes for attributes in page.all("th"))
    ids = [attributes["id"] for _, attributes in page.tags if attributes.get("id")]
    assert len(ids) == len(set(ids))
    labelled = [one for _, attributes in page.tags
                if (one := attributes.get("aria-labelledby"))]  # fmt: skip
    assert all(part in ids for one in labelled for part in one.split())
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_a_page_tells_figures_with_intervals_and_what_cannot_be_told():
    text = "".join(page_of(kept_suite(((True, False, None), (True, True, "")))).text)
    assert re.search(r"33 % \(\d+ to \d+ %\)", text)
    assert "Not enough to tell model-0 from model-1" in text
    assert re.search(r"[+-]\d+ points \([+-]\d+ to [+-]\d+\)", text)
    for said in ("✓ passed", "✗ failed", "! no answer", "… not yet", "It broke."):
        assert said in text
    assert "The suite was interrupted: 1 of them are not there yet." in text
    assert "4 of 6 answers, 1 could not be answered." in text


def test_speeds_of_a_batch_are_not_shown_as_those_of_one_answer():
    fates = ((True, False), (True, True))
    slots = [suite_slot(n, batch=8, aggregate_tokens_per_second=183.0) for n in range(2)]
    batched = "".join(page_of(kept_suite(fates, slots=slots, batch=8)).text)
    assert "183.0 tok/s, 8 at once" in batched
    assert "one of 8 written at once, so without a speed of its own" in batched
    assert "20.5 tok/s" not in batched
    single = "".join(page_of(kept_suite(fates)).text)
    assert "20.5 tok/s" in single
    assert "at once, so" not in single


def test_repeats_are_told_together_and_each_can_be_read():
    kept = kept_suite((((True, False, True),), ((False, None, True),)))
    page = page_of(kept)
    text = "".join(page.text)
    assert "◐ passed 2 of 3" in text
    assert "◐ passed 1 of 2, 1 no answer" in text
    assert "2 / 3: ✗ failed" in text
    assert "No: 0.0.1." in text


def test_the_judge_is_shown_with_its_steadiness_and_a_refused_one_without_its_verdicts():
    kept = kept_suite(((True,) * 4, (False,) * 4))
    steady = "".join(page_of(judged(kept)).text)
    assert "The judge said the same in both orders in 80%." in steady
    assert "A · model-0: 1; B · model-1: 1" in steady
    assert "not steady, so it counts nothing" in steady
    refused = judged(kept, consistency=0.5)
    page = "".join(page_of(refused).text)
    assert "in both orders in 50%" in page
    for told in ("Preferred", "Verdict of the judge", "neither is better", "not steady"):
        assert told in steady
        assert told not in page
    assert "neither is better" not in suite_markdown(Contents.of(refused))
    assert "neither is better" in suite_markdown(Contents.of(judged(kept)))


def test_what_the_judge_did_not_say_is_not_called_unsteady():
    kept = judged(kept_suite(((True,) * 2, (False,) * 2)))
    why = "The judge ended before it was asked this: it crashed."
    unsaid = [JudgeVerdict(prompt, 0, 0, 1, None, "", "", why) for prompt in range(2)]
    page = "".join(page_of(msgspec.structs.replace(kept, verdicts=unsaid)).text)
    assert page.count(f"no verdict. {why}") == 2
    assert "so it counts nothing" not in page
    assert pair_counts_of(unsaid) == []


def test_settings_that_differ_are_in_the_fair_play():
    slots = [suite_slot(0), suite_slot(1, config={"temperature": 0.1})]
    text = "".join(page_of(kept_suite(((True,), (True,)), slots=slots)).text)
    assert "temperature" in text
    assert "0.1" in text


def test_a_chinese_question_is_marked_as_such():
    page = page_of(kept_suite(((True, True),), items=[item(0, "中国的首都是哪里？"), item(1)]))
    assert page.all("pre", lang="zh")
    assert len(page.all("bdi", lang="zh")) == 2  # in the table, and above its answers
    assert not page.all("pre", lang="en")


def test_a_large_suite_stays_a_page_that_says_what_it_left_out():
    fates = [[True] * 40, [True] * 39 + [False]]
    kept = kept_suite(fates)
    whole, short = (Outline(suite_html(Contents.of(kept), most)) for most in (10**7, 20_000))
    assert len(whole.all("details")) > len(short.all("details"))
    shown = [one["data-prompt"] for one in short.all("details") if "data-prompt" in one]
    assert "39" in shown  # where they differ: that is of interest first
    assert len(short.all("tr")) == len(whole.all("tr"))
    left = 40 - len(shown)
    assert f"The answers to {left} prompts were left out here" in "".join(short.text)
    assert "left out here" not in "".join(whole.text)


def test_a_long_answer_is_cut_and_says_so():
    kept = kept_suite(((True,),))
    long = {**kept.cells[0].record, "content": "word " * 10_000}
    cells = [msgspec.structs.replace(kept.cells[0], record=long)]
    text = "".join(page_of(msgspec.structs.replace(kept, cells=cells)).text)
    assert "30,000 more characters were left out here" in text
    assert len(text) < 100_000


@pytest.mark.parametrize("parts", [PARTS, Parts(FOLDER)])
def test_page_texts_are_in_both_languages(parts):
    assert parts.texts["en"].keys() == parts.texts["zh"].keys()
    assert all(parts.texts["zh"].values())
