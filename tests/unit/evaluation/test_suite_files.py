"""Reading suites: what each kind of file may have, and what is wrong with a bad one, and where."""

from __future__ import annotations

import contextlib
import io
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from comparator.core.exceptions import ConfigurationError
from comparator.evaluation import suite_files
from comparator.evaluation.assertions import Grader
from comparator.evaluation.suite_files import bounds
from comparator.storage.kept_suite import Assertion, Item, Suite


def asked(suite: Suite) -> list[str]:
    return [item.question for item in suite.items]


def parquet(**columns: list[Any]) -> bytes:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet as files

    file = io.BytesIO()
    files.write_table(pyarrow.table(columns), file)
    return file.getvalue()


def lines(*rows: dict[str, Any]) -> bytes:
    return "\n".join(json.dumps(row) for row in rows).encode()


def test_a_text_has_a_prompt_a_line() -> None:
    suite = suite_files.parsed("my prompts.txt", b"\xef\xbb\xbfWhy?\r\n\r\n  What is this?  \n")
    assert suite == Suite(
        "my prompts",
        [
            Item("1", [{"role": "user", "content": "Why?"}]),
            Item("2", [{"role": "user", "content": "What is this?"}]),
        ],
    )


def test_characters_that_look_like_ends_of_lines_end_none() -> None:
    assert asked(suite_files.parsed("a.txt", "one\u2028still\x0bone".encode())) == [
        "one\u2028still\x0bone"
    ]


FULL = {
    "id": "capital",
    "system": "Be brief.",
    "question": "Capital of France?",
    "expected": "Paris",
    "assert": [{"type": "icontains", "value": "paris"}, "not-contains: Rome"],
    "tags": ["facts", "easy"],
}
THE_ITEM = Item(
    "capital",
    [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Capital of France?"},
    ],
    "Paris",
    [Assertion("icontains", "paris"), Assertion("not-contains", "Rome")],
    ["facts", "easy"],
)
AS_CSV = (
    "id,system,Question,expected,assert,tags\n"
    "capital,Be brief.,Capital of France?,Paris,"
    '"[{""type"": ""icontains"", ""value"": ""paris""}, ""not-contains: Rome""]","facts, easy"\n'
)


def test_json_lines_csv_and_parquet_say_the_same() -> None:
    as_text = {**FULL, "assert": json.dumps(FULL["assert"])}
    columns = {name: [value] for name, value in as_text.items()}
    suites = [
        suite_files.parsed("a.jsonl", lines(FULL)),
        suite_files.parsed("a.json", json.dumps([FULL]).encode()),
        suite_files.parsed("a.csv", AS_CSV.encode()),
        suite_files.parsed("a.csv", AS_CSV.replace("\n", "\r\n").encode("utf-8-sig")),
        suite_files.parsed("a.parquet", parquet(**columns)),
    ]
    assert suites == [Suite("a", [THE_ITEM])] * len(suites)


def test_parquet_may_have_lists_and_objects() -> None:
    messages = [{"role": "user", "content": "Hi"}]
    suite = suite_files.parsed(
        "a.parquet",
        parquet(
            id=[7, 8],
            prompt=["Why?", None],
            messages=[None, messages],
            tags=[["a"], None],
            **{"assert": [[{"type": "similar", "threshold": None}, {"type": "is-json"}][1:], []]},
        ),
    )
    assert suite.items == [
        Item("7", [{"role": "user", "content": "Why?"}], None, [Assertion("is-json")], ["a"]),
        Item("8", messages),
    ]


def test_a_csv_may_be_of_semicolons_and_have_texts_of_several_lines() -> None:
    suite = suite_files.parsed(
        "a.csv", 'prompt;tags\n"one\ntwo, three";x\n;;\nfour;\n'[:-8].encode()
    )
    assert asked(suite) == ["one\ntwo, three"]
    assert suite.items[0].tags == ["x"]
    assert suite.notes == ["a.csv separates its columns by semicolons."]
    assert asked(suite_files.parsed("a.csv", b"prompt\tid\na, b\t1\n\t\nc\t2\n")) == ["a, b", "c"]


def test_prompts_without_an_id_get_their_number_for_one() -> None:
    suite = suite_files.parsed("a.jsonl", lines({"input": "a"}, {"id": "1", "input": "b"}))
    assert [item.id for item in suite.items] == ["1'", "1"]


def test_what_is_passed_over_is_noted() -> None:
    rows = [{"prompt": "a", "expcted": 1, "x\x1b": 2}, {"prompt": "b", "question": "c", "x\x1b": 3}]
    assert suite_files.parsed("a.jsonl", lines(*rows)).notes == [
        "The column “expcted” is not known here and was passed over (did you mean expected?).",
        "The column “x\\x1b” is not known here and was passed over.",
        "prompt is asked, and question beside it is passed over (a.jsonl, line 2).",
    ]


