"""Who may log in: by flags, else by the environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from comparator.core.exceptions import ConfigurationError
from comparator.hosting.options import ServerOptions, log_ins


def test_the_environment_names_them_one_on_each_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPARATOR_AUTH", "anna:secret\nbo:with space:and colon\n")
    assert log_ins() == (("anna", "secret"), ("bo", "with space:and colon"))
    assert ServerOptions(Path("models")).auth == log_ins()


def test_what_is_given_counts_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPARATOR_AUTH", "anna:secret")
    assert log_ins(["carl:word"]) == (("carl", "word"),)


def test_without_either_nobody_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COMPARATOR_AUTH", raising=False)
    assert log_ins() == ()


@pytest.mark.parametrize("text", ["anna", "anna:", ":secret", ":"])
def test_what_is_no_pair_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPARATOR_AUTH", text)
    with pytest.raises(ConfigurationError, match="USER:PASSWORD"):
        log_ins()
