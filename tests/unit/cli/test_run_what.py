"""What ``comparator run`` is to ask: options that exclude each other, and files of messages."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from comparator.cli.commands import going_on, messages_file
from comparator.cli.commands.messages_file import MOST_BYTES, messages_of
from comparator.cli.commands.run import check_what_is_asked
from comparator.core.exceptions import ConfigurationError
from comparator.services.inference_engine import InferenceEngine
from comparator.storage.history import History
from comparator.storage.kept_comparison import KeptComparison

MESSAGES = [{"role": "user", "content": "Why?"}]


@pytest.mark.parametrize(
    ("models", "prompt", "messages", "further", "words"),
    [
        (["m"], "x", "f", None, "-p and --messages exclude each other"),
        ((), None, "f", "last", "-c and --messages exclude each other"),
        (["m"], "x", None, "last", "Leave -m out"),
        ((), "x", None, None, "at least one model with -m"),
        (["m"], None, None, None, "Type the question with -p"),
    ],
)
def test_options_that_exclude_each_other_are_named(models, prompt, messages, further, words):
    with pytest.raises(ConfigurationError, match=words):
        check_what_is_asked(models, prompt, messages, further)


@pytest.mark.parametrize(
    "asked", [(["m"], "x", None, None), (["m"], None, "f", None), ((), None, None, "last")]
)
def test_what_is_whole_is_taken(asked):
    check_what_is_asked(*asked)


class TestMessages:
    @pytest.mark.parametrize("content", [MESSAGES, {"model": "x", "messages": MESSAGES}])
    @pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
    def test_a_list_is_taken_and_what_a_chat_api_is_sent(self, tmp_path, content, encoding):
        path = tmp_path / "m.json"
        path.write_text(json.dumps(content), encoding=encoding)
        assert messages_of(str(path)) == MESSAGES

    def test_standard_input_is_a_dash(self, monkeypatch):
        stdin = SimpleNamespace(buffer=io.BytesIO(json.dumps(MESSAGES).encode()))
        monkeypatch.setattr("sys.stdin", stdin)
        assert messages_of("-") == MESSAGES

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (b"", "is not JSON"),
            (b"{", "is not JSON"),
            (b"[" * 100_000, "is not JSON"),
            (b"\xff\xfe[\x00", "is not text in UTF-8"),
            (b"{}", "has no list of messages"),
            (b'"hi"', "has no list of messages"),
            (b"null", "has no list of messages"),
            (b" " * (MOST_BYTES + 1), "has more than 8 MB"),
            (b'{"messages": [], "tools": [{"type": "function"}]}', "has tools: models are asked"),
            (b'{"messages": [], "documents": [{}]}', "has documents: models are asked"),
        ],
    )
    def test_what_is_no_list_of_messages_is_a_sentence(self, tmp_path, content, words):
        path = tmp_path / "m.json"
        path.write_bytes(content)
        with pytest.raises(ConfigurationError, match=f"m.json {words}"):
            messages_of(str(path))

    @pytest.mark.parametrize(
        "place", ["missing.json", ".", "a\0b", "x" * 5000, "~nobody-of-that-name/a.json"]
    )
    def test_what_cannot_be_read_is_a_sentence(self, tmp_path, monkeypatch, place):
        monkeypatch.chdir(tmp_path)
        with pytest.raises(ConfigurationError, match="cannot be read: "):
            messages_of(place)

    def test_the_name_cannot_steer_a_terminal(self):
        with pytest.raises(ConfigurationError) as caught:
            messages_of("\x1b[2Jgone.json")
        assert "\x1b" not in str(caught.value)

    def test_no_more_is_read_than_is_taken(self, tmp_path, monkeypatch):
        monkeypatch.setattr(messages_file, "MOST_BYTES", 10)
        path = tmp_path / "m.json"
        path.write_bytes(b"[" + b" " * 100)
        with pytest.raises(ConfigurationError, match="more than 10 bytes"):
            messages_of(str(path))


class TestFromHistory:
    @pytest.fixture
    def history(self, tmp_path: Path):
        history = History(tmp_path / "h.sqlite3")
        yield history
        history.close()

    @pytest.mark.parametrize("name", ["ffff", "", "4096", "\x1b[2J"])
    def test_what_is_not_there_is_a_sentence(self, history, name):
        with pytest.raises(
            ConfigurationError, match="No one comparison of the history is meant by"
        ) as caught:
            going_on._named(history, name)
        assert ("--ctx-size" in str(caught.value)) == (name == "4096")
        assert "\x1b" not in str(caught.value)

    def test_it_is_found_by_the_begin_of_its_id_and_as_the_last(self, history):
        history.add(KeptComparison(id="1234abcd", created=1.0))
        for name in ("1234abcd", "1234", "last"):
            assert going_on._named(history, name).id == "1234abcd"

    def test_a_wrong_id_is_told_before_standard_input_is_read(self, history, monkeypatch):
        monkeypatch.setattr("sys.stdin", None)
        further = going_on.Further("last", "-")
        with pytest.raises(ConfigurationError, match="no comparison in the history yet"):
            going_on.request_on(further, history, InferenceEngine(), lambda name: None)

    def test_a_history_that_cannot_be_read_is_told(self, tmp_path):
        (tmp_path / "h.sqlite3").mkdir()
        history = History(tmp_path / "h.sqlite3")
        with pytest.raises(ConfigurationError, match="The history cannot be read: "):
            going_on._named(history, "last")
