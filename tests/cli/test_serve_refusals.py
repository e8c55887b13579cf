"""What the page is not opened for: a sentence and exit code 2, by each way of opening it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
NOT_HERE = "192.0.2.77"  # kept for documents: no machine has it


@pytest.fixture
def taken() -> Iterator[str]:
    """A port on which another program listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        yield str(listener.getsockname()[1])


@pytest.fixture
def models_dir(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "Quick.echo.json").write_text("{}")
    return tmp_path / "models"


def refused(*command: str, **environment: str) -> str:
    """Run a program of this project that must refuse, and return its sentence."""
    done = subprocess.run(
        command,
        cwd=REPOSITORY,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2, done.stderr + done.stdout
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.stderr


def serve(*flags: str, **environment: str) -> str:
    return refused(sys.executable, "-m", "comparator", "serve", *flags, **environment)


def app(**environment: str) -> str:
    return refused(sys.executable, "app.py", **environment)


def test_a_taken_port(models_dir: Path, taken: str) -> None:
    words = f"Port {taken} of 127.0.0.1 is taken"
    told = serve("--models-dir", str(models_dir), "--server-port", taken)
    assert words in told
    assert len(told.strip().splitlines()) == 1
    folder = {"COMPARATOR_MODELS_DIR": str(models_dir)}
    assert words in serve(GRADIO_SERVER_PORT=taken, **folder)
    assert words in app(GRADIO_SERVER_PORT=taken, **folder)


@pytest.mark.parametrize("port", ["0", "65536", "-5", "eighty"])
def test_a_number_that_no_port_has(models_dir: Path, port: str) -> None:
    folder = {"COMPARATOR_MODELS_DIR": str(models_dir)}
    assert "from 1 to 65535" in serve(GRADIO_SERVER_PORT=port, **folder)
    assert "from 1 to 65535" in app(GRADIO_SERVER_PORT=port, **folder)
    told = serve("--server-port", port, **folder)
    assert "from 1 to 65535" in told or "is not a valid int" in told


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (NOT_HERE, f"{NOT_HERE} is not an address of this machine"),
        ("none.invalid", "'none.invalid' is no address that this machine knows"),
    ],
)
def test_a_host_that_is_not_this_machines(models_dir: Path, name: str, words: str) -> None:
    folder = {"COMPARATOR_MODELS_DIR": str(models_dir)}
    assert words in serve("--server-name", name, **folder)
    assert words in serve(GRADIO_SERVER_NAME=name, **folder)
    assert words in app(GRADIO_SERVER_NAME=name, **folder)


def test_a_models_folder_that_is_a_file(tmp_path: Path) -> None:
    file = tmp_path / "model.gguf"
    file.touch()
    for folder in (file, file / "models"):
        words = f"The models folder {folder} is no folder, since {file} is none."
        assert words in app(COMPARATOR_MODELS_DIR=str(folder))
        assert words in serve(COMPARATOR_MODELS_DIR=str(folder))
    assert "is no folder" in serve("--models-dir", str(file))
    assert "is no folder" in serve("--models-dir", str(tmp_path), "--models-dir", str(file))


def test_a_models_folder_that_was_named_and_is_not_there(tmp_path: Path) -> None:
    missing = tmp_path / "modles"
    told = serve("--models-dir", str(missing))
    assert f"There is no models folder at {missing}" in told
    assert f"comparator starter --models-dir {missing}" in told
    assert not missing.exists()


def test_a_proxy_that_is_no_address(models_dir: Path) -> None:
    folder = {"COMPARATOR_MODELS_DIR": str(models_dir)}
    assert "'proxy.example'" in serve("--trusted-proxy", "proxy.example", **folder)
    assert "'proxy.example'" in app(COMPARATOR_TRUSTED_PROXIES="proxy.example", **folder)


def test_the_start_script_hands_the_sentence_on(taken: str) -> None:
    """It ends by becoming ``comparator serve`` on the models folder; the rest takes minutes."""
    script = (REPOSITORY / "scripts" / "start").read_text()
    (last,) = [line for line in script.splitlines() if " serve " in line and "exec" in line]
    assert last.startswith('exec "$VENV/bin/comparator" serve --models-dir models')
    assert '"$@"' in last
    place = str(Path(sys.executable).parent.parent)
    command = last.removeprefix("exec ").replace('"$@"', "").replace("$VENV", place)
    command = command.replace('"', "").split()
    assert f"Port {taken} of" in refused(*command, "--server-port", taken)
