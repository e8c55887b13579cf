"""Who asks, as far as a server can know."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from comparator.ui.visitors import session_of, visitor_of


def request(host: str | None, session: Any = "s") -> Any:
    client = None if host is None else SimpleNamespace(host=host)
    return SimpleNamespace(client=client, headers={}, session_hash=session)


@pytest.mark.parametrize(
    ("host", "visitor"),
    [
        ("192.168.1.7", "192.168.1.7"),
        ("203.0.113.9", "203.0.113.9"),
        ("2001:4860:4860::8888", "2001:4860:4860::8888"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("127.0.0.1", ""),
        ("::1", ""),
        ("::ffff:127.0.0.1", ""),
        ("testclient", ""),
        (None, ""),
    ],
)
def test_a_visitor_is_an_address_but_never_this_machine(host: str | None, visitor: str) -> None:
    assert visitor_of(request(host)) == visitor


def test_a_session_is_its_hash() -> None:
    assert session_of(request("8.8.4.4", session="abc")) == "abc"


@pytest.mark.parametrize("session", ["", None, 7, ["abc"]])
def test_without_a_session_there_is_a_sentence_and_no_shared_one(session: Any) -> None:
    with pytest.raises(gr.Error, match="names no session") as told:
        session_of(request("8.8.4.4", session=session))
    assert told.value.print_exception is False


@pytest.mark.parametrize("nobody", [None, SimpleNamespace()])
def test_a_request_that_gradio_does_not_hand_over_is_none(nobody: Any) -> None:
    with pytest.raises(gr.Error):
        session_of(nobody)
