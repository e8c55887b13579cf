"""A page opens whatever proxies the environment names: nothing of its own goes by them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from cases import slow

pytestmark = pytest.mark.process

REPOSITORY = Path(__file__).resolve().parents[2]
DEAD = "http://127.0.0.1:9"  # nobody listens on the port of "discard"
PROXIES = {
    "all of these": {
        "http_proxy": DEAD,
        "HTTPS_PROXY": "foo://x:y",
        "ALL_PROXY": "socks5://[::1]:9",
    },
    "dead": {name: DEAD for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")},
    "unreadable": {"HTTPS_PROXY": "foo://x:y"},
    "of a kind that needs a further package": {"ALL_PROXY": "socks5://127.0.0.1:9"},
}


def _environment(models_dir: Path, proxies: dict[str, str]) -> dict[str, str]:
    own = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    return {**own, "COMPARATOR_MODELS_DIR": str(models_dir), "COMPARATOR_SOURCES": "", **proxies}


@pytest.mark.parametrize("kind", ["all of these", *map(slow, list(PROXIES)[1:])])
def test_a_page_opens_whatever_the_proxies_are(tmp_path: Path, kind: str) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "comparator", "serve"],
        cwd=REPOSITORY,
        env=_environment(tmp_path, PROXIES[kind]),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            told = process.stdout.readline()  # its end where the page ends before it is open
            assert told.startswith("The page is at http://127.0.0.1:"), told + process.stdout.read()
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 143
        finally:
            process.kill()
