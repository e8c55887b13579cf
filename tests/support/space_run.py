"""The bundle in an environment of its own and in surroundings like a Space's.

As root, in a mount namespace: the checkout on a read-only mount at /home/user/app, a home that
nobody can write to, a small /tmp, and a user without rights. Where nothing may be mounted, the
same by permissions.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from comparator.hub.space_deploy import VARIABLES

REPOSITORY = Path(__file__).resolve().parents[2]
CPU_INDEX = "--extra-index-url https://download.pytorch.org/whl/cpu"
NOBODY = 65534
USUAL_PORT = 7860
TEMPORARY_BYTES = 600_000_000  # of /tmp, where it can be chosen
MOST_PAGE_BYTES = 64 * 1024  # to which a tmpfs is rounded up
INSTALL_SECONDS = 1200  # of a machine on which other things run
START_SECONDS = 600.0
END_SECONDS = 120.0
# What Hugging Face sets for a Space of Gradio's kind, by its documentation and its images.
HUGGING_FACE = {
    "ACCELERATOR": "none",
    "CPU_CORES": "2",
    "GRADIO_ALLOW_FLAGGING": "never",
    "GRADIO_NUM_PORTS": "1",
    "GRADIO_SERVER_NAME": "0.0.0.0",
    "GRADIO_SSR_MODE": "True",  # as it is until `deploy` sets it
    "GRADIO_THEME": "huggingface",
    "MEMORY": "16Gi",
    "PYTHONUNBUFFERED": "1",
    "SPACE_AUTHOR_NAME": "anna",
    "SPACE_HOST": "anna-comparator.hf.space",
    "SPACE_ID": "anna/comparator",
    "SPACE_REPO_NAME": "comparator",
    "SPACE_TITLE": "Multi-LLM comparator",
    "SYSTEM": "spaces",
    "TQDM_MININTERVAL": "1",
    "TQDM_POSITION": "-1",
}
MOUNTS = """set -e
bundle=$1 environment=$2 base=$3 size=$4 user=$5; shift 5
tmpfs() { mount -t tmpfs -o "size=$1,mode=$2" none "$3"; }
read_only() { mount --bind "$1" "$2"; mount -o remount,bind,ro "$2"; }
as_user() { setpriv "--reuid=$user" "--regid=$user" --clear-groups "$@"; }
tmpfs 1m 755 /mnt
mkdir /mnt/app /mnt/environment /mnt/base
mount --bind "$bundle" /mnt/app
mount --bind "$environment" /mnt/environment
mount --bind "$base" /mnt/base
tmpfs 1m 755 /home
mkdir -p /home/user/app /home/user/environment
read_only /mnt/app /home/user/app
read_only /mnt/environment /home/user/environment
tmpfs "$size" 1777 /tmp
# Python itself may lie below what is covered now, or where only root may look.
[ -d "$base" ] || { mkdir -p "$base"; read_only /mnt/base "$base"; }
as_user test -x "$base/bin" || {
    top=/$(echo "$base" | cut -d/ -f2)
    tmpfs 1m 755 "$top"; mkdir -p "$base"; read_only /mnt/base "$base"
}
mount -o remount,ro /home
cd /home/user/app
exec setpriv "--reuid=$user" "--regid=$user" --clear-groups "$@"
"""


@dataclass(frozen=True)
class Way:
    """How a program is put into a Space's surroundings.

    Attributes:
        name: ``mounts``, ``user`` (permissions, another user) or ``own`` (permissions alone).
        words: the same for a reader.
        prefix: the beginning of the command.
        options: of ``subprocess.Popen``.
        app: the checkout as the program sees it.
        python: the environment's Python as the program sees it.
        home: a home that cannot be written to.
        temporary: the temporary folder as the program sees it.
    """

    name: str
    words: str
    prefix: tuple[str, ...]
    options: dict[str, Any]
    app: str
    python: str
    home: str
    temporary: str

    def environment(self, **more: str) -> dict[str, str]:
        """Return a Space's variables, what ``deploy`` sets, and how pip finds its index here."""
        pip = {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
        paths = {
            "HOME": self.home,
            "LANG": "C.UTF-8",
            "PATH": f"{Path(self.python).parent}:/usr/local/bin:/usr/bin:/bin",
            "PYTHONPATH": self.app,
            **({} if self.temporary == "/tmp" else {"TMPDIR": self.temporary}),
        }
        return {**HUGGING_FACE, **VARIABLES, **paths, **pip, **more}

    def runs(self) -> bool:
        """Whether a Python with this way's rights starts here."""
        command = [*self.prefix, self.python, "-c", "import ssl, sqlite3"]
        try:
            options = {"env": self.environment(), **self.options}
            return subprocess.run(command, capture_output=True, **options).returncode == 0
        except OSError:
            return False


def chosen_way(work: Path) -> Way:
    """Return the way that is nearest to a Space and works here; fail where none does."""
    for way in _ways(work):
        if way.runs():
            if way.name == "own":
                _without_writing(work / "bundle")
            return way
    raise AssertionError("nobody but root may run this Python, and nothing can be mounted")


def _ways(work: Path) -> Iterator[Way]:
    bundle, environment, temporary = work / "bundle", work / "environment", work / "tmp"
    temporary.mkdir()
    home = work / "home"
    home.mkdir(0o555)
    here = (str(bundle), str(environment / "bin" / "python"), str(home), str(temporary))
    if os.name == "posix" and os.geteuid() == 0:
        arguments = (str(bundle), str(environment), sys.base_prefix, str(TEMPORARY_BYTES))
        prefix = ("unshare", "-m", "sh", "-c", MOUNTS, "sh", *arguments, str(NOBODY))
        words = "checkout and home on read-only mounts, a /tmp of 600 MB, user 65534"
        places = ("/home/user/app", "/home/user/environment/bin/python", "/home/user", "/tmp")
        yield Way("mounts", words, prefix, {}, *places)
        os.chown(temporary, NOBODY, NOBODY)
        options = {"cwd": bundle, "user": NOBODY, "group": NOBODY, "extra_groups": ()}
        yield Way("user", "files and home of another user's, user 65534", (), options, *here)
    else:
        yield Way("own", "files and home without write permission", (), {"cwd": bundle}, *here)


def _without_writing(folder: Path) -> None:
    for path in [folder, *folder.rglob("*")]:
        path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))


