"""A hub on this machine: an HTTP server that speaks the API as ``huggingface_hub`` uses it.

    with LocalHub() as hub:
        hub.add("org/name", {"model.gguf": data})
        hub.fail("resolve", Fault(cut_after=1_000_000), times=2)
        environment = hub.environment()

Large files (``lfs_from`` bytes and more) are redirected to a second address, as to the real hub's
storage, which refuses whoever sends a token there.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

LFS_FROM_BYTES = 100_000
_PIECE_BYTES = 64 * 1024
TOKEN = "hf_of_the_local_hub"

Content = bytes | Path


@dataclass
class Fault:
    """What goes wrong instead of, or during, an answer.

    Attributes:
        status: the HTTP status to answer with; 0 to answer as usual.
        code: the hub's ``X-Error-Code``, such as ``GatedRepo``.
        message: the hub's ``X-Error-Message``.
        retry_after: seconds in the header of that name.
        cut_after: close the connection after so many bytes of the body.
        damage: turn the first byte of the body round.
        stall_seconds: wait before the body.
    """

    status: int = 0
    code: str = ""
    message: str = ""
    retry_after: int | None = None
    cut_after: int | None = None
    damage: bool = False
    stall_seconds: float = 0.0


@dataclass
class StoredFile:
    """A file of a repository."""

    content: Content
    size: int
    sha256: str
    git_sha1: str

    @property
    def is_large(self) -> bool:
        """Whether it is kept apart (Git LFS)."""
        return self.size >= LFS_FROM_BYTES

    @property
    def etag(self) -> str:
        """What the hub gives as ETag: the sha256 of large files, git's sha1 of small ones."""
        return self.sha256 if self.is_large else self.git_sha1

    def read(self, start: int, size: int) -> bytes:
        """Return a part of it."""
        if isinstance(self.content, bytes):
            return self.content[start : start + size]
        with open(self.content, "rb") as stream:
            stream.seek(start)
            return stream.read(size)


@dataclass
class StoredRepository:
    """A repository at its newest commit."""

    id: str
    files: dict[str, StoredFile]
    tags: list[str] = field(default_factory=list)
    downloads: int = 0
    gated: bool = False
    private: bool = False
    parameters: int | None = None

    @property
    def commit(self) -> str:
        """40 hexadecimal digits that change with the files."""
        parts = [f"{name}:{file.sha256}" for name, file in sorted(self.files.items())]
        return hashlib.sha1("\n".join([self.id, *parts]).encode()).hexdigest()


@dataclass
class Request:
    """A request that came in."""

    method: str
    path: str
    headers: dict[str, str]


class LocalHub:
    """The server; ``requests`` is what it was asked, in order."""

    def __init__(self) -> None:
        self.repositories: dict[str, StoredRepository] = {}
        self.requests: list[Request] = []
        self.bytes_per_second: float | None = None
        self._faults: dict[str, list[Fault]] = {}
        self._lock = threading.Lock()
        self._servers = [_Server(self, is_storage=False), _Server(self, is_storage=True)]
        self._threads = [
            threading.Thread(target=server.serve_forever, args=(0.05,)) for server in self._servers
        ]

    def __enter__(self) -> LocalHub:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        for server in self._servers:
            server.shutdown()
            server.server_close()
        for thread in self._threads:
            thread.join(10)

    @property
    def endpoint(self) -> str:
        """What ``HF_ENDPOINT`` has to be."""
        return f"http://127.0.0.1:{self._servers[0].server_port}"

    @property
    def storage(self) -> str:
        """Where large files are."""
        return f"http://localhost:{self._servers[1].server_port}"

    def environment(self) -> dict[str, str]:
        """Return what a process needs to talk to this hub and to no other."""
        return {
            "HF_ENDPOINT": self.endpoint,
            "HF_TOKEN_PATH": os.devnull,  # the developer's own login is of another hub
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "NO_PROXY": "*",
        }

    def add(self, name: str, files: dict[str, Content], **properties: Any) -> StoredRepository:
        """Add a repository, or replace one."""
        stored = {file: _stored(content) for file, content in files.items()}
        self.repositories[name] = StoredRepository(name, stored, **properties)
        return self.repositories[name]

    def fail(self, kind: str, fault: Fault, times: int = 1) -> None:
        """Let the next answers of a kind fail: ``search``, ``info``, ``resolve``, ``storage``."""
        with self._lock:
            self._faults.setdefault(kind, []).extend([fault] * times)

    def next_fault(self, kind: str) -> Fault:
        """Return the fault of this answer, which is used up by it."""
        with self._lock:
            waiting = self._faults.get(kind)
            return waiting.pop(0) if waiting else Fault()

    def asked(self, method: str, part: str) -> list[Request]:
        """Return the requests of a method whose path has that part."""
        return [r for r in self.requests if r.method == method and part in r.path]


