"""What a newcomer's wait is measured with: a clone, its own start script, and nothing kept."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import first_answer
from benchmarks.programs import PeerError

START = f"""#!/bin/sh
echo "$@" >asked.txt
exec {sys.executable} -m http.server --bind 127.0.0.1 "$3"
"""


def test_nothing_that_was_built_or_fetched_before_is_found(tmp_path: Path) -> None:
    fresh = first_answer.environment_of(tmp_path, keep_downloads=False)
    for name in ("XDG_CACHE_HOME", "COMPARATOR_CACHE_DIR", "COMPARATOR_DATA_DIR"):
        assert fresh[name].startswith(str(tmp_path))
    assert "PIP_CACHE_DIR" not in fresh
    kept = first_answer.environment_of(tmp_path, keep_downloads=True)
    assert kept["XDG_CACHE_HOME"] == fresh["XDG_CACHE_HOME"]
    assert not kept["PIP_CACHE_DIR"].startswith(str(tmp_path))


@pytest.mark.process
def test_the_clones_own_script_is_started_and_each_step_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository = tmp_path / "repository"
    (repository / "scripts").mkdir(parents=True)
    (repository / "scripts" / "start").write_text(START)
    (repository / "scripts" / "start").chmod(0o755)
    for words in (["init", "-q"], ["add", "."], ["commit", "-q", "-m", "first"]):
        named = ["-c", "user.name=n", "-c", "user.email=e@x.invalid", "-C", str(repository)]
        subprocess.run(["git", *named, *words], check=True)
    monkeypatch.setattr(first_answer, "REPOSITORY", repository)
    told = {"first_text_seconds": 1.0, "seconds": 2.0}
    monkeypatch.setattr(first_answer.StartedClone, "round", lambda *_: told)
    monkeypatch.chdir(tmp_path)
    steps = first_answer.waited(tmp_path / "new", ["--prebuilt"], keep_downloads=True)
    assert (tmp_path / "asked.txt").read_text().startswith("--prebuilt --server-port ")
    clone, page, word, both = steps.values()
    assert 0 < clone < page < word < both
    assert both - word == pytest.approx(1.0)


@pytest.mark.process
def test_a_script_that_ends_is_no_page(tmp_path: Path) -> None:
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "start").write_text(
        "#!/bin/sh\necho There is no compiler. >&2\nexit 1\n"
    )
    (tmp_path / "scripts" / "start").chmod(0o755)
    with pytest.raises(PeerError, match="There is no compiler"):
        first_answer.StartedClone(tmp_path, {}, [])
