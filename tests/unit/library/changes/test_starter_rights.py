"""What a job made private is as readable as the files beside it, by the program's own hand."""

from __future__ import annotations

from pathlib import Path

from comparator.library.changes import starter


def test_weights_are_as_readable_as_the_files_beside_them(tmp_path: Path) -> None:
    for name, mode in (("config.json", 0o640), ("model.safetensors", 0o600)):
        (tmp_path / name).write_text("{}")
        (tmp_path / name).chmod(mode)
    starter._let_others_read(tmp_path)
    assert (tmp_path / "model.safetensors").stat().st_mode & 0o777 == 0o640
