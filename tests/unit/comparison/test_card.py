"""The reproduction card: what it holds, what it does not, and which files are none."""

from __future__ import annotations

import hashlib
import json

import pytest
from kept_comparisons import kept_of, result, thought

from comparator.comparison import card, replay
from comparator.comparison.card import card_in, card_of, read_card, repository_of, text_of
from comparator.core.exceptions import ConfigurationError
from comparator.core.models import ModelInfo, ModelType
from comparator.storage.digests import Digests


@pytest.fixture(scope="module")
def digests(tmp_path_factory):
    own = Digests(tmp_path_factory.mktemp("digests") / "digests.sqlite3")
    yield own
    own.close()


@pytest.fixture
def weights(tmp_path):
    file = tmp_path / "first.gguf"
    file.write_bytes(b"x" * 42)
    return file


@pytest.fixture
def made(weights, digests):
    """A card of one column, as its file's content."""
    return json.loads(text_of(card_of(kept_of(result(path=str(weights))), digests)))


def as_file(content) -> bytes:
    return json.dumps(content).encode()


def test_a_card_comes_back_as_it_was(weights, digests):
    kept = kept_of(result(path=str(weights)), together=True, files="warm", date="2026-01-02")
    one = card_of(kept, digests)
    assert card_in(text_of(one).encode(), "card") == one
    assert (one.together, one.files, one.date) == (True, "warm", "2026-01-02")


def test_a_model_is_known_by_its_content(made):
    (slot,) = made["slots"]
    sha256 = hashlib.sha256(b"x" * 42).hexdigest()
    file = {"name": "first.gguf", "size": 42, "sha256": sha256}
    assert slot["model"] == {
        "name": "first", "model_type": "gguf", "size": 42, "files": [file],
    }  # fmt: skip
    assert slot["config"]["seed"] == 7
    assert slot["engine"]["threads"] == 2
    assert slot["messages"] == [{"role": "user", "content": "Why?"}]
    assert slot["answer"]["text"] == "An answer."


def test_what_was_decided_for_a_slot_is_among_its_settings(weights, digests):
    one = card_of(kept_of(result(path=str(weights), sent={"n_threads": 1})), digests)
    assert one.slots[0].config["n_threads"] == 1


def test_a_setting_that_utf8_cannot_carry_is_on_a_card_all_the_same(weights, digests):
    typed = result(path=str(weights), config={"stop": ["\udcff."]})
    (slot,) = json.loads(text_of(card_of(kept_of(typed), digests)))["slots"]
    assert slot["config"]["stop"] == ["\ufffd."]


def test_a_model_that_changed_or_is_gone_has_no_digest(weights, digests, tmp_path):
    weights.write_bytes(b"more than 42 bytes" * 9)
    gone = result(path=str(tmp_path / "gone.gguf"))
    one = card_of(kept_of(result(path=str(weights)), gone), digests)
    assert [slot.model.files for slot in one.slots] == [[], []]
    assert card.without_digests(one) == ["first", "first"]


def test_an_answer_that_was_gone_on_with_keeps_its_begin(weights, digests):
    going_on = result("An answer.", path=str(weights))
    kept = kept_of(going_on)
    kept.records[0]["prompt"]["continued"] = 3
    slot = card_of(kept, digests).slots[0]
    assert slot.begun == "An "
    assert slot.conversation().begun == "An "


def test_the_hubs_name_is_read_from_its_cache(tmp_path):
    place = tmp_path / "models--Qwen--Qwen3-0.6B" / "snapshots" / ("a" * 40) / "m.gguf"
    assert repository_of(place) == "Qwen/Qwen3-0.6B"
    assert repository_of(tmp_path) is None


# ---- files that are no card ----


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "large.json"
    with open(path, "wb") as file:
        file.truncate(100_000_000)
    with pytest.raises(ConfigurationError, match="over 16 MB"):
        read_card(path)


@pytest.mark.parametrize("name", ["missing.json", ".", "a\0b", "n" * 5000])
def test_what_is_no_file_is_a_sentence(tmp_path, name):
    with pytest.raises(ConfigurationError, match=r"There is no card|cannot be read"):
        read_card(tmp_path / name)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no whole reproduction card"),
        (b"[]", "no whole reproduction card"),
        (b"{}", "is no reproduction card"),
        (b"\xff\xfe", "no whole reproduction card"),
        (b'{"kind": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", "no whole reproduction card"),
        (b'{"x": ' + b'{"x": ' * 100_000, "no whole reproduction card"),
        (b'{"kind": 7}', "no whole reproduction card"),
    ],
)
def test_what_is_no_card_is_a_sentence(content, said):
    with pytest.raises(ConfigurationError, match=said):
        card_in(content, "it")


