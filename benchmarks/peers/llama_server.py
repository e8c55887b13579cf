"""llama.cpp's own HTTP server, from the package ``xllamacpp``: one server a model, in turn.

The library is imported before the first round; loading counts until the server listens with the
model in memory. The answer is read as a client reads it, from the server's stream.
See ``lines.py`` for the lines.
"""

from __future__ import annotations

import gc
import json
import time
import urllib.request
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import lines
import psutil
import xllamacpp


def ask(path: str, prompt: str, tokens: int) -> lines.Figures:
    """Serve a GGUF file, stream one answer and end the server."""
    began = time.perf_counter()
    server = xllamacpp.Server(_parameters(path))
    loaded = time.perf_counter()
    first, written = None, 0
    for part in _parts(server.listening_address, prompt, tokens):
        if part["choices"] and part["choices"][0]["delta"].get("content"):
            first = first or time.perf_counter()
            written += 1
    ended = time.perf_counter()
    del server
    gc.collect()
    return lines.figures(began, loaded, first or ended, ended, written)


def _parameters(path: str) -> Any:
    parameters = xllamacpp.CommonParams()
    parameters.model.path = path
    parameters.n_ctx = 2048
    parameters.n_parallel = 1
    parameters.port = 0  # a free one
    parameters.ui = False
    cores = psutil.cpu_count(logical=False) or 1
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = cores
    return parameters


def _parts(address: str, prompt: str, tokens: int) -> Iterator[dict[str, Any]]:
    body = {
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": tokens,
        "temperature": 0,
        "repeat_penalty": 1.0,
        "stream": True,
    }
    request = urllib.request.Request(
        f"{address}/v1/chat/completions",
        json.dumps(body).encode(),
        {"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request) as answer:
        for line in answer:
            if line.startswith(b"data: {"):
                yield json.loads(line[len(b"data: ") :])


if __name__ == "__main__":
    lines.serve(lines.one_after_another(ask), {"xllamacpp": version("xllamacpp")})
