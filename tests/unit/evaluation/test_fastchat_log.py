"""FastChat's vote log: read as its arena writes it, whatever else is in it, and written as one."""

from __future__ import annotations

import io
import json
import random

import pytest

from comparator.core.exceptions import ConfigurationError
from comparator.evaluation.ratings import contests, fastchat, ratings_of
from comparator.evaluation.ratings.fastchat import Log, lines_of, votes_in, votes_of
from comparator.storage.retention import Retention
from comparator.storage.votes import Vote, Votes


def line(kind="leftvote", a="alpha", b="beta", when=1_700_000_000.0, **changes) -> bytes:
    """Return a line as the arena writes it."""
    states = [
        {"model_name": name, "conv_id": f"{name}{when}", "offset": 0, "messages": [["USER", "Hi"]]}
        for name in (a, b)
    ]
    told = {"tstamp": when, "type": kind, "models": [a, b], "states": states, "ip": "192.0.2.1"}
    return json.dumps({**told, **changes}).encode() + b"\n"


def read(*lines: bytes) -> tuple[list[Vote], Log]:
    log = Log()
    return list(votes_of(io.BytesIO(b"".join(lines)), log)), log


def test_the_four_kinds_of_votes_are_read_and_voters_addresses_are_not():
    votes, log = read(*(line(kind) for kind in fastchat.TYPES))
    assert [vote.winner for vote in votes] == ["A", "B", "tie", "both_bad"]
    assert votes[0].names == ["alpha", "beta"]
    assert votes[0].created == 1_700_000_000.0
    assert not votes[0].is_blind
    assert log.names == {"alpha", "beta"}
    assert log.sentence() == ""
    assert "192.0.2.1" not in repr(votes)


@pytest.mark.parametrize(
    "shown", [["", ""], ["### Model A: alpha", "### Model B: beta"], ["Model A", "Model B"]]
)
def test_names_that_a_page_hid_or_dressed_are_the_models(shown):
    (vote,), _log = read(line(models=shown))
    assert vote.names == ["alpha", "beta"]
    assert vote.is_blind == (shown[0] in ("", "Model A"))


def test_names_in_html_are_the_models():
    (vote,), _log = read(line(models=["<h3>Model A: gpt: x</h3>\n", "<h3>Model B: y</h3>\n"]))
    assert vote.names == ["gpt: x", "y"]


def test_lines_that_are_no_votes_and_lines_that_nobody_understands_are_counted_and_named():
    votes, log = read(
        line(),
        b'{"type": "chat", "model": "alpha"}\n',
        b"\n",
        b"no json\n",
        b'["leftvote"]\n',
        b'{"type": "leftvote"}\n',
        line(models=["alpha"], states=[]),
        line(models=["alpha", None], states=[{}, {}]),
        line(models=["a" * 400, "beta"], states=[]),
        line(tstamp="yesterday"),
        b'{"type": "leftvote", "models": ["\xff", "b"]}\n',
        b"[" * 100_000 + b"\n",
        line(a="same", b="same"),
        line("rightvote"),
    )
    assert [vote.winner for vote in votes] == ["A", "B"]
    assert (log.votes, log.others, log.alone, log.malformed) == (2, 1, 1, 9)
    assert log.examples == [4, 5, 6, 7, 8]  # as an editor numbers them
    assert "9 lines cannot be understood (number 4, 5, 6, 7, 8, …)" in log.sentence()
    assert "1 tells of something else" in log.sentence()


def test_a_mark_of_utf8_and_a_last_line_without_an_end_are_no_trouble():
    votes, log = read(b"\xef\xbb\xbf" + line(), line("tievote").rstrip())
    assert len(votes) == 2
    assert not log.malformed


def test_a_line_without_an_end_is_left_out_and_the_rest_is_read(monkeypatch):
    monkeypatch.setattr(fastchat, "LONGEST_LINE_BYTES", 1_000)
    monkeypatch.setattr(fastchat, "_SKIPPED_BYTES", 300)
    votes, log = read(line(), b"x" * 10_000 + b"\n", line("tievote"))
    assert [vote.winner for vote in votes] == ["A", "tie"]
    assert log.examples == [2]