def test_a_card_of_a_later_version_is_refused(made):
    with pytest.raises(ConfigurationError, match=r"later version of the card \(2\)"):
        card_in(as_file({**made, "version": 2, "slots": "otherwise"}), "it")


@pytest.mark.parametrize(
    "change",
    [
        {"slots": []},
        {"slots": "none"},
        {"slots": [{}] * 5},
        {"machine": None},
        {"together": "yes"},
    ],
)
def test_a_card_with_wrong_types_is_refused(made, change):
    with pytest.raises(ConfigurationError, match="no whole reproduction card"):
        card_in(as_file({**made, **change}), "it")


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("model", "size"), -1),
        (("model", "size"), "large"),
        (("model", "files"), [{"name": "x", "size": 1, "sha256": "../../etc/passwd"}]),
        (("answer", "text"), 7),
        (("engine", "threads"), 1e99),
    ],
)
def test_a_slot_with_wrong_types_is_refused(made, place, value):
    part, name = place
    made["slots"][0][part][name] = value
    with pytest.raises(ConfigurationError, match="no whole reproduction card"):
        card_in(as_file(made), "it")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"config": {"seed": 1, "no_such_setting": 1}}, "Unknown setting"),
        ({"config": {"seed": 1, "temperature": 99}}, "temperature must be"),
        ({"config": {"seed": None}}, "no seed"),
        ({"messages": []}, "empty"),
        ({"messages": [{"role": "tool", "content": "x"}]}, "role"),
    ],
)
def test_what_cannot_be_asked_is_said_with_its_column(made, change, said):
    made["slots"][0].update(change)
    with pytest.raises(ConfigurationError, match=f"Column 1 of the card cannot be asked: .*{said}"):
        replay.check(card_in(as_file(made), "it"))


def places_of(value, place=()):
    """Yield the place of everything in a value of JSON."""
    if place:
        yield place
    if isinstance(value, (dict, list)):
        inside = value.items() if isinstance(value, dict) else enumerate(value)
    else:
        inside = ()
    for name, one in inside:
        yield from places_of(one, (*place, name))


@pytest.mark.parametrize("value", [None, -1, 10**400, "x" * 10_000, [], {}, [[]], True, {"a": {}}])
def test_whatever_stands_anywhere_in_a_card_ends_as_a_sentence_or_is_a_card(made, value):
    whole, said = json.dumps(made), [""]
    for *way, last in places_of(made):
        changed = json.loads(whole)
        inner = changed
        for step in way:
            inner = inner[step]
        inner[last] = value
        try:
            replay.check(card_in(as_file(changed), "it"))
        except ConfigurationError as error:
            said.append(str(error))
    assert max(map(len, said)) < 600


# ---- finding what a card names ----


def planned(made, digests, *models, trusts_code=False, anywhere=False):
    read = card_in(as_file(made), "it")
    (one,) = replay.plan(read, models, [], digests, trusts_code, anywhere)
    return one


def model_at(path, name="first", size=42):
    return ModelInfo("", name, str(path), ModelType.GGUF, size)


def test_a_model_is_found_by_its_content_whatever_its_name(made, digests, weights):
    other = weights.with_name("other.gguf")
    other.write_bytes(b"y" * 42)
    found = planned(made, digests, model_at(other), model_at(weights, "renamed"))
    assert found.model is not None
    assert found.model.path == str(weights)


def test_a_model_of_that_name_with_other_content_is_not_asked(made, digests, weights):
    weights.write_bytes(b"y" * 42)
    found = planned(made, digests, model_at(weights))
    assert found.model is None
    assert "first is here and is not the card's model" in found.problem


def test_a_missing_model_is_said_by_name_with_what_to_do(made, digests):
    made["slots"][0]["model"]["repository"] = "owner/name"
    found = planned(made, digests)
    assert "first is not here" in found.problem
    assert "comparator pull owner/name" in found.problem


def test_a_model_that_was_read_here_is_found_outside_of_the_folders(tmp_path, digests):
    script = tmp_path / "parrot.echo.json"
    script.write_text("{}")
    echo = ModelInfo("e", "parrot", str(script), ModelType.ECHO, 2)
    card_here = json.loads(text_of(card_of(kept_of(result(model=echo)), digests)))
    found = planned(card_here, digests, anywhere=True)
    assert found.model is not None
    assert found.model.path == str(script)
    assert "is not here" in planned(card_here, digests).problem
    script.write_text("[]")
    assert "is not here" in planned(card_here, digests, anywhere=True).problem