EXPECTED = [  # expected, an answer, whether it passes
    ("A", "It is a lake: B", False),
    ("A", "The answer is (A).", True),
    ("Paris", "It is PARIS.", True),
    ("Paris", "It is Rome.", False),
    (4, "2 + 2 = 4.", True),
    (4, "There are 14.", False),
    (4, "It is 4.5.", False),
    (4, "It is -4.", False),
    ("1,000", "about 1,000 people", True),
    ("1,000", "about 21,000 people", False),
    ("no", "No.", True),
    ("no", "I know it.", False),
    ("是", "答案：是。", True),
    ("4", "答案是4。", True),
    ("C++", "I like C++.", True),
]


@pytest.mark.parametrize(("expected", "answer", "is_right"), EXPECTED)
def test_an_expected_answer_must_be_in_the_answer(
    expected: Any, answer: str, is_right: bool
) -> None:
    suite = suite_files.parsed("a.jsonl", lines({"prompt": "?", "expected": expected}))
    (item,) = suite.items
    assert item.expected == str(expected)
    assert len(item.assertions) == len(suite.notes) == 1
    with Grader() as grader:
        (outcome,) = grader.grade(item, {"content": answer})
    assert outcome.passed is is_right


def test_of_a_long_expected_answer_nothing_is_asserted() -> None:
    suite = suite_files.parsed("a.jsonl", lines({"prompt": "?", "expected": "one\ntwo"}))
    assert suite.items[0].expected == "one\ntwo"
    assert not suite.items[0].assertions
    assert "for judges and people" in suite.notes[0]


SHORT = [
    ("contains: Paris", Assertion("contains", "Paris")),
    ("contains:a: b", Assertion("contains", "a: b")),
    ("is-json", Assertion("is-json")),
    ("llm-rubric(0.5): is kind", Assertion("llm-rubric", "is kind", 0.5)),
    ("not-regex: ^a\nb", Assertion("not-regex", "^a\nb")),
]


@pytest.mark.parametrize(("short", "meant"), SHORT)
def test_an_assertion_may_be_written_short(short: str, meant: Assertion) -> None:
    row = {"prompt": "?", "assert": short}
    assert suite_files.parsed("a.jsonl", lines(row)).items[0].assertions == [meant]


def of(**row: Any) -> bytes:
    return lines({"prompt": "Why?", **row})


