"""The shape of every form of export, and that nothing in it can do harm."""

from __future__ import annotations

import csv
import io
import json
import re
from html.parser import HTMLParser

import pytest
from kept_comparisons import kept_of, result, thought

from comparator.comparison.exports import FORMATS, file_name
from comparator.comparison.exports.pair import left_out, sheet_pair
from comparator.comparison.exports.sheet import Sheet
from comparator.comparison.exports.tables import harmless
from comparator.comparison.exports.texts import escaped, fenced
from comparator.core.exceptions import ConfigurationError

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(1)> [x](javascript:alert(1)) \"'\n"
    "# Heading\n```\nout\n````\n| a | b |\n\x1b[31m\x00\u202egnp.exe \u0627\u0644 \u200b{{7*7}}"
)
TWO = kept_of(result("One."), result("Two.", "second", path="/home/somebody/second.gguf"))


@pytest.fixture
def hostile():
    name = '=HYPERLINK("http://x.invalid")\u202e<b>|`\n# x'
    bad = result(HOSTILE, name, HOSTILE, thinking=thought(HOSTILE), notice=HOSTILE)
    failed = result("", name, HOSTILE, error=HOSTILE, error_kind="inference")
    return kept_of(bad, failed, id="../../<b>=1")


@pytest.mark.parametrize("form", FORMATS)
def test_every_form_holds_question_and_answers(form):
    text = FORMATS[form].of(TWO)
    assert "Two." in text
    assert text.endswith("\n")
    assert ("Why?" in text) or form == "csv"


@pytest.mark.parametrize("form", [name for name in FORMATS if name != "csv"])
def test_what_columns_were_asked_apart_is_told_of_each(form):
    first, second = result("One."), result("Two.")
    for one, said in ((first, "Earlier one."), (second, "Earlier two.")):
        one.prompt.messages[1:] = [
            {"role": "assistant", "content": said},
            {"role": "user", "content": "And then?"},
        ]
    text = FORMATS[form].of(kept_of(first, second))
    assert all(said in text for said in ("Why?", "Earlier one.", "Earlier two.", "And then?"))


@pytest.mark.parametrize("form", ["text", "md", "html", "card", "pair", "promptfoo"])
def test_no_form_for_others_tells_where_models_lie(form):
    kept = kept_of(
        result(config={"lora": ["/home/somebody/adapters/poet.gguf:0.5"]}), result("Two.")
    )
    assert "somebody" not in FORMATS[form].of(kept)


@pytest.mark.parametrize("form", ["html", "text", "card"])
def test_adapters_are_named_without_their_folder(form):
    kept = kept_of(result(config={"lora": ["/home/somebody/poet.gguf:0.5"]}))
    assert ("poet.gguf" in FORMATS[form].of(kept)) == (form != "text")


def test_json_and_its_lines_are_the_records():
    assert json.loads(FORMATS["json"].of(TWO)) == TWO.records
    lines = FORMATS["jsonl"].of(TWO).splitlines()
    assert [json.loads(line) for line in lines] == TWO.records


@pytest.mark.parametrize("form", FORMATS)
def test_text_that_utf8_cannot_carry_is_replaced(form):
    kept = kept_of(result("an\udcff answer", "na\udcffme", path="/m/na\udcffme.gguf"), result())
    assert FORMATS[form].of(kept).encode()


@pytest.mark.parametrize("form", ["text", "md", "html"])
def test_what_differed_between_columns_is_told(form):
    given = {"config_sources": {"top_k": "given"}}
    one = result("One.", config={"top_k": 11}, **given)
    kept = kept_of(one, result("Two.", config={"top_k": 77}, **given))
    text = FORMATS[form].of(kept)
    for said in ("Nothing found that makes this comparison uneven", "11", "77", "your choice"):
        assert said in text
    assert "uneven" not in FORMATS[form].of(kept_of(result()))


# ---- CSV ----


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", " =1", "\u200b=1", "\u202e=1", "＝1"],
)
def test_what_a_spreadsheet_would_run_begins_with_an_apostrophe(text):
    assert harmless(text) == f"'{text}"
    (row,) = csv.DictReader(io.StringIO(FORMATS["csv"].of(kept_of(result(text, name=text)))))
    assert row["content"][0] == row["name"][0] == "'"
    assert row["content"][1:].strip("\r\n") == text.strip("\r\n")


@pytest.mark.parametrize("value", ["plain", "a=b", "", 1.5, -3, None])
def test_other_cells_stay_as_they_are(value):
    assert harmless(value) == value


# ---- Markdown ----


def test_no_answer_ends_its_fence():
    lines = fenced("a\n  ````\nb\n```")
    assert lines[0] == "`````text"
    assert lines[-1] == "`````"
    assert "`````" not in lines[1:-1]


