"""Our page as its visitors have it: served by a program of its own, asked over HTTP.

``ServedPage.round`` uses the public endpoint ``/compare``, whose records hold exact figures;
``ServedPage.board`` presses Run as the browser does and reads what is sent to its board.
Both are the protocol of Gradio 6: ``/gradio_api/call`` and ``/gradio_api/queue``.
"""

from __future__ import annotations

import json
import re
import secrets
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .programs import ROUND_SECONDS, PeerError, Round, WebProgram, own_command

CONFIG = {"do_sample": False, "repeat_penalty": 1.0}
_REFUSED = re.compile(rb'"refused": ?("(?:[^"\\]|\\.)+")')  # in a view of the board


class Update(NamedTuple):
    """A line of the board's stream and when it came (``time.monotonic``)."""

    at: float
    line: bytes


class ServedPage(WebProgram):
    """``comparator serve`` over one models folder."""

    def __init__(
        self, models_dir: Path, environment: Mapping[str, str], options: Sequence[str] = ()
    ) -> None:
        self._models_dir = models_dir
        command = [*own_command(), "serve", "--models-dir", str(models_dir), *options]
        super().__init__([*command, "--server-port"], environment)

    def round(self, models: Sequence[Path], prompt: str, tokens: int) -> Round:
        """Run one comparison through ``/compare`` and return wall and the models' figures.

        Raises:
            PeerError: a model failed, with its sentence.
        """
        ids = self._ids(models)
        began = time.perf_counter()
        first: float | None = None
        records: list[Any] = []
        for records in self._call("compare", prompt, ids, "", {**CONFIG, "max_tokens": tokens}):
            if first is None and any(record["content"] for record in records):
                first = time.perf_counter()
        seconds = time.perf_counter() - began
        return {
            "seconds": seconds,
            "first_text_seconds": (first or time.perf_counter()) - began,
            "models": [_figures(record) for record in records],
        }

    def board(self, values: Mapping[str, Any]) -> Iterator[Update]:
        """Open the page, press Run with these values of fields (by ``elem_id``), yield lines.

        Raises:
            PeerError: the page refused, with its words.
        """
        config = _json(f"{self.url}config")
        events = {event["api_name"]: event for event in config["dependencies"]}
        fields = {component["id"]: component["props"] for component in config["components"]}
        session = secrets.token_hex(8)
        load, run = events["page_load"], events["page_run"]
        nothing = [None] * len(load["inputs"])  # what a browser remembers of the form
        self._post("run/predict", load["id"], nothing, session)  # fills the lists of models
        data = [
            values.get(fields[number].get("elem_id"), fields[number].get("value"))
            for number in run["inputs"]
        ]
        self._post("queue/join", run["id"], data, session)
        address = f"{self.url}gradio_api/queue/data?session_hash={session}"
        with urllib.request.urlopen(address, timeout=ROUND_SECONDS) as stream:
            for line in stream:
                if line.startswith(b"data:"):
                    _check_taken(line)
                    yield Update(time.monotonic(), line)
                if b'"process_completed"' in line[:200]:
                    _check_success(line)
                    return

    def _post(self, place: str, number: int, data: list[Any], session: str) -> Any:
        body = {"data": data, "fn_index": number, "session_hash": session}
        return _json(f"{self.url}gradio_api/{place}", body)

    def model_ids(self) -> dict[str, str]:
        """Return the id of each model that can be asked, by its file within the folder."""
        (*_, models) = self._call("models")
        return {model["file"]: model["id"] for model in models if not model["problem"]}

    def _ids(self, models: Sequence[Path]) -> list[str]:
        known = self.model_ids()
        places = [path.relative_to(self._models_dir).as_posix() for path in models]
        missing = [place for place in places if place not in known]
        if missing:
            raise PeerError(f"The page does not offer {', '.join(missing)}.")
        return [known[place] for place in places]

    def _call(self, name: str, *arguments: Any) -> Iterator[Any]:
        address = f"{self.url}gradio_api/call/{name}"
        event = _json(address, {"data": list(arguments)})["event_id"]
        kind = ""
        with urllib.request.urlopen(f"{address}/{event}", timeout=ROUND_SECONDS) as stream:
            for line in stream:
                if line.startswith(b"event: "):
                    kind = line[len(b"event: ") :].decode().strip()
                elif line.startswith(b"data: ") and kind == "error":
                    raise PeerError(f"The page refused: {line[len(b'data: ') :].decode().strip()}")
                elif line.startswith(b"data: ") and kind in ("generating", "complete"):
                    yield json.loads(line[len(b"data: ") :])[0]
                if kind == "complete" and line == b"\n":
                    return


def _figures(record: Mapping[str, Any]) -> dict[str, Any]:
    if record["error"]:
        raise PeerError(str(record["error"]))
    stats = record["stats"]
    return {
        "load_seconds": stats["load_seconds"],
        "first_token_seconds": stats["time_to_first_token"],
        "seconds": stats["duration"],
        "tokens": stats["token_count"],
        "prompt_tokens": stats["prompt_tokens"],
        "tokens_per_second": stats["tokens_per_second"] or 0.0,
        "device_bytes": stats["device_memory_usage"],
        "disturbed": stats["disturbed"],
    }


def _check_taken(line: bytes) -> None:
    """Raise what the page says in the place of answers, if it does."""
    if refused := _REFUSED.search(line):
        raise PeerError(f"The page refused: {json.loads(refused[1])}")


def _check_success(line: bytes) -> None:
    end = json.loads(line[len(b"data:") :])
    if not end["success"]:
        raise PeerError(f"The page refused: {end['output'].get('error')}")


def _json(address: str, body: Mapping[str, Any] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(address, data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=ROUND_SECONDS) as answer:
        return json.load(answer)
