"""A small server on this machine that speaks the part of the hub's API which makes Spaces."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

READY = ("BUILDING", "APP_STARTING", "RUNNING")
_SPACE = re.compile(r"^/api/spaces/([^/]+/[^/]+)/(\w+)(?:/([^?]*))?")


@dataclass
class Space:
    """What the hub holds of one Space."""

    owner: str
    private: bool = False
    files: dict[str, bytes] = field(default_factory=dict)
    commits: list[str] = field(default_factory=lambda: ["0" * 40])
    variables: dict[str, str] = field(default_factory=dict)
    hardware: str = "cpu-basic"
    stages: list[str] = field(default_factory=list)
    looked_at: int = 0


@dataclass
class SpaceHub:
    """The hub: who may log in by which token, its Spaces, and how the next builds go."""

    tokens: dict[str, str] = field(default_factory=lambda: {"hf_anna": "anna"})
    spaces: dict[str, Space] = field(default_factory=dict)
    build: tuple[str, ...] = READY
    build_error: str | None = None
    requests: list[str] = field(default_factory=list)
    address: str = ""


class Refused(Exception):
    """An answer with a status other than 200."""

    def __init__(self, status: int, words: str, path: str = "", **headers: str) -> None:
        super().__init__(words)
        self.status, self.words, self.path, self.headers = status, words, path, headers


class _Handler(BaseHTTPRequestHandler):
    hub: SpaceHub

    def log_message(self, *_args: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer()

    do_POST = do_PUT = do_GET

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.hub.requests.append(f"{self.command} {self.path.partition('?')[0]}")
        try:
            self._send(200, self._handle(body), {})
        except Refused as refused:
            told = {"error": refused.words, "url": self.hub.address + refused.path}
            self._send(refused.status, told, refused.headers)

    def _send(self, status: int, answer: Any, headers: dict[str, str]) -> None:
        data = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(data)

    def _handle(self, body: bytes) -> Any:
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        user = self.hub.tokens.get(token)
        if user is None:
            raise Refused(401, "Invalid username or password.")
        if self.path == "/api/validate-yaml":
            return {"errors": [], "warnings": []}
        if self.path == "/api/repos/create":
            return self._create(user, json.loads(body))
        match = _SPACE.match(self.path)
        if match is None:
            if self.path.startswith("/api/spaces/"):
                return self._facts(self.path.removeprefix("/api/spaces/").partition("?")[0])
            raise Refused(404, "Not found")
        name, what = match[1], match[2]
        if self.command != "GET" and self._space(name).owner != user:
            raise Refused(403, "You don't have the rights to write to this Space.")
        return getattr(self, f"_{what}")(name, body)

    def _space(self, name: str) -> Space:
        if name not in self.hub.spaces:
            raise Refused(404, "Repository not found", X_Error_Code="RepoNotFound")
        return self.hub.spaces[name]

    def _create(self, user: str, wanted: dict[str, Any]) -> Any:
        name = f"{wanted.get('organization') or user}/{wanted['name']}"
        assert (wanted["type"], wanted["sdk"]) == ("space", "gradio")
        if name.partition("/")[0] != user:
            raise Refused(403, f"You don't have the rights to create a Space under {name}.")
        if name in self.hub.spaces:
            raise Refused(409, "You already created this space repo.", f"/spaces/{name}")
        private = bool(wanted.get("private")) or wanted.get("visibility") == "private"
        self.hub.spaces[name] = Space(user, private)
        return {"url": f"{self.hub.address}/spaces/{name}"}

    def _facts(self, name: str) -> Any:
        space = self._space(name)
        return {
            "id": name,
            "sha": space.commits[-1],
            "private": space.private,
            "tags": [],
            "siblings": [{"rfilename": path} for path in space.files],
        }

    def _revision(self, name: str, _body: bytes) -> Any:
        return self._facts(name)

    def _settings(self, name: str, body: bytes) -> Any:
        wanted = json.loads(body)
        space = self._space(name)
        space.private = wanted.get("private", wanted.get("visibility") == "private")
        return {}

    def _tree(self, name: str, _body: bytes) -> Any:
        return [
            {"type": "file", "path": path, "size": len(data), "oid": git_hash(data)}
            for path, data in self._space(name).files.items()
        ]

    def _preupload(self, name: str, body: bytes) -> Any:
        held = self._space(name).files
        return {
            "files": [
                {
                    "path": file["path"],
                    "uploadMode": "regular",
                    "shouldIgnore": False,
                    "oid": git_hash(held[file["path"]]) if file["path"] in held else None,
                }
                for file in json.loads(body)["files"]
            ]
        }

    def _commit(self, name: str, body: bytes) -> Any:
        space = self._space(name)
        for line in body.decode().splitlines():
            entry = json.loads(line)
            value = entry["value"]
            if entry["key"] == "file":
                space.files[value["path"]] = base64.b64decode(value["content"])
            elif entry["key"] == "deletedFile":
                del space.files[value["path"]]
        space.commits.append(hashlib.sha1(body).hexdigest())
        space.stages, space.looked_at = list(self.hub.build), 0
        return {
            "success": True,
            "commitOid": space.commits[-1],
            "commitUrl": f"{self.hub.address}/spaces/{name}/commit/{space.commits[-1]}",
            "hookOutput": "",
        }

    def _variables(self, name: str, body: bytes) -> Any:
        entry = json.loads(body)
        variables = self._space(name).variables
        variables[entry["key"]] = entry["value"]
        return {key: {"value": value} for key, value in variables.items()}

    def _hardware(self, name: str, body: bytes) -> Any:
        wanted = json.loads(body)["flavor"]
        if wanted != "cpu-basic" and self._space(name).owner == "poor":
            raise Refused(402, "Payment required")
        self._space(name).hardware = wanted
        return self._told(name)

    def _runtime(self, name: str, _body: bytes) -> Any:
        told = self._told(name)
        self._space(name).looked_at += 1
        return told

    def _told(self, name: str) -> Any:
        space = self._space(name)
        stages = space.stages or ["NO_APP_FILE"]
        old = space.looked_at == 0 and len(space.commits) > 2  # the build before still runs
        return {
            "stage": "RUNNING" if old else stages[min(space.looked_at, len(stages) - 1)],
            "sha": space.commits[-2] if old else space.commits[-1],
            "hardware": {"current": space.hardware, "requested": space.hardware},
            "storage": None,
            "gcTimeout": None,
            "errorMessage": self.hub.build_error,
        }


def git_hash(data: bytes) -> str:
    """Return the name that git gives to a file of these bytes."""
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


@contextmanager
def running_space_hub() -> Iterator[SpaceHub]:
    """Serve a hub on a free port of this machine."""
    hub = SpaceHub()
    handler = type("Handler", (_Handler,), {"hub": hub})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        hub.address = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield hub
        finally:
            server.shutdown()
            thread.join()
