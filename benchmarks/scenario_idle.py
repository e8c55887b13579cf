"""What a page holds when nobody has asked anything for a while, and what is held in all.

It is kept warm for a few seconds instead of minutes: what is left then is the same. It is served as
README's first command installs it: what developers have besides, and pandas and Gradio import
wherever they find it, holds 27 MB more.
"""

from __future__ import annotations

import time

import psutil

from runners.machine import memory

from .company import PAGE, PROMPT, Company
from .programs import without_packages

KEEP_WARM_MINUTES = 0.05
ASKED = ("PyTorch", "GGUF Q4_1")  # both engines
NOT_INSTALLED = ("IPython", "mcp", "pyarrow")
LONGEST_WAIT_SECONDS = 60.0
LOOK_SECONDS = 0.2
MEGABYTE = 1e6


def idle_page(company: Company) -> None:
    """Ask a page once, wait until its engines have ended, and note what it holds."""
    paths = [company.path(label) for label in ASKED]
    options = ["--keep-warm", str(KEEP_WARM_MINUTES)]
    environment = without_packages(
        company.environment, NOT_INSTALLED, company.places / "not_installed"
    )
    with company.page_of(company.models_dir, options, environment) as served:
        for number in range(company.amounts.repeats):
            company.tell(f"idle page: round {number + 1} of {company.amounts.repeats}")
            served.round(paths, PROMPT, company.amounts.short_tokens)
            company.record.add("memory", "held_idle", PAGE, _held_at_rest(served.pid) / MEGABYTE)


def _held_at_rest(pid: int) -> int:
    """Return what a page and its descendants hold once it has none, or after a long wait."""
    page, end = psutil.Process(pid), time.monotonic() + LONGEST_WAIT_SECONDS
    while page.children(recursive=True) and time.monotonic() < end:
        time.sleep(LOOK_SECONDS)
    left = [pid, *(child.pid for child in page.children(recursive=True))]
    return sum(memory.taken_bytes(number) for number in left)
