"""What of the environment is followed, and which folders a page is not opened on."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from comparator.core.exceptions import ConfigurationError
from comparator.hosting.surroundings import (
    FOLLOWED,
    follow_only_what_is_known,
    refuse_bad_folder,
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
