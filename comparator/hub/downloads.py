"""Downloads under way: each in a process of its own, watched by a thread, cancelled at once."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
import uuid
from collections import deque
from dataclasses import dataclass
from pathlib import Path

import msgspec

from comparator.core.countdown import Countdown
from comparator.core.exceptions import ConfigurationError, HubError
from comparator.core.models import ModelType
from comparator.core.quiet import quiet
from comparator.hub import catalogue, selection
from comparator.hub.transfer import FetchPlan, TransferReport

MOST_AT_ONCE = 4
_MOST_REMEMBERED = 20
_WINDOW_SECONDS = 8.0  # over which the speed is taken
_END_SECONDS = 5.0
_HOMES = {ModelType.GGUF: "gguf", ModelType.PYTORCH: "pytorch"}


@dataclass(frozen=True)
class DownloadStatus:
    """How a download stands.

    Attributes:
        id: names it among the downloads of this program.
        repository: ``ORG/NAME``.
        choice: what of it, such as ``Q4_K_M``.
        state: ``begin``, ``wait``, ``download``, ``check``, ``done``, ``failed``, ``cancelled``.
        done: bytes of this state so far.
        total: bytes of this state.
        bytes_per_second: over the last seconds; 0 while unknown.
        seconds_left: at that speed; None while unknown.
        message: with ``failed``, what happened and what to do.
        path: with ``done``, the model's path.
    """

    id: str
    repository: str
    choice: str
    state: str
    done: int
    total: int
    bytes_per_second: float
    seconds_left: float | None
    message: str
    path: str

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self.state in ("done", "failed", "cancelled")


class Download:
    """One download; ``cancel`` keeps what has come, so that the next one goes on from there."""

    def __init__(
        self, repository: catalogue.Repository, offer: selection.Offer, models_dir: Path
    ) -> None:
        home = models_dir.absolute() / _HOMES[offer.engine]
        self.id = uuid.uuid4().hex[:12]
        self.repository, self.offer = repository.id, offer
        self._plan = FetchPlan(
            repository.id, repository.commit, str(home), repository.id, offer.files
        )
        self._report = TransferReport("begin", 0, offer.size)
        self._samples: deque[tuple[float, int]] = deque()
        self._lock = threading.Lock()
        self._cancelled = False
        self._process: subprocess.Popen[bytes] | None = None
        self._over = threading.Event()

    def start(self) -> Download:
        """Start the process.

        Raises:
            HubError: the system starts no process.
        """
        plan = msgspec.json.encode(self._plan) + b"\n"
        try:
            process = subprocess.Popen(
                [sys.executable, "-m", "comparator.hub.worker"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=_environment(),
                start_new_session=True,  # Ctrl-C is for us, who then end it
            )
        except OSError as error:
            raise HubError(f"The download could not be started: {error}.") from error
        self._process = process
        threading.Thread(
            target=self._watch, args=(process, plan), name="comparator-download", daemon=True
        ).start()
        return self

    def cancel(self) -> None:
        """End it at once; harmless at any time."""
        with self._lock:
            if self._report.step in ("done", "failed"):
                return
            self._cancelled = True
        if self._process is not None:
            self._process.kill()

    def join(self, timeout_seconds: float | None = None) -> bool:
        """Wait for its end, its process reaped; return whether it has come."""
        return self._over.wait(timeout_seconds)

    def status(self) -> DownloadStatus:
        """Return how it stands."""
        with self._lock:
            report, cancelled = self._report, self._cancelled
            speed = _speed(self._samples)
        moving = speed > 0 and report.step == "download"
        return DownloadStatus(
            id=self.id,
            repository=self.repository,
            choice=self.offer.name,
            state="cancelled" if cancelled and report.step != "done" else report.step,
            done=report.done,
            total=report.total,
            bytes_per_second=speed if moving else 0.0,
            seconds_left=(report.total - report.done) / speed if moving else None,
            message=report.message,
            path=report.path,
        )

    def _watch(self, process: subprocess.Popen[bytes], plan: bytes) -> None:
        with quiet.beside("a download"):
            # The pipe to a worker that was killed breaks when it is closed, too.
            with contextlib.suppress(BrokenPipeError), process:
                self._follow(process, plan)
            code = process.wait()
        if not self.status().is_over:
            self._note(TransferReport("failed", message=_ended(self.repository, code)))
        self._over.set()

    def _follow(self, process: subprocess.Popen[bytes], plan: bytes) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write(plan)
            process.stdin.flush()
            for line in process.stdout:
                self._note(msgspec.json.decode(line, type=TransferReport))
        except (OSError, msgspec.MsgspecError):
            process.kill()

    def _note(self, report: TransferReport) -> None:
        now = time.monotonic()
        with self._lock:
            if report.step != self._report.step:
                self._samples.clear()
            self._samples.append((now, report.done))
            while now - self._samples[0][0] > _WINDOW_SECONDS:
                self._samples.popleft()
            self._report = report


class Downloads:
    """All downloads of one program into one models folder."""

    def __init__(self, models_dir: Path, at_once: int = MOST_AT_ONCE) -> None:
        self.models_dir = models_dir
        self._at_once = at_once
        self._all: dict[str, Download] = {}
        self._lock = threading.Lock()
        self._closed = False

    def start(self, repository: catalogue.Repository, offer: selection.Offer) -> Download:
        """Start to fetch an offer; what is fetched already is not started twice.

        Raises:
            ConfigurationError: too many are under way.
            HubError: the system starts no process.
        """
        with self._lock:
            running = [download for download in self._all.values() if not download.join(0)]
            for download in running:
                if (download.repository, download.offer) == (repository.id, offer):
                    return download
            if self._closed or len(running) >= self._at_once:
                raise ConfigurationError(
                    f"{len(running)} downloads are under way. Wait for one, or cancel one."
                )
            download = Download(repository, offer, self.models_dir).start()
            self._all[download.id] = download
            self._forget_old()
        return download

    def statuses(self) -> list[DownloadStatus]:
        """Return how each stands, the newest first."""
        with self._lock:
            downloads = list(self._all.values())
        return [download.status() for download in reversed(downloads)]

    def are_over(self) -> bool:
        """Return whether none is under way, all processes reaped."""
        with self._lock:
            return all(download.join(0) for download in self._all.values())

    def cancel(self, name: str) -> None:
        """End one at once, by its id; harmless when there is none or it is over."""
        with self._lock:
            download = self._all.get(name)
        if download is not None:
            download.cancel()

    def stop(self) -> None:
        """End all, and take none any more; returns at once."""
        with self._lock:
            self._closed = True
            downloads = list(self._all.values())
        for download in downloads:
            download.cancel()

    def close(self, timeout_seconds: float = _END_SECONDS) -> None:
        """End all at once and wait until their processes are gone."""
        self.stop()
        countdown = Countdown(timeout_seconds)
        for download in list(self._all.values()):
            download.join(countdown.left)

    def _forget_old(self) -> None:
        over = [name for name, download in self._all.items() if download.join(0)]
        for name in over[: max(0, len(self._all) - _MOST_REMEMBERED)]:
            del self._all[name]


def _speed(samples: deque[tuple[float, int]]) -> float:
    """Return bytes a second between the first and the last sample; 0 while unknown."""
    if len(samples) < 2:
        return 0.0
    (before, first), (now, last) = samples[0], samples[-1]
    return max(0.0, (last - first) / (now - before)) if now > before else 0.0


def _ended(repository: str, code: int) -> str:
    return (
        f"The download of {repository} ended without a word (exit code {code}); the system may "
        "have killed it. What has come is kept; start it again."
    )


def _environment() -> dict[str, str]:
    """Return the environment of a worker, which finds this package wherever it lies."""
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(paths),
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_XET": "1",  # its pieces cannot be resumed by another process
    }