def _stored(content: Content) -> StoredFile:
    data = content if isinstance(content, bytes) else content.read_bytes()
    git = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
    return StoredFile(content, len(data), hashlib.sha256(data).hexdigest(), git)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, hub: LocalHub, is_storage: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Storage if is_storage else _Hub)
        self.hub = hub

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep silent about clients that were killed."""


class _Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    @property
    def hub(self) -> LocalHub:
        return self.server.hub

    def log_message(self, format: str, *arguments: Any) -> None:
        """Write nothing."""

    def _begin(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.hub.requests.append(Request(self.command, self.path, headers))

    def send_json(self, value: Any, headers: dict[str, str] | None = None) -> None:
        body = json.dumps(value).encode()
        self._send_head(200, {"Content-Type": "application/json", **(headers or {})}, len(body))
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_error_of_hub(
        self, status: int, code: str = "", message: str = "", retry_after: int | None = None
    ) -> None:
        headers = {"X-Error-Code": code, "X-Error-Message": message}
        if retry_after is not None:
            headers["Retry-After"] = str(retry_after)
        self._send_head(status, {k: v for k, v in headers.items() if v}, 0)

    def _send_head(self, status: int, headers: dict[str, str], size: int) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(size))
        self.end_headers()

    def fails(self, fault: Fault) -> bool:
        if fault.status:
            self.send_error_of_hub(fault.status, fault.code, fault.message, fault.retry_after)
        return bool(fault.status)

    def send_file(self, file: StoredFile, headers: dict[str, str], fault: Fault) -> None:
        start, end, status = self._range(file.size)
        if status == 416:
            self.send_error_of_hub(416)
            return
        headers = {"ETag": f'"{file.etag}"', "Accept-Ranges": "bytes", **headers}
        if status == 206:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{file.size}"
        self._send_head(status, headers, end - start)
        if self.command != "HEAD":
            self._send_body(file, start, end, fault)

    def _range(self, size: int) -> tuple[int, int, int]:
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if match is None:
            return 0, size, 200
        start = int(match[1])
        end = int(match[2]) + 1 if match[2] else size
        return (start, min(end, size), 206) if start < size else (0, 0, 416)

    def _send_body(self, file: StoredFile, start: int, end: int, fault: Fault) -> None:
        time.sleep(fault.stall_seconds)
        stop = end if fault.cut_after is None else min(end, start + fault.cut_after)
        began, at = time.monotonic(), start
        while at < stop:
            piece = file.read(at, min(_PIECE_BYTES, stop - at))
            if fault.damage and at == start:
                piece = bytes([piece[0] ^ 255]) + piece[1:]
            self.wfile.write(piece)
            at += len(piece)
            if self.hub.bytes_per_second:
                due = began + (at - start) / self.hub.bytes_per_second
                time.sleep(max(0.0, due - time.monotonic()))
        if stop < end:
            self.close_connection = True


class _Hub(_Answering):
    """The API and the small files."""

    def do_GET(self) -> None:
        self._begin()
        address = urlsplit(self.path)
        path, query = unquote(address.path), parse_qs(address.query)
        for pattern, answer in self._routes():
            match = re.fullmatch(pattern, path)
            if match:
                answer(match, query)
                return
        self.send_error_of_hub(404)

    do_HEAD = do_GET

    def _routes(self) -> list[tuple[str, Callable[[re.Match[str], Any], None]]]:
        repository = r"(?P<name>[^/]+(?:/[^/]+)?)"
        return [
            (r"/api/models", self._search),
            (rf"/api/models/{repository}/tree/(?P<revision>[^/]+)/?.*", self._tree),
            (rf"/api/models/{repository}/revision/(?P<revision>[^/]+)", self._info),
            (rf"/api/models/{repository}", self._info),
            (rf"/{repository}/resolve/(?P<revision>[^/]+)/(?P<file>.+)", self._resolve),
        ]

    def _search(self, _match: re.Match[str], query: dict[str, list[str]]) -> None:
        if self.fails(self.hub.next_fault("search")):
            return
        text = query.get("search", [""])[0].casefold()
        tags = {tag for several in query.get("filter", []) for tag in several.split(",")}
        tags |= set(query.get("pipeline_tag", []))
        found = [
            _summary(repository)
            for repository in sorted(self.hub.repositories.values(), key=lambda r: -r.downloads)
            if text in repository.id.casefold()
            and tags <= set(repository.tags)
            and not repository.private
        ]
        start, size = int(query.get("cursor", ["0"])[0]), int(query.get("limit", ["1000"])[0])
        size = min(size, 10)  # small pages, so that the next one is asked for
        headers = {}
        if start + size < len(found):
            rest = re.sub(r"[?&]cursor=\d+", "", self.path)
            headers["Link"] = f'<{self.hub.endpoint}{rest}&cursor={start + size}>; rel="next"'
        self.send_json(found[start : start + size], headers)

    def _repository(self, match: re.Match[str], kind: str) -> StoredRepository | None:
        """Return the repository of a request, or answer why not."""
        if self.fails(self.hub.next_fault(kind)):
            return None
        sent = self.headers.get("Authorization", "")
        if sent and sent != f"Bearer {TOKEN}":
            self.send_error_of_hub(401, "", "Invalid credentials in Authorization header")
            return None
        repository = self.hub.repositories.get(match["name"])
        if repository is None or (repository.private and not sent):
            self.send_error_of_hub(404 if sent else 401, "RepoNotFound", "Repository not found")
            return None
        revision = match.groupdict().get("revision") or "main"
        if revision not in ("main", repository.commit):
            self.send_error_of_hub(404, "RevisionNotFound", "Invalid rev id")
            return None
        return repository

    def _info(self, match: re.Match[str], query: dict[str, list[str]]) -> None:
        repository = self._repository(match, "info")
        if repository is None:
            return
        blobs = "blobs" in query
        siblings = [
            {"rfilename": name, **(_blob(file) if blobs else {})}
            for name, file in repository.files.items()
        ]
        self.send_json({**_summary(repository), "siblings": siblings})

    def _tree(self, match: re.Match[str], _query: Any) -> None:
        repository = self._repository(match, "tree")
        if repository is not None:
            entries = [
                {"type": "file", "path": name, "oid": file.git_sha1, **_blob(file)}
                for name, file in repository.files.items()
            ]
            self.send_json(entries)

    def _resolve(self, match: re.Match[str], _query: Any) -> None:
        repository = self._repository(match, "head" if self.command == "HEAD" else "resolve")
        if repository is None:
            return
        if repository.gated and not self.headers.get("Authorization"):
            self.send_error_of_hub(401, "GatedRepo", "Access to this model is restricted")
            return
        file = repository.files.get(match["file"])
        if file is None:
            self.send_error_of_hub(404, "EntryNotFound", "Entry not found")
            return
        headers = {"X-Repo-Commit": repository.commit}
        if file.is_large:
            headers |= {
                "X-Linked-Etag": f'"{file.etag}"',
                "X-Linked-Size": str(file.size),
                "Location": f"{self.hub.storage}/{quote(repository.id)}/{quote(match['file'])}",
            }
            self._send_head(302, headers, 0)
        else:
            self.send_file(file, headers, Fault())


class _Storage(_Answering):
    """Where large files come from."""

    def do_GET(self) -> None:
        self._begin()
        if self.headers.get("Authorization"):
            self.send_error_of_hub(400, "", "A token has no business here")
            return
        fault = self.hub.next_fault("storage")
        path = unquote(urlsplit(self.path).path).lstrip("/")
        for repository in self.hub.repositories.values():
            file = repository.files.get(path.removeprefix(f"{repository.id}/"))
            if file is not None and path.startswith(f"{repository.id}/"):
                if not self.fails(fault):
                    self.send_file(file, {}, fault)
                return
        self.send_error_of_hub(404)

    do_HEAD = do_GET


def _summary(repository: StoredRepository) -> dict[str, Any]:
    parts: dict[str, Any] = {
        "id": repository.id,
        "modelId": repository.id,
        "sha": repository.commit,
        "private": repository.private,
        "gated": "auto" if repository.gated else False,
        "downloads": repository.downloads,
        "likes": 3,
        "tags": repository.tags,
    }
    if repository.parameters and "gguf" in repository.tags:
        parts["gguf"] = {"total": repository.parameters, "architecture": "llama"}
    elif repository.parameters:
        parts["safetensors"] = {
            "parameters": {"BF16": repository.parameters},
            "total": repository.parameters,
        }
    return parts


def _blob(file: StoredFile) -> dict[str, Any]:
    blob: dict[str, Any] = {"blobId": file.git_sha1, "size": file.size}
    if file.is_large:
        blob["lfs"] = {"sha256": file.sha256, "size": file.size, "pointerSize": 134}
    return blob
