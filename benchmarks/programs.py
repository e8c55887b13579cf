"""The contenders as programs: started once, asked round by round, ended without a trace."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import psutil

from comparator.core.exceptions import MultiLLMError

PEERS = Path(__file__).parent / "peers"
START_SECONDS = 120.0
END_SECONDS = 10.0
ROUND_SECONDS = 600.0  # then a program is taken for hung
POLL_SECONDS = 0.02
NO_BYTE_CODE = "PYTHONDONTWRITEBYTECODE"
Round = dict[str, Any]


class PeerError(MultiLLMError):
    """A contender cannot be started, or did not answer."""


class Contender(Protocol):
    """What runs rounds: a program of ``peers/``, or our page."""

    pid: int

    def round(self, models: Sequence[Path], prompt: str, tokens: int) -> Round:
        """Run one comparison and return ``seconds`` and the ``models``' figures."""

    def close(self) -> None:
        """End the program and everything that it started."""


class Program:
    """A program of ``peers/`` that answers a round for each line (``peers/lines.py``)."""

    def __init__(self, name: str, environment: Mapping[str, str]) -> None:
        """Start it and wait until it has imported what it needs.

        Raises:
            PeerError: it ended instead, with the last line that it printed.
        """
        self._process = subprocess.Popen(
            [sys.executable, str(PEERS / f"{name}.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=(log := open_log()),
            env=dict(environment),
            text=True,
        )
        self._log = log
        self.pid = self._process.pid
        try:
            self.versions = self._answer()["versions"]
        except BaseException:
            self.close()
            raise

    def round(self, models: Sequence[Path], prompt: str, tokens: int) -> Round:
        """Run one comparison and return ``seconds`` and the ``models``' figures.

        Raises:
            PeerError: it failed, with its own words.
        """
        request = {"models": [str(path) for path in models], "prompt": prompt, "tokens": tokens}
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._answer()
        if "error" in answer:
            raise PeerError(str(answer["error"]))
        return answer

    def close(self) -> None:
        """End the program: by the end of its input, then by force."""
        end(self._process, by_input=True)
        self._log.close()

    def _answer(self) -> Round:
        assert self._process.stdout is not None
        watchdog = threading.Timer(ROUND_SECONDS, self._process.kill)
        watchdog.start()
        try:
            line = self._process.stdout.readline()
        finally:
            watchdog.cancel()
        if not line:
            raise PeerError(last_line(self._log) or "It ended without a word, or took too long.")
        answer: Round = json.loads(line)
        return answer


class WebProgram:
    """A program that serves HTTP on a free port of this machine.

    Attributes:
        url: where it answers, with a slash at the end.
        start_seconds: from its start to its first answer.
        most_start_seconds: how long that may take.
    """

    most_start_seconds = START_SECONDS

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        """Start ``command PORT`` and wait until it answers.

        Raises:
            PeerError: it ended instead, or did not answer in time.
        """
        port = free_port()
        self.url = f"http://127.0.0.1:{port}/"
        self._log = open_log()
        began = time.perf_counter()
        self._process = subprocess.Popen(
            [*command, str(port)],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            env=dict(environment),
        )
        self.pid = self._process.pid
        try:
            self._wait(began)
        except BaseException:
            self.close()
            raise
        self.start_seconds = time.perf_counter() - began

    def close(self) -> None:
        """End the program."""
        end(self._process)
        self._log.close()

    def _wait(self, began: float) -> None:
        while not _answers(self.url):
            if self._process.poll() is not None:
                raise PeerError(last_line(self._log) or "It ended without a word.")
            if time.perf_counter() - began > self.most_start_seconds:
                raise PeerError(f"It did not answer within {self.most_start_seconds:.0f} s.")
            time.sleep(POLL_SECONDS)


def end(process: subprocess.Popen[Any], by_input: bool = False) -> None:
    """End a program and whatever it leaves behind; harmless when it is gone."""
    with contextlib.suppress(psutil.Error):
        descendants = psutil.Process(process.pid).children(recursive=True)
        if by_input and process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
        else:
            process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(END_SECONDS)
        process.kill()
        for descendant in descendants:
            with contextlib.suppress(psutil.Error):
                descendant.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            with contextlib.suppress(OSError):
                stream.close()


def own_command() -> list[str]:
    """Return how ``comparator`` is called: the script of this environment, as users call it."""
    script = Path(sys.executable).with_name("comparator")
    return [str(script)] if script.exists() else [sys.executable, "-m", "comparator"]


def free_port() -> int:
    """Return a port of this machine that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def quiet_environment(places: Path) -> dict[str, str]:
    """Return an environment in which no program calls home or writes into the user's own files.

    Byte code may be written, as on a user's machine: where an image of a container forbids it, what
    pip installed starts from its byte code and we from our sources.

    Args:
        places: a folder for what programs keep.
    """
    kept = {name: value for name, value in os.environ.items() if name != NO_BYTE_CODE}
    return {
        **kept,
        "COMPARATOR_CACHE_DIR": str(places / "cache"),
        "COMPARATOR_DATA_DIR": str(places / "data"),
        "LLM_USER_PATH": str(places / "llm"),
        "GRADIO_ANALYTICS_ENABLED": "False",
        "HF_HUB_OFFLINE": "1",
        "PYTHONUNBUFFERED": "1",
    }


def without_packages(
    environment: Mapping[str, str], names: Sequence[str], folder: Path
) -> dict[str, str]:
    """Return an environment whose programs find none of these packages.

    Args:
        names: the packages, as they are imported.
        folder: where what stands in their place is written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / f"{name}.py").write_text("raise ModuleNotFoundError(name=__name__)\n")
    paths = [str(folder), environment.get("PYTHONPATH", "")]
    return {**environment, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def open_log() -> Any:
    """Return a temporary file for what a program prints."""
    return tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace")


def last_line(log: Any) -> str:
    """Return the last line that a program printed, without what follows 200 characters."""
    log.seek(0)
    printed = [line.strip() for line in log.read().splitlines() if line.strip()]
    return printed[-1][:200] if printed else ""


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except (OSError, urllib.error.URLError):
        return False