def removed(folder: Path) -> None:
    """Remove a folder, also what cannot be written to in it."""
    for path in [folder, *folder.glob("bundle"), *folder.glob("bundle/**/")]:
        path.chmod(path.stat().st_mode | stat.S_IWUSR)
    shutil.rmtree(folder)


def build_bundle(work: Path) -> Path:
    """Make the bundle by the command that a person types."""
    bundle = work / "bundle"
    command = [sys.executable, "-m", "comparator", "space", "build", str(bundle)]
    subprocess.run(command, check=True, capture_output=True, cwd=REPOSITORY)
    return bundle


def sdk_version(bundle: Path) -> str:
    """Return the version of Gradio that the card asks for."""
    found = re.search(r"^sdk_version: (\S+)$", (bundle / "README.md").read_text("utf-8"), re.M)
    assert found is not None
    return found[1]


def make_environment(work: Path, bundle: Path) -> dict[str, Any]:
    """Make an environment from the bundle's requirements alone; say how it went."""
    subprocess.run([sys.executable, "-m", "venv", work / "environment"], check=True)
    lines = (bundle / "requirements.txt").read_text("utf-8").splitlines()
    # pip would try an index that cannot be reached five times for each of a hundred packages.
    dropped = [line for line in lines if line == CPU_INDEX and not _reachable()]
    wanted = work / "requirements.txt"
    kept = [line for line in lines if line not in dropped]
    # As Hugging Face installs it: with these extras, and by nothing but the bundle's own file.
    own = [f"gradio[oauth,mcp]=={sdk_version(bundle)}", "uvicorn>=0.14.0", "websockets>=10.4"]
    wanted.write_text("\n".join([*kept, *own]) + "\n", "utf-8")
    begun = time.monotonic()
    pip = [str(work / "environment" / "bin" / "python"), "-m", "pip", "install", "--quiet"]
    done = subprocess.run(
        [*pip, "--requirement", str(wanted)],
        capture_output=True, text=True, timeout=INSTALL_SECONDS,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return {"lines_left_out": dropped, "install_seconds": round(time.monotonic() - begun)}


def _reachable() -> bool:
    try:
        with urllib.request.urlopen(f"{CPU_INDEX.split()[-1]}/", timeout=5):
            return True
    except OSError:
        return False


def free_port() -> int:
    """Return a Space's own port, or another one where that is taken."""
    for number in (USUAL_PORT, 0):
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("0.0.0.0", number))
            return int(probe.getsockname()[1])
    raise AssertionError("no port is free")