def test_a_log_of_too_many_lines_or_models_ends_with_a_sentence(monkeypatch):
    monkeypatch.setattr(fastchat, "MOST_LINES", 3)
    with pytest.raises(ConfigurationError, match="more than 3 lines"):
        read(*[line()] * 4)
    monkeypatch.setattr(fastchat, "MOST_CONTENDERS", 3)
    with pytest.raises(ConfigurationError, match="more than 3 models"):
        read(line(), line(a="gamma", b="delta"))


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be read"):
        list(votes_in(tmp_path / "none.jsonl", Log()))


def test_a_log_read_twice_counts_once_and_equal_lines_of_one_log_count_each(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_bytes(line() * 3 + line("tievote"))
    store = Votes(tmp_path / "votes.sqlite3", Retention())
    assert store.add_many(list(votes_in(log, Log()))) == 4
    log.write_bytes(line() * 3 + line("tievote") + line(when=2.0))  # it has grown
    assert store.add_many(list(votes_in(log, Log()))) == 1
    assert store.count() == 5
    store.close()


def test_a_log_that_knows_no_time_and_no_conversations_counts_each_line():
    bare = json.dumps({"type": "leftvote", "models": ["a", "b"]}).encode() + b"\n"
    votes, _log = read(bare * 50)
    assert len({vote.id for vote in votes}) == 50


def test_a_long_log_is_read_line_by_line_and_rated(tmp_path):
    draw, names = random.Random(1), [f"model-{number}" for number in range(50)]
    kinds = list(fastchat.TYPES)
    log = Log()

    def lines():
        for number in range(10_000):
            a, b = draw.sample(names, 2)
            yield line(draw.choice(kinds), a, b, float(number))

    path = tmp_path / "log.jsonl"
    with open(path, "wb") as file:
        file.writelines(lines())
    votes = list(votes_in(path, log))
    assert (log.votes, len(log.names), log.malformed) == (10_000, 50, 0)
    ratings = ratings_of(votes)
    assert len(ratings.ratings) == 50
    assert sum(one.votes for one in ratings.ratings) == 20_000


# ---- written ----


def own_vote(**changes) -> Vote:
    usual = {
        "id": "v1",
        "created": 1_795_000_000.0,
        "comparison": "c1",
        "configurations": ["x", "y"],
        "names": ["first", "second"],
        "models": ["mx", "my"],
        "winner": "B",
        "positions": [1, 0],
    }
    return Vote(**{**usual, **changes})


def nothing(vote):
    return []


def test_a_written_vote_has_what_fastchats_own_programs_look_at():
    talk = [[("user", "Hi"), ("assistant", "Ho")], [("user", "Hi"), ("assistant", "Hm")]]
    (told,) = map(json.loads, lines_of([own_vote(positions=[0, 1])], lambda vote: talk))
    assert told["type"] == "rightvote"
    assert told["models"] == ["first", "second"]
    assert told["tstamp"] == 1_795_000_000.0
    state = told["states"][1]
    assert state["model_name"] == "second"
    assert state["messages"][state["offset"]] == ["user", "Hi"]
    assert {"conv_id", "ip"} <= {*state, *told}


def test_a_system_prompt_is_no_turn_of_a_written_conversation():
    talk = [[("system", "Be brief."), ("user", "Hi"), ("assistant", "Ho")]] * 2
    (told,) = map(json.loads, lines_of([own_vote()], lambda vote: talk))
    state = told["states"][0]
    assert state["messages"] == [["user", "Hi"], ["assistant", "Ho"]]
    assert state["system_message"] == "Be brief."


def test_what_stood_left_is_model_a_of_the_log_whatever_column_it_was():
    talk = [[("user", "Hi"), ("assistant", "Ho")], [("user", "Hi"), ("assistant", "Hm")]]
    (told,) = map(json.loads, lines_of([own_vote(positions=[1, 0])], lambda vote: talk))
    assert (told["type"], told["models"]) == ("leftvote", ["second", "first"])
    assert [state["model_name"] for state in told["states"]] == ["second", "first"]
    assert [state["messages"][1][1] for state in told["states"]] == ["Hm", "Ho"]
    (bare,) = map(json.loads, lines_of([own_vote(positions=[])], lambda vote: talk))
    assert (bare["type"], bare["models"]) == ("rightvote", ["first", "second"])
    told.pop("comparator")  # as who knows nothing of it
    (vote,), _log = read(json.dumps(told).encode())
    assert (vote.names, vote.winner, vote.positions) == (["second", "first"], "A", [0, 1])


def test_pairs_of_a_vote_on_three_columns_stand_as_they_were_shown():
    three = {"configurations": ["x", "y", "z"], "names": list("abc"), "models": list("abc")}
    vote = own_vote(winner="B", positions=[2, 1, 0], **three)
    told = [json.loads(one) for one in lines_of([vote], nothing)]
    assert [(one["type"], "".join(one["models"])) for one in told] == [
        ("rightvote", "cb"), ("leftvote", "ba"),
    ]  # fmt: skip


def test_a_blind_vote_hides_its_names_as_the_arena_does():
    blind = own_vote(is_blind=True, positions=[0, 1])
    (told,) = map(json.loads, lines_of([blind], nothing))
    assert told["models"] == ["", ""]
    assert [state["model_name"] for state in told["states"]] == ["first", "second"]


@pytest.mark.parametrize(
    ("winner", "expected"),
    [
        ("B", [("rightvote", "ab"), ("leftvote", "bc")]),
        ("tie", [("tievote", "ab"), ("tievote", "ac"), ("tievote", "bc")]),
    ],
)
def test_a_vote_on_three_columns_is_a_line_for_each_pair_that_it_tells_of(winner, expected):
    three = {"configurations": ["x", "y", "z"], "names": list("abc"), "models": list("abc")}
    vote = own_vote(winner=winner, positions=[], **three)
    told = [json.loads(one) for one in lines_of([vote], nothing)]
    assert [(one["type"], "".join(one["models"])) for one in told] == expected


def test_what_was_written_is_read_back_as_it_was(tmp_path):
    three = {"configurations": ["x", "y", "z"], "names": list("abc"), "models": list("abc")}
    votes = [own_vote(), own_vote(id="v2", winner="A", positions=[], is_blind=True, **three)]
    path = tmp_path / "log.jsonl"
    path.write_text("\n".join(lines_of(votes, nothing)))
    store = Votes(tmp_path / "votes.sqlite3", Retention())
    store.add_many(list(votes_in(path, Log())))
    kept = {vote.id: vote for vote in store.all()}
    assert kept.keys() == {"v1", "v2"}
    assert kept["v2"].configurations == ["x", "y", "z"]
    assert kept["v1"].positions == [1, 0]
    assert ratings_of(store.tallies()).to_record() == ratings_of(votes).to_record()
    store.close()


@pytest.mark.parametrize(
    "wrong",
    [
        {"winner": "C"},
        {"configurations": ["x"]},
        {"names": ["a", "b", "c"]},
        {"names": ["", "b"]},
        {"positions": [0, 9]},
        {"models": ["m"]},
        {"id": ""},
    ],
)
def test_a_vote_that_could_not_be_ours_is_taken_as_fastchats(wrong):
    told = json.loads(next(lines_of([own_vote()], nothing)))
    told["comparator"].update(wrong)
    (vote,), _log = read(json.dumps(told).encode())
    assert vote.configurations == ["name:second", "name:first"]  # as they stood
    assert contests.contests_of([vote]).total == 1


def test_a_vote_of_a_log_is_of_no_comparison_of_ones_own():
    """Else it would stand in the place of what was said here of that comparison."""
    told = json.loads(next(lines_of([own_vote()], nothing)))
    told["comparator"]["comparison"] = "c1"
    (vote,), _log = read(json.dumps(told).encode())
    assert vote.configurations == ["x", "y"]
    assert vote.comparison == ""
