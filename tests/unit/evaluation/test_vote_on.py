"""A vote on a comparison: which answers take part, and what cannot be voted on."""

from __future__ import annotations

import hashlib

import pytest
from kept_comparisons import kept_of, result

from comparator.core.exceptions import ConfigurationError
from comparator.core.models import RunState
from comparator.evaluation.votes import vote_on
from comparator.storage.kept_comparison import KeptComparison


def no_digest(path):
    return None


def good(name: str, **changes):
    return result(name=name, path=f"/nowhere/{name}.gguf", **changes)


def failed(name: str):
    return good(name, state=RunState.FAILED, error="It crashed.", finish_reason="error")


def stopped(name: str):
    return good(name, state=RunState.STOPPED, finish_reason="cancelled")


def of(*results) -> KeptComparison:
    return kept_of(*results)


def test_a_vote_names_the_columns_their_configurations_and_the_winner():
    kept = of(good("a"), good("b"))
    vote = vote_on(kept, "B", no_digest, positions=[1, 0], is_blind=True, owner="me")
    assert vote.names == ["a", "b"]
    assert vote.winner == "B"
    assert vote.positions == [1, 0]
    assert vote.is_blind
    assert vote.owner == "me"
    assert vote.comparison == kept.id
    assert len(set(vote.configurations)) == len(set(vote.models)) == 2


def test_an_adapter_of_the_library_is_found_by_its_name(tmp_path):
    place = tmp_path / "mine.gguf"
    place.write_bytes(b"adapter")
    named, placed = good("a", config={"lora": ["mine"]}), good("a", config={"lora": [str(place)]})
    digest = hashlib.sha256(b"adapter").hexdigest()

    def digest_of(path):
        return digest if path == place else None

    assert len(set(vote_on(of(named, placed), "A", digest_of).configurations)) == 2
    with pytest.raises(ConfigurationError, match="one model with one set of settings"):
        vote_on(of(named, placed), "A", digest_of, adapter=lambda name: str(place))


@pytest.mark.parametrize(
    ("said", "meant"), [("a", "A"), (" C ", "C"), ("TIE", "tie"), ("Both_Bad", "both_bad")]
)
def test_it_may_be_written_as_one_likes(said, meant):
    assert vote_on(of(good("a"), good("b"), good("c")), said, no_digest).winner == meant


@pytest.mark.parametrize("said", ["D", "", "AB", "bad", "1", "a\0"])
def test_what_is_no_column_is_refused_by_name(said):
    with pytest.raises(ConfigurationError, match="A, B, C, tie or both_bad"):
        vote_on(of(good("a"), good("b"), good("c")), said, no_digest)


def test_columns_without_a_whole_answer_have_no_part_in_it():
    kept = of(failed("x"), good("a"), stopped("y"), good("b"))
    vote = vote_on(kept, "D", no_digest, positions=[3, 1, 0, 2])
    assert vote.names == ["a", "b"]
    assert vote.winner == "B"
    assert vote.positions == [1, 2]


def test_an_answer_that_hit_its_limit_is_one():
    assert vote_on(of(good("a", finish_reason="length"), good("b")), "A", no_digest).winner == "A"


@pytest.mark.parametrize("broken", [failed, stopped])
def test_a_vote_for_a_column_that_did_not_answer_is_refused(broken):
    with pytest.raises(ConfigurationError, match="Column A failed or was stopped"):
        vote_on(of(broken("x"), good("a"), good("b")), "A", no_digest)


def test_one_answer_alone_cannot_be_voted_on():
    with pytest.raises(ConfigurationError, match="only column B has a whole answer"):
        vote_on(of(failed("x"), good("a")), "tie", no_digest)
    with pytest.raises(ConfigurationError, match="no column has a whole answer"):
        vote_on(of(failed("x"), stopped("y")), "both_bad", no_digest)


def test_one_configuration_against_itself_tells_nothing_whatever_its_seeds():
    with pytest.raises(ConfigurationError, match="tells nothing"):
        vote_on(of(good("a", seed=1), good("a", seed=2)), "A", no_digest)


def test_one_model_at_two_settings_is_two_configurations_of_one_model():
    vote = vote_on(of(good("a"), good("a", config={"temperature": 1.9})), "A", no_digest)
    assert len(set(vote.configurations)) == 2
    assert len(set(vote.models)) == 1


def test_one_model_under_two_names_is_one_configuration(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.gguf").write_bytes(b"the same")
    kept = of(*(result(name=name, path=str(tmp_path / f"{name}.gguf")) for name in ("a", "b")))
    with pytest.raises(ConfigurationError, match="tells nothing"):
        vote_on(kept, "A", lambda path: path.read_bytes().hex())


@pytest.mark.parametrize("positions", [[0], [0, 0], [1, 2], [0, 1, 2]])
def test_positions_are_an_order_of_the_columns(positions):
    with pytest.raises(ConfigurationError, match="Positions"):
        vote_on(of(good("a"), good("b")), "A", no_digest, positions=positions)