class App:
    """``python app.py`` in a Space's surroundings."""

    def __init__(self, way: Way, port: int, log: Path) -> None:
        self.way, self.log = way, log
        self.url = f"http://127.0.0.1:{port}/"
        more = {} if port == USUAL_PORT else {"GRADIO_SERVER_PORT": str(port)}
        self.environment = way.environment(**more)
        self.most_temporary_bytes = 0
        self.begun = time.monotonic()
        with open(log, "wb") as output:
            self.process = subprocess.Popen(
                [*way.prefix, way.python, "app.py"],
                env=self.environment, stdin=subprocess.DEVNULL, stdout=output,
                stderr=subprocess.STDOUT, start_new_session=True, **way.options,
            )  # fmt: skip

    def seconds(self) -> float:
        """Return how long it has been running."""
        return round(time.monotonic() - self.begun, 1)

    def said(self) -> str:
        """Return its log."""
        return self.log.read_text("utf-8", "replace")

    def wait_for(self, words: str) -> float:
        """Wait until its log holds these words; return how many seconds after the start."""
        while words not in self.said():
            assert self.process.poll() is None, f"it ended early:\n{self.said()}"
            assert self.seconds() < START_SECONDS, f"no {words!r} in its log:\n{self.said()}"
            self.measure()
            time.sleep(0.05)
        return self.seconds()

    def measure(self) -> None:
        """Take note of how full the temporary folder is."""
        with contextlib.suppress(OSError):
            self.most_temporary_bytes = max(self.most_temporary_bytes, self._temporary_bytes())

    def _temporary_bytes(self) -> int:
        if self.way.name == "mounts":
            room = shutil.disk_usage(f"/proc/{self.process.pid}/root/tmp")
            is_mounted = room.total < TEMPORARY_BYTES + MOST_PAGE_BYTES
            return room.used if is_mounted else 0
        files = [path for path in Path(self.way.temporary).rglob("*") if path.is_file()]
        return sum(path.stat().st_size for path in files)

    def end(self) -> dict[str, Any]:
        """End it by SIGTERM, as a Space is; say how it ended and what it left."""
        family = psutil.Process(self.process.pid).children(recursive=True)
        begun = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(END_SECONDS)
        seconds = round(time.monotonic() - begun, 1)
        _gone, left = psutil.wait_procs(family, timeout=5)
        return {
            "exit_code": code,
            "seconds": seconds,
            "processes_before": len(family) + 1,
            "processes_left": [" ".join(process.cmdline())[:80] for process in left],
        }

    def kill(self) -> None:
        """End it and everything that it started, whatever state it is in."""
        with contextlib.suppress(psutil.Error):
            family = psutil.Process(self.process.pid).children(recursive=True)
            for process in family:
                with contextlib.suppress(psutil.Error):
                    process.kill()
        self.process.kill()
        self.process.wait(END_SECONDS)


def versions(way: Way, *packages: str) -> dict[str, str]:
    """Return the versions of packages in the environment, and of its Python."""
    code = (
        "import platform, sys; from importlib.metadata import version; "
        "print(platform.python_version(), *map(version, sys.argv[1:]))"
    )
    return dict(zip(("python", *packages), asked(way, code, *packages).split(), strict=True))


def asked(way: Way, code: str, *arguments: str) -> str:
    """Return what a Python with the app's surroundings prints."""
    command = [*way.prefix, way.python, "-c", code, *arguments]
    options = {"env": way.environment(), **way.options}
    done = subprocess.run(command, capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def contents(folder: Path) -> dict[str, tuple[int, int]]:
    """Return size and time of everything below a folder."""
    found = {path: path.lstat() for path in [folder, *folder.rglob("*")]}
    return {str(path): (state.st_size, state.st_mtime_ns) for path, state in found.items()}


def told(call: Callable[[], Any]) -> str:
    """Return the words with which a call is refused; empty where it is not."""
    try:
        call()
    except Exception as error:
        return str(error)
    return ""
