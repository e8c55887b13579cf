"""``comparator remove``: asks first, says what it frees, and touches nothing of others."""

from __future__ import annotations

import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

COMMAND = [sys.executable, "-m", "comparator", "remove"]


@pytest.fixture
def own(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    (folder / "gguf").mkdir(parents=True)
    for name in ("a", "b", "c"):
        (folder / "gguf" / f"{name}.gguf").write_bytes(b"GGUF".ljust(3_000_000, b"\0"))
    return folder


def remove(*words: str, models_dir: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *words, "--models-dir", str(models_dir)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def left(own: Path) -> list[str]:
    return sorted(path.name for path in (own / "gguf").iterdir())


def test_with_yes_models_go_and_the_bytes_are_said(own: Path) -> None:
    done = remove("a", str(own / "gguf" / "b.gguf"), "a", "--yes", models_dir=own)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["removed a (3 MB freed)", "removed b (3 MB freed)"]
    assert str(own / "gguf" / "a.gguf") in done.stderr
    assert left(own) == ["c.gguf"]


def test_where_nobody_can_be_asked_yes_must_be_said(own: Path) -> None:
    done = remove("a", models_dir=own)
    assert done.returncode == 2
    assert "Say --yes" in done.stderr
    assert left(own) == ["a.gguf", "b.gguf", "c.gguf"]


@pytest.mark.parametrize(
    ("answer", "code", "rest"),
    [
        ("y\n", 0, ["b.gguf", "c.gguf"]),
        ("n\n", 1, ["a.gguf", "b.gguf", "c.gguf"]),
        ("\n", 1, ["a.gguf", "b.gguf", "c.gguf"]),
        ("\x03", 1, ["a.gguf", "b.gguf", "c.gguf"]),
    ],
    ids=["yes", "no", "nothing", "ctrl-c"],
)
def test_in_a_terminal_it_asks(own: Path, answer: str, code: int, rest: list[str]) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # ignored where tests run in the background
        os.execv(sys.executable, [*COMMAND, "a", "--models-dir", str(own)])
    shown = b""
    while not re.search(rb"free 3 MB\? \[y/N\]:\S* ", shown):  # the last blank: it reads the answer
        shown += os.read(terminal, 4096)
    os.write(terminal, answer.encode())
    ended, status = os.waitpid(pid, os.WNOHANG)
    while not ended:  # Python forgets a Ctrl-C that comes right before it reads: people press again
        time.sleep(0.1)
        if answer == "\x03":
            os.write(terminal, answer.encode())
        ended, status = os.waitpid(pid, os.WNOHANG)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == code
    assert left(own) == rest


def test_one_that_is_refused_keeps_all(own: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.gguf"
    outside.write_bytes(b"GGUF".ljust(100, b"\0"))
    done = remove("a", str(outside), "--yes", models_dir=own)
    assert done.returncode == 2
    assert "is not in your models folder" in done.stderr
    assert "Traceback" not in done.stderr
    assert left(own) == ["a.gguf", "b.gguf", "c.gguf"]
    assert outside.exists()


def test_what_is_not_there_is_told(own: Path) -> None:
    done = remove("nobody", "--yes", models_dir=own)
    assert done.returncode == 1
    assert "No model 'nobody'" in done.stderr
    done = remove("a", "--yes", models_dir=own / "nowhere")
    assert done.returncode == 1
    assert "no models folder" in done.stderr