BAD: list[tuple[str, bytes, str]] = [
    ("a.txt", b"", "a.txt is empty"),
    ("a.txt", b" \r\n\n", "a.txt is empty"),
    ("a.txt", "\u3000\x1f".encode(), "a.txt has nothing but blanks"),
    ("a.txt", "Why?".encode("utf-16"), "text in UTF-16, by its first bytes"),
    ("a.txt", "Why?".encode("utf-32"), "text in UTF-32"),
    ("a.txt", "Why is it so?".encode("utf-16-le"), "seems to be text in UTF-16"),
    ("a.txt", "one\ncafé\n".encode("latin-1"), "line 2 has the byte 0xE9. Read as Windows-1252"),
    ("a.txt", "one\ncafé\n".encode("latin-1"), "“café”"),
    ("a.txt", b"one\nt\0wo", "a.txt has a NUL character in line 2"),
    ("a.csv", b"prompt\nt\0wo", "a.csv has a NUL character in line 2"),
    ("a.exe", b"x", "ends in none of .txt"),
    ("prompts", b"x", "ends in none of .txt"),
    ("a.txt", b"x" * (bounds.MOST_BYTES + 1), "a.txt has more than 20 MB"),
    ("a.txt", b"x\n" * (bounds.MOST_ITEMS + 1), "more than 10000 prompts"),
    ("a.txt", b"x" * 1_000_001, "a.txt, line 1: The prompt has 1000001 bytes"),
    ("a.jsonl", b'{"prompt": "a"}\n{"prompt": "b"', "a.jsonl, line 2 is no JSON: Expecting ','"),
    ("a.jsonl", b"[" * 100_000, "a.jsonl, line 1 cannot be read"),
    ("a.jsonl", b'{"prompt": 1' + b"0" * 5000 + b"}", "a.jsonl, line 1 cannot be read"),
    ("a.jsonl", b'"Why?"', "line 1 must be an object"),
    ("a.json", b'"Why?"', "a.json must be a list of objects"),
    ("a.json", b"[1]", "a.json, item 1 must be an object"),
    ("a.json", b"[]", "a.json: There is no prompt in it"),
    ("a.jsonl", lines({"id": "x"}), "line 1 has no prompt. It has id;"),
    ("a.jsonl", lines({"Foo": "x"}), "line 1 has no prompt. It has nothing at all;"),
    ("a.jsonl", of(prompt=["Why?"]), "line 1: the prompt must be text, not list"),
    ("a.jsonl", of(prompt=" "), "line 1: Type a prompt first; it is empty"),
    ("a.jsonl", of(messages=[]), "both a prompt and messages"),
    ("a.jsonl", lines({"messages": "[{"}), "line 1: messages is no JSON"),
    ("a.jsonl", lines({"messages": []}), "line 1: Type a prompt first"),
    ("a.jsonl", lines({"messages": [{"role": "bot", "content": "x"}]}), "Message 1 has the role"),
    ("a.jsonl", lines({"messages": [{"role": "assistant", "content": "x"}]}), "must be the user's"),
    (
        "a.jsonl",
        lines({"messages": [{"role": "system", "content": "a"}], "system": "b"}),
        "has system twice",
    ),
    ("a.jsonl", of(system=1), "system must be text"),
    ("a.jsonl", of(id=[1]), "the id must be text"),
    ("a.jsonl", of(id="x" * 201), "the id has 201 characters"),
    (
        "a.jsonl",
        lines({"prompt": "a", "id": 1}, {"prompt": "b", "id": "1"}),
        "line 2 has the id “1”",
    ),
    ("a.jsonl", of(expected=["a"]), "expected must be one text"),
    ("a.jsonl", of(tags=[1]), "tags must be a list of words"),
    ("a.jsonl", of(tags=["x" * 201]), "up to 50 tags"),
    ("a.jsonl", of(tags="[1"), "tags is no JSON"),
    ("a.jsonl", of(**{"assert": "Paris"}), "“Paris” is no assertion. Write"),
    ("a.jsonl", of(**{"assert": "[1"}), "assert is no JSON"),
    ("a.jsonl", of(**{"assert": 3}), "an assertion must be an object"),
    ("a.jsonl", of(**{"assert": [{"value": 3}]}), "line 1: an assertion has no type"),
    ("a.jsonl", of(**{"assert": ["contians: x"]}), "Did you mean contains?"),
    ("a.jsonl", of(**{"assert": [{"type": "equals", "valeu": 3}]}), "Did you mean value?"),
    ("a.jsonl", of(**{"assert": ["is-json: file://x.json"]}), "no other file is read"),
    ("a.jsonl", of(**{"assert": ["is-json"] * 101}), "has 101 assertions; the limit is 100"),
    ("a.jsonl", of(**{"assert": [{"type": "equals", "value": 1, "weight": 0}]}), "the weight 0"),
    ("a.jsonl", of(**{"assert": [{"type": "equals", "value": 1, "transform": "x"}]}), "is graded"),
    ("a.jsonl", of(**{"assert": ["equals(1.2.3): x"]}), "1.2.3 is no number"),
    ("a.csv", b"prompt,__expected\nWhy?,x", "line 2 has “__expected”, a column of promptfoo's"),
    ("a.csv", b"a,b\n1,2", "a.csv has no column of prompts"),
    ("a.csv", b"prompt,prompt\n1,2", "the column “prompt” twice"),
    ("a.csv", b"prompt,id\na,1\nb", "a.csv, line 3 has 1 columns, and the first line names 2"),
    ("a.csv", b'prompt,id\n"a\nb",1\nb,c,d', "a.csv, line 4 has 3 columns"),
    ("a.csv", b'prompt\n"a', "a.csv, line 2: this is no CSV"),
    ("a.csv", b"prompt\n" + b"x" * 140_000, "a.csv, line 2: a text has more than 131072"),
    ("a.csv", b"prompt,id\n", "a.csv: There is no prompt in it"),
]


