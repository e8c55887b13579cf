"""From the options of ``comparator run`` to a draft, and when standard input is read."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

from comparator.cli.commands.options import look_up_in
from comparator.cli.commands.run import RunOptions, run
from comparator.cli.commands.shared_options import EngineOptions, SettingOptions
from comparator.core.exceptions import ConfigurationError, ModelNotFoundError
from comparator.hosting.requests import RequestDraft, SlotDraft

OPTIONS = RunOptions(EngineOptions(), "text")


class Unread(io.StringIO):
    def read(self, *_arguments: Any) -> str:
        pytest.fail("standard input was read")


def test_what_is_set_later_counts_for_all_models_or_for_one() -> None:
    assignments = ["seed=1", "2.seed=2", "1.top_k=5 greedy", "top_k=7"]
    assert SettingOptions(assignments=assignments).slots_of(["a", "b"]) == [
        SlotDraft("a", {"seed": 1, "top_k": 7, "do_sample": False}),
        SlotDraft("b", {"seed": 2, "top_k": 7}),
    ]


@pytest.mark.parametrize("number", [0, 3])
def test_a_model_that_is_not_there_cannot_be_set(number: int) -> None:
    with pytest.raises(ConfigurationError, match=f"means model {number} of 2"):
        SettingOptions(assignments=[f"{number}.seed=1"]).slots_of(["a", "b"])


def test_a_wrong_name_is_told_before_standard_input_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Unread())
    with pytest.raises(ModelNotFoundError, match="No model 'gone'"):
        run(RequestDraft("-", [SlotDraft("gone")]), OPTIONS, look_up_in([tmp_path], None))


def test_without_a_folder_a_path_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMPARATOR_MODELS_DIR", str(tmp_path / "missing"))
    monkeypatch.setenv("COMPARATOR_SOURCES", "none")
    path = tmp_path / "alpha.echo.json"
    path.write_text("{}")
    assert look_up_in(None, None)(str(path)).name == "alpha"
    with pytest.raises(ModelNotFoundError, match="There is no models folder"):
        look_up_in([tmp_path / "missing"], None)


def test_a_folder_that_is_a_file_is_a_wrong_request(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folders in ([tmp_path / "file"], [tmp_path, tmp_path / "file"]):
        with pytest.raises(ConfigurationError, match=r"models folder .*file is no folder"):
            look_up_in(folders, None)
