"""The wire: every message survives it, and no byte sequence gets past its schema."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runners import protocol

EXAMPLES = [
    protocol.Hello(0.1, "on"),
    protocol.Loading("weights", 3.0, 10.0),
    protocol.Loaded(
        1.0, 2048, "cpu", "bfloat16", "engine 1", 2, "cached", ("It is slow.",), {"a": [1, None]}
    ),
    protocol.Prompted(1.1, 5, "<|user|>你好\n🙂", "gguf", 0),
    protocol.Token('"\\\n\u2028🙂\x00', 1, 1.2),
    protocol.Answered("error", 1, 1.3, "rest", 2, "Too long.", "refused"),
    protocol.Finished(1.3, 5, 6, "found", ("It is slow.",)),
    protocol.Failed("load", "load", "Broken.", "Traceback", 7),
]


def lines(*messages: protocol.Message) -> bytes:
    return b"".join(protocol.encode(message) for message in messages)


@pytest.mark.parametrize("message", EXAMPLES, ids=lambda message: type(message).__name__)
def test_a_message_survives(message):
    data = protocol.encode(message)
    assert data.count(b"\n") == 1
    assert data.endswith(b"\n")
    assert protocol.LineReader().feed(data) == [message]


def test_the_examples_are_all_that_a_child_may_send():
    import typing

    assert {type(message) for message in EXAMPLES} == set(typing.get_args(protocol.ChildMessage))


@pytest.mark.parametrize("size", [1, 2, 7, 64, 10_000])
def test_messages_cut_anywhere_are_put_together(size):
    data, reader, found = lines(*EXAMPLES), protocol.LineReader(), []
    for start in range(0, len(data), size):
        found += reader.feed(data[start : start + size])
    assert found == EXAMPLES


@pytest.mark.parametrize(
    "message",
    [
        protocol.Cancelled("load"),
        protocol.TimedOut("load", 1.0),
        protocol.FellBack(("It is slow.",)),
        protocol.Crashed(1, "because", "load", ""),
    ],
    ids=lambda message: type(message).__name__,
)
def test_the_parents_own_messages_never_come_from_a_child(message):
    with pytest.raises(protocol.ProtocolError):
        protocol.LineReader().feed(protocol.encode(message))


def test_messages_cannot_be_changed():
    for message in EXAMPLES:
        with pytest.raises(AttributeError):
            message.seconds = 5.0


def test_an_unfinished_line_is_bounded():
    reader = protocol.LineReader()
    piece = b"x" * 1_000_000
    for _ in range(protocol.LINE_LIMIT_BYTES // len(piece)):
        assert reader.feed(piece) == []
    with pytest.raises(protocol.ProtocolError, match="bytes"):
        reader.feed(piece)


def test_a_finished_line_is_bounded():
    with pytest.raises(protocol.ProtocolError, match="bytes"):
        protocol.LineReader().feed(b"x" * (protocol.LINE_LIMIT_BYTES + 1) + b"\n")


def test_what_a_child_says_is_off_is_bounded():
    long = protocol.Loaded(1.0, 1, "cpu", fallbacks=("x" * (protocol.LONGEST_SENTENCE + 1),))
    many = protocol.Loaded(1.0, 1, "cpu", fallbacks=("x",) * (protocol.MOST_SENTENCES + 1))
    for message in (long, many):
        with pytest.raises(protocol.ProtocolError):
            protocol.LineReader().feed(protocol.encode(message))


def test_the_longest_prompt_of_the_engine_fits():
    from comparator.services.inference_engine import LONGEST_PROMPT_BYTES

    message = protocol.Prompted(0.0, 1, "\x00" * LONGEST_PROMPT_BYTES, "none")
    assert protocol.LineReader().feed(protocol.encode(message)) == [message]


@settings(deadline=None)
@given(st.lists(st.binary(max_size=60), max_size=5))
def test_any_bytes_are_messages_or_refused(pieces):
    reader = protocol.LineReader()
    try:
        for piece in pieces:
            for message in reader.feed(piece):
                assert isinstance(message, protocol.Message)
    except protocol.ProtocolError:
        pass


@settings(deadline=None)
@given(st.data())
def test_any_damage_to_a_message_is_a_message_or_refused(data):
    content = bytearray(lines(data.draw(st.sampled_from(EXAMPLES))))
    for _ in range(data.draw(st.integers(1, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = protocol.LineReader().feed(bytes(content))
    except protocol.ProtocolError:
        return
    for message in found:
        assert getattr(message, "seconds", 0) >= 0
        assert getattr(message, "index", 0) >= 0


@pytest.mark.parametrize(
    "told",
    [
        '{"run_seconds":-1}',
        '{"run_seconds":1e10}',
        '{"waited_seconds":"1"}',
        '{"elapsed_seconds":null}',
        '{"share":0.5}',
        "[]",
    ],
)
def test_what_a_child_says_that_it_got_is_checked(told):
    line = '{"type":"Loaded","seconds":1.0,"context_length":1,"device":"cpu","processor":%s}\n'
    (message,) = protocol.LineReader().feed((line % '{"run_seconds":1}').encode())
    assert message.processor.run_seconds == 1
    with pytest.raises(protocol.ProtocolError):
        protocol.LineReader().feed((line % told).encode())