def test_without_a_digest_name_and_size_decide(made, digests, weights):
    made["slots"][0]["model"].pop("files")
    assert planned(made, digests, model_at(weights)).model is not None
    assert planned(made, digests, model_at(weights, "renamed")).model is None
    assert planned(made, digests, model_at(weights, size=43)).model is None


def test_names_and_places_of_a_card_are_never_opened(made, digests, tmp_path):
    secret = tmp_path / "secret.gguf"
    secret.write_bytes(b"x" * 42)
    made["slots"][0]["model"] = {"name": str(secret), "model_type": "gguf", "size": 42}
    made["slots"][0]["adapters"] = [{"name": str(secret), "scale": 1.0}]
    assert planned(made, digests).model is None


def test_a_card_does_not_let_code_run(made, digests, weights):
    made["slots"][0]["config"]["trust_remote_code"] = True
    refused = planned(made, digests, model_at(weights))
    assert "--trust-remote-code" in refused.problem
    allowed = planned(made, digests, model_at(weights), trusts_code=True)
    assert replay.settings_of(allowed, trusts_code=True).trust_remote_code
    assert not replay.settings_of(allowed).trust_remote_code


def test_threads_and_context_are_those_that_the_column_had(made, digests, weights):
    made["slots"][0]["config"].update(n_threads=None, n_ctx=None)
    made["slots"][0]["engine"].update(threads=3, context_length=512)
    settings = replay.settings_of(planned(made, digests, model_at(weights)))
    assert (settings.n_threads, settings.n_ctx) == (3, 512)


# ---- how the answers compare ----


def compared(made, digests, weights, now, progress=()):
    read = card_in(as_file(made), "it")
    (one,) = replay.plan(read, [model_at(weights)], [], digests)
    noted = replay.TextLengths(list(progress))
    return replay.outcome(read, one, now, noted)


def test_the_same_answer_is_identical(made, digests, weights):
    ended = compared(made, digests, weights, result())
    assert ended.end is replay.ColumnEnd.IDENTICAL
    assert ended.sentence == "first: identical, 3 tokens"


def test_another_answer_parts_at_a_token_and_a_word_and_tells_what_differs(made, digests, weights):
    made["slots"][0]["engine"]["threads"] = 4
    lengths = [(1, 0, 3), (2, 0, 7), (3, 0, 10)]
    ended = compared(made, digests, weights, result("An other."), lengths)
    assert ended.end is replay.ColumnEnd.PARTED
    assert ended.sentence == (
        "first: parted at token 2 of the new answer, word 2: then 'answer.', now 'other.'"
    )
    assert "Threads: then 4, now 2." in ended.differences


def test_a_failure_now_could_not_run(made, digests, weights):
    ended = compared(made, digests, weights, result("", error="No room.", error_kind="refused"))
    assert (ended.end, ended.sentence) == (replay.ColumnEnd.NOT_RUN, "first: No room.")


def test_an_answer_that_was_stopped_is_the_begin_of_the_new_one(made, digests, weights):
    made["slots"][0]["answer"].update(text="An", finish_reason="cancelled")
    assert compared(made, digests, weights, result()).end is replay.ColumnEnd.IDENTICAL


@pytest.mark.parametrize(
    ("ends", "code"),
    [
        (["IDENTICAL"], 0),
        (["IDENTICAL", "PARTED"], 3),
        (["PARTED", "NOT_RUN"], 1),
        (["NOT_RUN"], 1),
    ],
)
def test_the_exit_code_tells_the_worst(ends, code):
    outcomes = [replay.ColumnOutcome(replay.ColumnEnd[name], "") for name in ends]
    assert replay.exit_code(outcomes) == code


def test_an_answer_that_turned_out_to_be_a_thought_parts_at_its_own_token():
    noted = replay.TextLengths()
    late = thought("First it seemed.")
    told = [
        result(" First it"),
        result(" First it seemed"),
        *(result(text, thinking=late) for text in ("", "An", "An answer")),
    ]
    for number, one in enumerate(told, start=1):
        one.stats.token_count = number
        noted.note(one)
    assert noted.token_at(9, in_thought=True) == 2
    assert noted.token_at(0, in_thought=False) == 4
    assert noted.token_at(3, in_thought=False) == 5
