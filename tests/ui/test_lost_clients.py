"""A client that vanishes without a word: the system ends its connection, which ends its run."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from comparator.ui.adapter import LOST_SECONDS

# Prints the limit, in milliseconds, of each connection that a served page has accepted.
ACCEPTING = """
import json, socket, sys, time
from pathlib import Path
from comparator.hosting.host import Host
from comparator.hosting.options import ServerOptions
from comparator.ui.page import build_page
from comparator.ui.server import launch
with socket.socket() as probe:
    probe.bind(("127.0.0.1", 0))
    port = probe.getsockname()[1]
host = Host(ServerOptions(Path(sys.argv[1]), server_port=port, sources=()))
page = build_page(host)
launch(page, host.options)
with socket.create_connection(("127.0.0.1", port)) as client:
    end = time.monotonic() + 10
    found = []
    while not found and time.monotonic() < end:
        found = [
            connection.transport.get_extra_info("socket")
            for connection in list(page.server.server_state.connections)
            if connection.transport.get_extra_info("peername") == client.getsockname()
        ]
        time.sleep(0.01)
    kind = socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT
    print(json.dumps([accepted.getsockopt(*kind) for accepted in found]))
page.close(verbose=False)
host.close()
"""


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux alone has this limit")
def test_a_connection_that_acknowledges_nothing_is_ended(tmp_path: Path) -> None:
    """How long the system then takes was seen by hand: a network taken away ended the run."""
    command = [sys.executable, "-c", ACCEPTING, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == [LOST_SECONDS * 1000]
