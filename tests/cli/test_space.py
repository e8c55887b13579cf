"""``comparator space`` as a person types it, against a hub on this machine."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from local_hub_spaces import Space, SpaceHub, running_space_hub

Command = Callable[..., subprocess.CompletedProcess[str]]
# The program, looking at a build more often: here none takes minutes.
LOOKING_OFTEN = """
from comparator.hub import space_deploy
space_deploy.deploy.__kwdefaults__["poll_seconds"] = 0.1
from comparator.cli.main import main
main()
"""


@pytest.fixture
def hub() -> Iterator[SpaceHub]:
    with running_space_hub() as hub:
        yield hub


def surroundings(hub: SpaceHub, tmp_path: Path, token: str | None) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("HF_")}
    home = {"HF_HOME": str(tmp_path / "hf"), "HF_ENDPOINT": hub.address}
    return {**kept, **home, **({"HF_TOKEN": token} if token else {})}


@pytest.fixture
def space(hub: SpaceHub, tmp_path: Path) -> Command:
    def run(*words: str, token: str | None = "hf_anna", **more: str):
        return subprocess.run(
            [sys.executable, "-c", LOOKING_OFTEN, "space", *words],
            env={**surroundings(hub, tmp_path, token), **more},
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


def test_a_folder_is_built_and_listed(space: Command, tmp_path: Path) -> None:
    done = space("build", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    listed = dict(reversed(line.split()) for line in done.stdout.splitlines())
    held = {
        path.relative_to(tmp_path / "out").as_posix(): str(path.stat().st_size)
        for path in (tmp_path / "out").rglob("*")
        if path.is_file()
    }
    assert listed == held
    assert f"{len(held)} files" in done.stderr


def test_a_space_is_made_and_followed_until_it_runs(space: Command, hub: SpaceHub) -> None:
    done = space("deploy", "anna/compare")
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"{hub.address}/spaces/anna/compare"
    stages = [line for line in done.stderr.splitlines() if line.startswith("stage:")]
    assert stages == ["stage: BUILDING", "stage: APP_STARTING", "stage: RUNNING"]
    made = hub.spaces["anna/compare"]
    said = json.loads(made.files["bundle.json"])["files"]
    assert {path: hashlib.sha256(data).hexdigest() for path, data in made.files.items()} == {
        **said,
        "bundle.json": hashlib.sha256(made.files["bundle.json"]).hexdigest(),
    }
    assert made.files["README.md"].startswith(b"---\ntitle:")
    assert made.variables["GRADIO_ANALYTICS_ENABLED"] == "False"
    assert not made.private
    assert "hf_anna" not in done.stdout + done.stderr


def test_repeating_it_sends_nothing_and_what_is_no_longer_there_goes(
    space: Command, hub: SpaceHub
) -> None:
    assert space("deploy", "anna/compare").returncode == 0
    made = hub.spaces["anna/compare"]
    commits = len(made.commits)
    assert space("deploy", "anna/compare").returncode == 0
    assert len(made.commits) == commits
    made.files["old.py"] = b"1"
    made.files["app.py"] = b"changed"
    done = space("deploy", "anna/compare")
    assert done.returncode == 0, done.stderr
    assert "old.py" not in made.files
    assert made.files["app.py"] != b"changed"
    # The build before still ran at the first look, and was not taken for the new one.
    stages = [line for line in done.stderr.splitlines() if line.startswith("stage:")]
    assert stages == ["stage: RUNNING", "stage: APP_STARTING", "stage: RUNNING"]


def test_hardware_and_privacy_reach_the_hub(space: Command, hub: SpaceHub) -> None:
    done = space("deploy", "anna/compare", "--hardware", "t4-small", "--private")
    assert done.returncode == 0, done.stderr
    made = hub.spaces["anna/compare"]
    assert (made.hardware, made.private) == ("t4-small", True)
    assert b"download.pytorch.org/whl/cpu\n" not in made.files["requirements.txt"]


def test_a_public_space_becomes_private_when_that_is_asked(space: Command, hub: SpaceHub) -> None:
    hub.spaces["anna/compare"] = Space("anna")
    assert space("deploy", "anna/compare", "--private").returncode == 0
    assert hub.spaces["anna/compare"].private


def test_without_a_token_the_way_to_one_is_told(space: Command, hub: SpaceHub) -> None:
    done = space("deploy", "anna/compare", token=None)
    assert done.returncode == 2
    assert "hf auth login" in done.stderr
    assert hub.requests == []


def test_a_wrong_token(space: Command) -> None:
    done = space("deploy", "anna/compare", token="hf_wrong")
    assert done.returncode == 1
    assert "does not accept the token" in done.stderr
    assert "hf_wrong" not in done.stderr


@pytest.mark.parametrize("exists", [True, False])
def test_a_name_that_belongs_to_somebody_else(space: Command, hub: SpaceHub, exists: bool) -> None:
    if exists:
        hub.spaces["berta/compare"] = Space("berta", files={"theirs.py": b"1"})
    done = space("deploy", "berta/compare")
    assert done.returncode == 1
    assert "the name is taken by somebody else" in done.stderr
    if exists:
        assert hub.spaces["berta/compare"].files == {"theirs.py": b"1"}


def test_hardware_that_must_be_paid(space: Command, hub: SpaceHub) -> None:
    hub.tokens["hf_poor"] = "poor"
    done = space("deploy", "poor/compare", "--hardware", "a100-large", token="hf_poor")
    assert done.returncode == 1
    assert "--hardware cpu-basic" in done.stderr


def test_a_build_that_fails_is_told_with_the_hubs_words(space: Command, hub: SpaceHub) -> None:
    hub.build, hub.build_error = ("BUILDING", "BUILD_ERROR"), "pip \x1b[31mfailed"
    done = space("deploy", "anna/compare")
    assert done.returncode == 1
    assert "does not run (BUILD_ERROR): pip \\x1b[31mfailed" in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("deploy", "compare"), "Give OWNER/NAME"),
        (("deploy", "anna/../x"), "Give OWNER/NAME"),
        (("deploy", "anna/a b"), "no name of a Space"),
        (("deploy", "anna/x", "--hardware", "abacus"), "There is: cpu-basic"),
        (("build", "x", "--private"), "--private is for deploy"),
    ],
)
def test_requests_that_make_no_sense(space: Command, words: tuple[str, ...], told: str) -> None:
    done = space(*words)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unreachable_hub(space: Command) -> None:
    done = space("deploy", "anna/compare", HF_ENDPOINT="http://127.0.0.1:9")
    assert done.returncode == 1
    assert "cannot be reached" in done.stderr
    assert "Traceback" not in done.stderr


def test_ctrl_c_leaves_the_build_to_itself(hub: SpaceHub, tmp_path: Path) -> None:
    hub.build = ("BUILDING",)
    running = subprocess.Popen(
        [sys.executable, "-m", "comparator", "space", "deploy", "anna/compare"],
        env=surroundings(hub, tmp_path, "hf_anna"),
        stderr=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + 60
    while not any(line.endswith("/runtime") for line in hub.requests):
        assert time.monotonic() < end
        time.sleep(0.05)
    time.sleep(0.5)
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=30)
    assert running.returncode == 130
    assert said.splitlines()[-1].startswith("Stopped. A build that has begun goes on")