@pytest.mark.parametrize(("name", "data", "why"), BAD)
def test_what_is_wrong_with_a_file_is_told_with_its_place(name: str, data: bytes, why: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        suite_files.parsed(name, data)
    assert why in str(caught.value)
    assert name in str(caught.value)
    assert str(caught.value).endswith((".", "?"))


def test_one_text_of_many_rows_is_unpacked_a_few_rows_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet as files

    sizes: list[int] = []
    iterate = files.ParquetFile.iter_batches

    def counted(file: Any, size: int, **named: Any) -> Any:
        sizes.append(size)
        return iterate(file, size, **named)

    monkeypatch.setattr(files.ParquetFile, "iter_batches", counted)
    for length, rows_at_once in ((5_000_000, 19), (10, 100)):
        places = pyarrow.array([0] * 1000, pyarrow.int32())
        column = pyarrow.DictionaryArray.from_arrays(places, pyarrow.array(["a" * length]))
        file = io.BytesIO()
        files.write_table(pyarrow.table({"prompt": column}), file)
        with contextlib.suppress(ConfigurationError):  # the prompt is too long
            suite_files.parsed("a.parquet", file.getvalue())
        assert sizes.pop() == rows_at_once


def test_what_is_wrong_with_a_parquet_file_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = parquet(prompt=["Why?"] * 100)
    cases = [
        (b"", "a.parquet is no whole Parquet file"),
        (b"PAR1" + b"x" * 100 + b"PAR1", "a.parquet is no whole Parquet file"),
        (whole[: len(whole) // 2], "a.parquet is no whole Parquet file"),
        (parquet(prompt=[1, 2]), "a.parquet, row 1: the prompt must be text, not int"),
        (parquet(prompt=["a", None]), "a.parquet, row 2 has no prompt"),
        (parquet(answer=["a"]), "no column of prompts (prompt, question, input or messages)"),
        (parquet(prompt=["x"] * 10_001), "has 10001 rows; a suite has up to 10000"),
        (parquet(prompt=["a"], messages=[[1]]), "both a prompt and messages"),
    ]
    for data, why in cases:
        with pytest.raises(ConfigurationError) as caught:
            suite_files.parsed("a.parquet", data)
        assert why in str(caught.value)
    monkeypatch.setattr(bounds, "MOST_BYTES", 500_000)
    packed = parquet(prompt=[f"{number}{'x' * 10_000}" for number in range(100)])
    with pytest.raises(
        ConfigurationError, match=r"a\.parquet unpacks to 1 MB; the limit is 500 kB"
    ):
        suite_files.parsed("a.parquet", packed)


def test_a_parquet_file_whose_texts_unfold_is_refused_by_what_they_come_to() -> None:
    data = parquet(prompt=["x" * 100_000] * 1000)
    assert len(data) < 1_000_000, "the text is in it once"
    with pytest.raises(ConfigurationError, match="must be, come to more than 20 MB"):
        suite_files.parsed("a.parquet", data)


def test_without_pyarrow_the_command_that_installs_it_is_named(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r'a\.parquet needs pyarrow.*pip install "pyarrow'):
        suite_files.parsed("a.parquet", b"PAR1")


PASTED: list[tuple[str, list[str], str]] = [
    ("Why?\n\nWhat, and when?", ["Why?", "What, and when?"], ""),
    ("prompt", ["prompt"], ""),
    ("The input, the output\nWhat?", ["The input, the output", "What?"], ""),
    ("{ is a brace", ["{ is a brace"], ""),
    ("[1, 2] is a list?", ["[1, 2] is a list?"], ""),
    ('{"prompt": "a"}\n{"prompt": "b"}', ["a", "b"], "JSON lines"),
    ('[{"prompt": "a"},\n {"prompt": "b"}]', ["a", "b"], "a JSON list"),
    ("prompt,expected\na,b\n", ["a"], "CSV"),
    ("question\texpected\na, b\tc", ["a, b"], "CSV"),
    ("prompts: ['Say {{x}}']\ntests:\n- vars: {x: [a, b]}", ["Say a", "Say b"], "promptfoo's"),
]


@pytest.mark.parametrize(("text", "prompts", "read_as"), PASTED)
def test_what_is_pasted_is_a_prompt_a_line_or_what_it_clearly_is(
    text: str, prompts: list[str], read_as: str
) -> None:
    suite = suite_files.pasted(text)
    assert asked(suite) == prompts
    assert (f"It was read as {read_as}" in " ".join(suite.notes)) is bool(read_as)


@given(st.text(max_size=300))
def test_any_pasted_text_is_a_suite_or_refused_in_a_sentence(text: str) -> None:
    try:
        suite = suite_files.pasted(text)
    except ConfigurationError as error:
        told = str(error)
    else:
        told = suite.name
        assert len({item.id for item in suite.items}) == len(suite.items) > 0
    assert told


@given(st.binary(max_size=200), st.sampled_from(suite_files.ENDINGS))
def test_any_bytes_are_a_suite_or_refused_in_a_sentence(data: bytes, ending: str) -> None:
    try:
        suite_files.parsed(f"a{ending}", data)
    except ConfigurationError as error:
        told = str(error)
    else:
        told = "a."
    assert told.startswith("a.")


def test_a_file_is_read_by_its_path(tmp_path: Path) -> None:
    (tmp_path / "a.b.txt").write_text("Why?")
    assert suite_files.read(tmp_path / "a.b.txt").name == "a.b"
    os.mkfifo(tmp_path / "pipe.txt")  # which would be waited for
    (tmp_path / "folder.txt").mkdir()
    for name, why in (
        ("none.txt", "cannot be read: No such file"),
        ("pipe.txt", "is no file"),
        ("folder.txt", "is no file"),
        ("a\0b.txt", "cannot be read"),
    ):
        with pytest.raises(ConfigurationError, match=why):
            suite_files.read(tmp_path / name)