def test_nothing_of_a_hostile_comparison_is_markdown(hostile):
    outside, fence = [], ""
    for line in FORMATS["md"].of(hostile).split("\n"):
        bare = line.removeprefix("> ")
        if fence:
            fence = "" if bare == fence else fence
        elif found := re.match(r"`{3,}", bare):
            fence = found[0]
        else:
            outside.append(line)
    text = "\n".join(outside)
    assert not fence
    assert not re.search(r"(?<!\\)<(?!\|)", text)
    assert not re.search(r"(?<!\\)\]\(", text)
    assert "\u202e" not in text
    headings = [line for line in outside if line.startswith("#")]
    assert len(headings) == 3  # the comparison's and one a column


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("Q4_1.gguf", "Q4_1.gguf"),
        ("_x_", "\\_x\\_"),
        ("a|b", "a\\|b"),
        ("<b>", "\\<b\\>"),
        ("a\nb\u200bc", "a b\\\\u200bc"),
        ("https://x.y", "https:\\/\\/x.y"),
        ("# x #", "\\# x \\#"),
        ("m #2, a & b!", "m #2, a & b!"),
        ("&lt;b", "\\&lt;b"),
    ],
)
def test_a_name_is_shown_as_it_is(name, shown):
    assert escaped(name) == shown


# ---- the web page ----


class Outline(HTMLParser):
    """What a page is made of: its tags, with attributes, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text.append(data)


def test_a_hostile_page_has_the_tags_of_a_good_one(hostile):
    page = Outline(FORMATS["html"].of(hostile))
    tags = {tag for tag, _ in page.tags}
    assert not tags & {"img", "iframe", "a b", "link", "object", "form", "b"}
    assert [tag for tag, _ in page.tags].count("script") == 1
    assert not any(name.startswith("on") for _, attributes in page.tags for name in attributes)
    addresses = [
        value for _, attributes in page.tags for name, value in attributes.items()
        if name in ("src", "href", "action", "data", "srcset", "style")
    ]  # fmt: skip
    assert addresses == ["#answers"]
    assert "\x1b" not in "".join(page.text)
    assert "\u202e" not in "".join(page.text)


def test_the_policy_of_the_page_lets_nothing_in_but_its_own_script_and_style():
    page = Outline(FORMATS["html"].of(TWO))
    policy = next(a["content"] for tag, a in page.tags if a.get("http-equiv"))
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe" not in policy


def test_page_texts_are_in_both_languages():
    from comparator.comparison.exports import web_page

    english, chinese = web_page.PARTS.texts["en"], web_page.PARTS.texts["zh"]
    assert english.keys() == chinese.keys()
    assert all(chinese.values())


# ---- other programs ----


def test_pair_has_the_fields_of_its_format():
    page = json.loads(FORMATS["pair"].of(TWO))
    assert page.keys() == {"metadata", "models", "examples"}
    assert page["metadata"].keys() == {"source_path", "custom_fields_schema"}
    assert [model["name"] for model in page["models"]] == ["first (gguf)", "second (gguf)"]
    (example,) = page["examples"]
    told = {name: example[name] for name in ("input_text", "output_text_a", "output_text_b")}
    assert told == {"input_text": "Why?", "output_text_a": "One.", "output_text_b": "Two."}
    assert (example["tags"], example["score"], example["individual_rater_scores"]) == ([], None, [])
    names = {field["name"] for field in page["metadata"]["custom_fields_schema"]}
    assert names == example["custom_fields"].keys()
    assert example["custom_fields"]["token_count"] == [3, 3]


def test_pair_takes_two_of_more_and_says_which():
    three = Sheet.of(kept_of(result("One."), result("Two."), result("Three.")))
    example = json.loads(sheet_pair(three, (0, 2)))["examples"][0]
    assert (example["output_text_a"], example["output_text_b"]) == ("One.", "Three.")
    assert left_out(3) == "LLM Comparator shows two models: the file has A and B, and not C."
    assert left_out(2) == ""
    for columns in ((0, 3), (1, 1)):
        with pytest.raises(ConfigurationError, match="two different columns of ABC"):
            sheet_pair(three, columns)


def test_pair_of_one_column_is_refused_with_a_sentence():
    with pytest.raises(ConfigurationError, match="has one column"):
        FORMATS["pair"].of(kept_of(result()))


def test_promptfoo_has_the_fields_that_its_import_reads():
    failed = result("", "third", error="It broke.", error_kind="inference")
    file = json.loads(FORMATS["promptfoo"].of(kept_of(result("One."), failed)))
    assert file["evalId"].startswith("eval-")
    results = file["results"]
    assert results["version"] == 3
    assert [prompt["provider"] for prompt in results["prompts"]] == ["first (gguf)", "third (gguf)"]
    good, bad = results["results"]
    assert good["prompt"]["raw"] == good["vars"]["prompt"] == "Why?"
    assert good["response"]["output"] == "One."
    assert good["response"]["tokenUsage"] == {"total": 14, "prompt": 11, "completion": 3}
    told = [good[name] for name in ("success", "score", "latencyMs", "failureReason")]
    assert told == [True, 1, 2500, 0]
    assert (bad["success"], bad["error"], bad["failureReason"]) == (False, "It broke.", 2)
    assert (results["stats"]["successes"], results["stats"]["errors"]) == (1, 1)
    assert [one["promptIdx"] for one in results["results"]] == [0, 1]
    assert file["config"]["tests"] == [{"vars": {"prompt": "Why?"}}]


def test_a_files_name_is_safe(hostile):
    assert file_name(hostile, "md") == "comparison-b1.md"
    assert file_name(TWO, "card") == "comparison-abcdef012345.card.json"
