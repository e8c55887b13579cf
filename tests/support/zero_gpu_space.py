"""A program that stands in for a ZeroGPU Space: ``python zero_gpu_space.py MODEL [HOW]``.

The package ``spaces`` is the real one, with its scheduler's client, its forked workers and its
queues. There is no GPU: the scheduler is a server of this program, and what ``spaces`` does to
torch's CUDA in the worker is left out. Prints one JSON object.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import threading
import time
import types
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

asked: list[dict[str, str]] = []


class Scheduler(BaseHTTPRequestHandler):
    """Grants a GPU to everybody, or says that the quota is used up."""

    over_quota = False

    def log_message(self, *_args: Any) -> None:
        pass

    def do_POST(self) -> None:
        place = urlsplit(self.path)
        asked.append({"to": place.path, **{k: v[0] for k, v in parse_qs(place.query).items()}})
        grant = {"idle": True, "nvidiaIndex": 0, "nvidiaUUID": "GPU-0", "allowToken": "t"}
        refused = place.path == "/schedule" and self.over_quota
        data = json.dumps({"left": 3, "wait": 600} if refused else grant).encode()
        self.send_response(429 if refused else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def begin() -> None:
    """Set what a ZeroGPU Space sets, before anything imports ``spaces``."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Scheduler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    os.environ.update(
        SPACES_ZERO_GPU="true",
        SPACES_ZERO_DEVICE_API_URL=f"http://127.0.0.1:{server.server_address[1]}",
        HOME=tempfile.mkdtemp(),
        ZEROGPU_PROC_SELF_CGROUP_PATH=os.path.join(tempfile.mkdtemp(), "cgroup"),
    )
    with open(os.environ["ZEROGPU_PROC_SELF_CGROUP_PATH"], "w") as file:
        file.write("8:devices:/space\n0::/space\n")


def leave_cuda_out() -> None:
    """Stand in for the part of ``spaces`` that patches torch, which asks for a CUDA build."""
    part = types.ModuleType("spaces.zero.torch")
    for name in ("enter_mode", "patch", "unpatch", "init", "move"):
        setattr(part, name, lambda *_args, **_named: None)
    for name, value in (("pack", 0), ("size", 0), ("is_in_bad_fork", False)):
        setattr(part, name, lambda value=value: value)
    sys.modules["spaces.zero.torch"] = part


def main(path: str, how: str = "") -> None:
    """Compare a model with itself, one run after another, and print what was seen."""
    begin()
    leave_cuda_out()
    import psutil

    from comparator import InferenceEngine, ModelConfig, ModelManager
    from comparator.comparison import warm_up
    from comparator.comparison.comparison import Comparison

    manager = ModelManager(os.path.dirname(path))
    model = next(m for m in manager.scan_models() if m.path == path)
    warm_up.begin([model])
    Scheduler.over_quota = how == "quota"
    engine = InferenceEngine()
    config = ModelConfig(max_tokens=2000 if how in ("stop", "kill") else 6, seed=1, n_threads=1)
    results, pids = [], []
    for _ in range(1 if how else 2):
        comparison: Comparison = engine.compare(
            engine.request("Hello", [model], {model.id: config})
        )
        while not comparison.is_complete:
            comparison.take_one(0.05)
            pids += [pid for pid in comparison.pids() if pid not in pids]
            written = comparison.result(0).stats.token_count
            if how == "stop" and written > 2:
                comparison.stop()
            if how == "kill" and written > 2 and pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pids[-1], 9)
        comparison.wait_until_ended()
        comparison.drain()
        results.append(comparison.result(0).to_record())
        engine.finish(comparison)
    engine.cleanup_resources()
    time.sleep(0.3)
    left = [p.pid for p in psutil.Process().children(recursive=True)]
    seen = {"results": results, "pids": pids, "asked": asked, "left": left, "own": os.getpid()}
    sys.stdout.write("\nSEEN " + json.dumps(seen) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
