"""Programs that the tests start on one core, as ``preexec_fn`` of ``subprocess``."""

from __future__ import annotations

import os


def on_one_core() -> None:
    """Keep this process and its children on one of its cores, so that a model takes one thread.

    Two threads that wait for each other take many times as long beside other tests.
    """
    if hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[os.getpid() % len(cores)]})
