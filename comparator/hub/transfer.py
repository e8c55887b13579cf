"""Fetching the files of one offer: resumed, checked, and put into place when all are whole.

What comes is kept by its checksum in a hidden folder (``.pull``) beside the models, one folder for
each first file of weights, so that an interrupted download goes on where it was, also at a later
commit that left the file alone, and two repositories with the same tokeniser do not meet. The
requests are those of ``huggingface_hub``; its own
``hf_hub_download`` begins anew after an interruption, since 2.0 its temporary names are unique.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from filelock import FileLock, Timeout
from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url
from huggingface_hub.errors import HfHubHTTPError

from comparator.core.disk import free_bytes
from comparator.core.exceptions import HubError, MultiLLMError
from comparator.core.units import fine_size
from comparator.formats.model_files import is_gguf_name
from comparator.hub import adapter, trouble
from comparator.hub.selection import RemoteFile, refuse_unsafe_name

STAGING = ".pull"
_KEPT_SECONDS = 14 * 86400.0  # what nobody went on with is cleared after two weeks
_PIECE_BYTES = 4 * 1024 * 1024
_TRIES = 2  # each of which the client itself repeats five times
_PAUSE_SECONDS = 1.0
_METADATA_SECONDS = 20.0
_POLL_SECONDS = 0.2


class FetchPlan(msgspec.Struct, frozen=True):
    """What is to be fetched.

    Attributes:
        repository: ``ORG/NAME``.
        commit: the 40 hexadecimal digits.
        home: the folder of our own for this engine, which nothing may leave.
        folder: where the files go, relative to ``home``.
        files: all of them.
    """

    repository: str
    commit: str
    home: str
    folder: str
    files: tuple[RemoteFile, ...]


class TransferReport(msgspec.Struct, frozen=True):
    """How far a download is.

    Attributes:
        step: ``begin``, ``wait`` (another program fetches the same), ``download``, ``check``,
            ``done`` or ``failed``.
        done: bytes of this step so far.
        total: bytes of this step.
        message: with ``failed``, what happened and what to do.
        path: with ``done``, the model's path.
    """

    step: str
    done: int = 0
    total: int = 0
    message: str = ""
    path: str = ""


class Transfer:
    """One plan being carried out. ``report`` may be called from another thread at any time."""

    def __init__(self, plan: FetchPlan) -> None:
        self._plan = plan
        self._home = Path(plan.home)
        self._folder = self._home / plan.folder
        self._pull = self._home / STAGING
        self._staging = self._pull / plan.files[0].digest
        self._step = "begin"
        self._done = self._total = 0
        self._part: Path | None = None

    def report(self) -> TransferReport:
        """Return how far it is."""
        return TransferReport(self._step, self._done + _size(self._part), self._total)

    def run(self) -> Path:
        """Fetch, check and place everything; return the model's path.

        Raises:
            HubError: what happened, and what to do. What came is kept for the next time.
        """
        with trouble.told_in_words(self._plan.repository):
            self._refuse_dangerous()
            self._pull.mkdir(parents=True, exist_ok=True)
            with self._alone():
                self._staging.mkdir(exist_ok=True)
                os.utime(self._staging)  # in use, so not an old one
                _clear_old(self._pull)
                self._fetch([file for file in self._plan.files if not self._is_there(file)])
                for file in sorted(self._plan.files, key=lambda file: file.name == "config.json"):
                    self._place(file)
        return self._model_path()

    def _model_path(self) -> Path:
        weights = self._folder / self._plan.files[0].name
        return weights if is_gguf_name(weights.name) else self._folder

    def _refuse_dangerous(self) -> None:
        for name in (self._plan.folder, *(file.name for file in self._plan.files)):
            refuse_unsafe_name(name)
        home = os.path.realpath(self._home)
        for file in self._plan.files:
            target = os.path.realpath(self._folder / file.name)
            if os.path.commonpath([home, target]) != home:
                raise HubError(
                    f"{self._folder} leads out of the models folder by a link; nothing was fetched."
                )

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Wait while another program fetches the same."""
        path = self._staging.with_suffix(".lock")
        lock = FileLock(path, timeout=0)
        while True:
            try:
                lock.acquire()
                break
            except Timeout:
                self._step = "wait"
                time.sleep(_POLL_SECONDS)
        try:
            yield
            shutil.rmtree(self._staging, ignore_errors=True)
            path.unlink(missing_ok=True)
        finally:
            lock.release()
            with contextlib.suppress(OSError):  # it is not empty
                self._pull.rmdir()

    def _is_there(self, file: RemoteFile) -> bool:
        """Return whether a file is in place already, by its checksum.

        Raises:
            HubError: another file of that name is in the way.
        """
        path = self._folder / file.name
        if not os.path.lexists(path):
            return False
        if path.is_file() and path.stat().st_size == file.size and self._has_digest(path, file):
            return True
        raise HubError(
            f"{path} is there already and is another file than the hub's. Remove it first: "
            f"comparator remove {path.stem if is_gguf_name(path.name) else self._folder.name}"
        )

    def _fetch(self, files: list[RemoteFile]) -> None:
        self._refuse_too_large(files)
        for file in files:
            if _size(self._whole(file)) == file.size and self._whole(file).exists():
                self._count(files, file)
                continue
            self._count(files, file, self._partial(file))
            self._step = "download"
            self._receive(file)
            self._part = None
            self._verify(file)

    def _count(self, files: list[RemoteFile], now: RemoteFile, part: Path | None = None) -> None:
        before = files[: files.index(now)] if part else files[: files.index(now) + 1]
        self._part = None
        self._done = sum(file.size for file in before)
        self._total = sum(file.size for file in files)
        self._part = part

    def _receive(self, file: RemoteFile) -> None:
        """Bring a file's bytes, from where they ended; a try that brought some is not counted."""
        part, failures = self._partial(file), 0
        while True:
            before = _size(part)
            try:
                _request(self._plan, file, part)
                return
            except trouble.TROUBLE as error:
                failures = 0 if _size(part) > before else failures + 1
                if failures >= _TRIES or (failures and not _is_passing(error)):
                    raise
                time.sleep(_PAUSE_SECONDS)

    def _verify(self, file: RemoteFile) -> None:
        part = self._partial(file)
        if not self._has_digest(part, file):
            part.unlink()
            raise HubError(
                f"{file.name} of {self._plan.repository} came with a wrong checksum and was "
                "deleted. The connection or a proxy has damaged it; fetch it again."
            )
        with open(part, "rb+") as stream:
            os.fsync(stream.fileno())
        os.replace(part, self._whole(file))

    def _has_digest(self, path: Path, file: RemoteFile) -> bool:
        self._part, self._step, self._done, self._total = None, "check", 0, file.size
        digest = _hasher(file)
        with open(path, "rb") as stream:
            while piece := stream.read(_PIECE_BYTES):
                digest.update(piece)
                self._done += len(piece)
        return bool(digest.hexdigest() == file.digest)

    def _place(self, file: RemoteFile) -> None:
        whole, target = self._whole(file), self._folder / file.name
        if target.exists():
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        twins = [other for other in self._plan.files if other.digest == file.digest]
        if file is twins[-1] or len(twins) == 1:
            os.replace(whole, target)
        else:
            shutil.copyfile(whole, target)

    def _refuse_too_large(self, files: list[RemoteFile]) -> None:
        for file in files:
            if file.size > constants.MAX_HTTP_DOWNLOAD_SIZE:
                raise HubError(
                    f"{file.name} has {fine_size(file.size)}; the hub sends at most "
                    f"{fine_size(constants.MAX_HTTP_DOWNLOAD_SIZE)} a file over HTTP. Choose a "
                    "smaller quantisation, or one in several files."
                )
        here = sum(max(_size(self._partial(file)), _size(self._whole(file))) for file in files)
        needed = sum(file.size for file in files) - here
        free = free_bytes(self._staging)
        if needed > free:
            raise HubError(
                f"{self._plan.repository} needs {fine_size(needed)}; {fine_size(free)} are free at "
                f"{self._home}. Free some space, choose a smaller quantisation, or another "
                "folder with --models-dir."
            )

    def _partial(self, file: RemoteFile) -> Path:
        return self._staging / f"{file.digest}.part"

    def _whole(self, file: RemoteFile) -> Path:
        return self._staging / file.digest


