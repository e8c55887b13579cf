"""What of the environment is followed, and which folders a page is not opened on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from comparator.core.exceptions import ConfigurationError
from comparator.hosting.options import ServerOptions
from comparator.hosting.surroundings import (
    FOLLOWED,
    follow_only_what_is_known,
    own_names,
    refuse_bad_folder,
    without_proxies,
)


def test_gradios_variables_are_taken_away_but_for_those_that_are_known() -> None:
    kept = {"GRADIO_TEMP_DIR": "/tmp/x", "GRADIO_SHARE_SERVER_ADDRESS": "a:1", "PATH": "/bin"}
    read = dict.fromkeys(FOLLOWED, "1")
    removed = {"GRADIO_NUM_WORKERS": "3", "GRADIO_TOMORROW": "1", "WEB_CONCURRENCY": "4"}
    ours = {"GRADIO_ANALYTICS_ENABLED": "False", "FORWARDED_ALLOW_IPS": ""}
    environment = {**kept, **read, **removed, **ours}
    assert follow_only_what_is_known(environment) == sorted(removed)
    assert environment == {**kept, **ours}


def test_who_is_believed_is_not_left_to_the_server() -> None:
    environment = {"FORWARDED_ALLOW_IPS": "*", "GRADIO_ANALYTICS_ENABLED": "True"}
    assert follow_only_what_is_known(environment) == [
        "FORWARDED_ALLOW_IPS", "GRADIO_ANALYTICS_ENABLED",
    ]  # fmt: skip
    assert environment["FORWARDED_ALLOW_IPS"] == ""
    empty: dict[str, str] = {}
    assert follow_only_what_is_known(empty) == []
    assert empty["FORWARDED_ALLOW_IPS"] == ""


def test_a_folder_or_none_yet_is_taken(tmp_path: Path) -> None:
    refuse_bad_folder(tmp_path)
    refuse_bad_folder(tmp_path / "not" / "yet")


@pytest.mark.parametrize("place", ["file", "file/models", "loop", "nowhere"])
def test_what_is_no_folder_is_refused(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "nowhere").symlink_to("gone")
    with pytest.raises(ConfigurationError, match=r"models folder .* (is no folder|looked at)"):
        refuse_bad_folder(tmp_path / place)


def test_a_folder_that_may_not_be_read_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda _path, _mode: False)
    with pytest.raises(ConfigurationError, match="may not be read"):
        refuse_bad_folder(tmp_path)


@pytest.mark.parametrize(
    "before", [{}, {"no_proxy": "a.example"}, {"NO_PROXY": "a.example", "HTTP_PROXY": "http://p"}]
)
def test_no_proxy_is_asked_for_a_while_and_then_as_before(before: dict[str, str]) -> None:
    environment = dict(before)
    with without_proxies(("localhost", "::1"), environment):
        known = ["a.example"] if before else []
        expected = ",".join([*known, "localhost", "::1"])
        assert (environment["no_proxy"], environment["NO_PROXY"]) == (expected, expected)
    assert environment == before


def test_proxies_are_asked_again_where_the_opening_failed() -> None:
    environment: dict[str, str] = {}
    with pytest.raises(OSError, match="taken"), without_proxies(environment=environment):
        raise OSError("taken")
    assert environment == {}


def test_for_a_public_link_only_the_pages_own_names_need_no_proxy(tmp_path: Path) -> None:
    assert own_names(ServerOptions(tmp_path, server_name="0.0.0.0")) == ("*",)
    shared = ServerOptions(tmp_path, share=True, server_name="[fe80::1]")
    assert own_names(shared) == ("localhost", "127.0.0.1", "::1", "fe80::1")
