"""No way leads out of a model's process or of a job's: each is taken inside, and outside.

The control, the same ways without a sandbox, shows that each one leads out; what this user or
this kernel does not give to anybody is printed. docs/sandbox.md is the table.
"""

from __future__ import annotations

import contextlib
import ctypes
import dataclasses
import json
import os
import re
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from comparator.core.config import ModelConfig
from comparator.library.changes import child_jobs, starter
from comparator.services.inference_engine import InferenceEngine
from runners import protocol, registry
from runners.supervision.fork_server import fork_servers

if not sys.platform.startswith("linux"):
    pytest.skip("the sandbox is Linux's", allow_module_level=True)

import ways_out

REPOSITORY = Path(__file__).resolve().parents[2]
KEY = 0x00C0FFEE
MARK = "\nWAYS OUT: "
SIBLING = """
import ctypes, time
held = ctypes.create_string_buffer(b"held")
print(ctypes.addressof(held), flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def targets(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """What the ways aim at: listeners, a sibling, shared memory, and files of this user."""
    folder = tmp_path_factory.mktemp("outside")
    for name in ("secret", "spare", "model"):
        (folder / name).write_text("password")
    (folder / "model").chmod(0o600)
    with contextlib.ExitStack() as made:
        found: dict[str, Any] = {
            "parent": os.getpid(), "folder": str(folder), "key": KEY, "queue": "ways-out",
            "secret": str(folder / "secret"), "spare": str(folder / "spare"),
            "model": str(folder / "model"), "shm_name": f"ways-out-{os.getpid()}",
            "abstract": f"ways-out-{os.getpid()}", "unix_path": str(folder / "listener"),
            "datagram_path": str(folder / "datagrams"),
        }  # fmt: skip
        _listen(made, found)
        _share(made, found)
        sibling = subprocess.Popen(
            [sys.executable, "-c", SIBLING], stdout=subprocess.PIPE, start_new_session=True
        )
        made.callback(_end, sibling)
        assert sibling.stdout is not None
        found |= {"sibling": sibling.pid, "sibling_bytes": int(sibling.stdout.readline())}
        yield found


def _listen(made: contextlib.ExitStack, found: dict[str, Any]) -> None:
    for kind, address in (
        (socket.SOCK_STREAM, found["unix_path"]),
        (socket.SOCK_STREAM, "\0" + found["abstract"]),
        (socket.SOCK_DGRAM, found["datagram_path"]),
    ):
        listener = made.enter_context(socket.socket(socket.AF_UNIX, kind))
        listener.bind(address)
        if kind == socket.SOCK_STREAM:
            listener.listen()
    found["tcp_port"] = made.enter_context(socket.create_server(("127.0.0.1", 0))).getsockname()[1]
    datagrams = made.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    datagrams.bind(("127.0.0.1", 0))
    found["udp_port"] = datagrams.getsockname()[1]


def _share(made: contextlib.ExitStack, found: dict[str, Any]) -> None:
    """Make shared memory, semaphores and queues, as far as this kernel has them."""
    memory = Path("/dev/shm") / found["shm_name"]
    memory.write_bytes(b"shared")
    made.callback(memory.unlink)
    libc = ctypes.CDLL(None, use_errno=True)
    create = 0o1600
    for make, remove in (
        (lambda: libc.shmget(KEY, 4096, create), lambda one: libc.shmctl(one, 0, None)),
        (lambda: libc.semget(KEY, 1, create), lambda one: libc.semctl(one, 0, 0)),
        (lambda: libc.msgget(KEY, create), lambda one: libc.msgctl(one, 0, None)),
    ):
        one = make()
        if one >= 0:
            made.callback(remove, one)
    with contextlib.suppress(OSError):
        queue = found["queue"].encode()
        os.close(ways_out.call("mq_open", queue, os.O_CREAT | os.O_RDWR, 0o600, None))
        made.callback(libc.syscall, (241, 181)[ways_out.COLUMN], queue)  # mq_unlink


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()
    assert process.stdout is not None
    process.stdout.close()


@pytest.fixture(scope="module")
def planted(
    targets: dict[str, Any], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Any]]:
    """Fork servers whose engines and jobs try to get out."""
    place = tmp_path_factory.mktemp("planted")
    (place / "planted_targets.py").write_text(f"TARGETS = {targets!r}\n")
    fork_servers.close()
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(place))
        for kind in ("gguf", "pytorch"):
            one = registry.ENGINES[kind]
            warm = (*one.warm_modules, "ways_out_planted")
            patch.setitem(registry.ENGINES, kind, dataclasses.replace(one, warm_modules=warm))
            patch.setitem(registry.JOB_ENGINES, f"ways_out_{kind}", kind)
        yield targets
    fork_servers.close()


def _check(found: dict[str, Any]) -> None:
    others = {name: said for name, said in found["ways"].items() if said != "refused"}
    assert others == {}
    assert set(found["ways"]) == set(ways_out.WAYS)
    leads = sorted(re.sub(r"\d+", "N", place) for place in found["descriptors"].values())
    # the null device, what it prints twice, and the wire
    assert leads == ["/dev/null", *["socket:[N]"] * 3]


def _skip_without(sandbox: str) -> None:
    if not sandbox.startswith("on"):
        pytest.skip(f"this kernel gives no full sandbox: {sandbox}")


def test_every_way_leads_out_of_a_process_without_a_sandbox(targets: dict[str, Any]) -> None:
    """The control: without it, a way that never works would count as closed."""
    server = fork_servers.of("echo")
    server.ensure_running()
    aims = {**targets, "server": server.pid}
    done = subprocess.run(
        [sys.executable, str(Path(ways_out.__file__)), json.dumps(aims)],
        capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    found = json.loads(done.stdout)
    closed = {name: said for name, said in found.items() if said != "out"}
    excused = {name for name in closed if ways_out.WAYS[name].needs}
    for name in sorted(excused):
        needs = ways_out.WAYS[name].needs
        print(f"not tried: {name} needs {needs} ({closed[name]})")
    assert {name: said for name, said in closed.items() if name not in excused} == {}
    assert len(found) - len(closed) >= 60


@pytest.mark.parametrize("kind", ["gguf", "pytorch"])
def test_no_way_leads_out_of_an_engine_with_its_model_loaded(
    planted: dict[str, Any], starter_models_dir: Path, kind: str
) -> None:
    models = starter.install(starter_models_dir, lambda progress: None)
    model = next(one for one in models if one.model_type.value == kind)
    config = {model.id: ModelConfig(max_tokens=3, use_gpu=False, n_threads=2)}
    *_, results = InferenceEngine().run_inference("Hello", [model], config)
    (result,) = results.values()
    assert result.error is None
    _skip_without(result.engine["sandbox"])
    answer, told = result.content.split(MARK.strip("\n"))
    assert answer.strip(), "the model has answered"
    found, _end_of_answer = json.JSONDecoder().raw_decode(told)  # what was held back follows it
    _check(found)


@pytest.mark.parametrize("kind", ["gguf", "pytorch"])
def test_no_way_leads_out_of_a_job_which_writes_to_its_target_alone(
    planted: dict[str, Any], tmp_path: Path, kind: str
) -> None:
    pytest.importorskip("llama_cpp" if kind == "gguf" else "torch")
    target = tmp_path / "made"
    arguments = {"target": str(target)}
    source = Path(planted["model"])
    work = child_jobs.assignment(f"ways_out_{kind}", [source], arguments, tmp_path)
    hello, *_, last = child_jobs.messages(work)
    assert isinstance(hello, protocol.Hello)
    _skip_without(hello.sandbox)
    found = json.loads(child_jobs.finished(last, "It").text)
    assert target.read_text() == "made"
    _check(found)


def test_the_document_names_every_way() -> None:
    page = (REPOSITORY / "docs" / "sandbox.md").read_text("utf-8")
    told = textwrap.dedent(page)
    assert [name for name in ways_out.WAYS if f"| {name} |" not in told] == []