def run(plan: FetchPlan, tell: Callable[[TransferReport], None]) -> None:
    """Carry out a plan and tell how far it is five times a second, the outcome last."""
    transfer, over = Transfer(plan), threading.Event()

    def watch() -> None:
        while not over.wait(_POLL_SECONDS):
            tell(transfer.report())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        last = TransferReport("done", path=str(transfer.run()))
    except MultiLLMError as error:
        last = TransferReport("failed", message=str(error))
    over.set()
    watcher.join()
    tell(last)


class _Bounded(io.BufferedWriter):
    """A file that is continued, and takes no more bytes than the hub announced."""

    def __init__(self, path: Path, most: int) -> None:
        super().__init__(io.FileIO(path, "ab"))
        self._most = most

    def write(self, data: Any, /) -> int:
        """Write.

        Raises:
            HubError: it would become too long, so that a false hub cannot fill the disk.
        """
        if self.tell() + len(data) > self._most:
            raise HubError(
                f"More bytes came than the {self._most} that {trouble.hub_name()} had announced; "
                "the download was stopped. Is HF_ENDPOINT right, and is no proxy in between?"
            )
        return super().write(data)


def _request(plan: FetchPlan, file: RemoteFile, part: Path) -> None:
    if _size(part) > file.size:
        part.unlink()
    url = hf_hub_url(plan.repository, file.name, revision=plan.commit)
    metadata = get_hf_file_metadata(url, timeout=_METADATA_SECONDS)
    # A large file comes from another host, which must not see the token.
    headers = adapter.headers(with_token=_is_a_hub(metadata.location))
    headers["Accept-Encoding"] = "identity"  # ranges count the bytes of the file itself
    with _Bounded(part, file.size) as stream:
        adapter.receive(metadata.location, stream, headers, file.size, file.name)


def _is_a_hub(address: str) -> bool:
    hubs = (constants.ENDPOINT, "https://huggingface.co")
    return urlsplit(address)[:2] in [urlsplit(hub)[:2] for hub in hubs]


def _is_passing(error: Exception) -> bool:
    """Whether trying again helps: a broken connection, not an answer and not a full disk."""
    if isinstance(error, HfHubHTTPError):
        return False
    return getattr(error, "errno", None) is None


def _hasher(file: RemoteFile) -> Any:
    """Return sha256 for a large file; for a small one git's sha1, which counts a header."""
    if len(file.digest) == 64:
        return hashlib.sha256()
    return hashlib.sha1(b"blob %d\0" % file.size, usedforsecurity=False)


def _size(path: Path | None) -> int:
    try:
        return path.stat().st_size if path else 0
    except OSError:
        return 0


def _clear_old(pull: Path) -> None:
    """Clear what nobody went on with."""
    for path in pull.iterdir():
        with contextlib.suppress(OSError):
            newest = max(one.stat().st_mtime for one in (path, *path.glob("*")))
            if time.time() - newest <= _KEPT_SECONDS:
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
