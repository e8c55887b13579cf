"""The page while four columns write: its CPU, its delay, and whether updates grow.

The engine is the shipped fake: each of its tokens is the time at which it left the engine, so
that a client on the same machine reads off how long it was on its way. It is measured with the
cores free but for the client, and with a model that computes on all of them at the same time.
"""

from __future__ import annotations

import contextlib
import json
import re
import statistics
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil

from .company import BARE_LOOP, PAGE, PAGE_BUSY, PROMPT, Company
from .programs import PeerError
from .record import percentile
from .web import ServedPage, Update

COLUMNS = 4
WARM_UP_TOKENS = 64
BUSY_TOKENS = 128  # of one round of the loop: no longer is waited for its end
STAMP = re.compile(rb"\d+\.\d{6}(?= )")
ERROR = re.compile(rb'"(?:error|refused)":\s*"([^"]+)"')
FARTHEST_SECONDS = 60.0  # a number farther away is a stamp that was cut in two
QUARTERS = 4


class Sample(NamedTuple):
    """An update of the board.

    Attributes:
        at: when it came, of ``time.monotonic``.
        size: bytes of its line.
        cpu_seconds: what the page had computed by then.
    """

    at: float
    size: int
    cpu_seconds: float


def page(company: Company) -> None:
    """CPU of the page, delay of a token, and growth of an update, with four columns."""
    amounts = company.amounts
    folder = company.places / "echo"
    make_echo_models(folder, amounts.page_rate)
    with company.page_of(folder) as served:
        watch_board(served, WARM_UP_TOKENS)
        for number in range(amounts.page_repeats):
            company.tell(f"page: round {number + 1} of {amounts.page_repeats}")
            _note(company, PAGE, watch_board(served, amounts.page_tokens))
            with cores_busy(company) as are_busy:
                if are_busy:
                    _note(company, PAGE_BUSY, watch_board(served, amounts.page_tokens))


def _note(company: Company, name: str, measures: Mapping[str, float]) -> None:
    for measure, value in measures.items():
        company.record.add("page", measure, name, value)


@contextmanager
def cores_busy(company: Company) -> Iterator[bool]:
    """Let a bare llama.cpp loop write on all cores meanwhile; say whether it could be had."""
    loop = company.there([BARE_LOOP]).get(BARE_LOOP)
    if loop is None:
        yield False
        return
    over = threading.Event()

    def write() -> None:
        with contextlib.suppress(PeerError):
            while not over.is_set():
                loop.round([company.path("GGUF Q4_1")], PROMPT, BUSY_TOKENS)

    writer = threading.Thread(target=write, daemon=True)
    writer.start()
    try:
        yield True
    finally:
        over.set()
        writer.join()


def make_echo_models(folder: Path, rate: int) -> None:
    """Write four echo models whose tokens are times, so many a second each."""
    folder.mkdir(parents=True, exist_ok=True)
    script = {"stamps": True, "tokens": 100_000, "tokens_per_second": rate}
    for letter in "abcd"[:COLUMNS]:
        (folder / f"{letter}.echo.json").write_text(json.dumps(script), encoding="utf-8")


def watch_board(served: ServedPage, tokens: int) -> dict[str, float]:
    """Run one comparison on the page's board and return its measures."""
    ids = list(served.model_ids().values())
    chosen = {f"model-{letter}": ids[number] for number, letter in enumerate("abcd"[:COLUMNS])}
    fields = {**chosen, "prompt": "go", "together": True, "max-tokens": tokens}
    process = psutil.Process(served.pid)
    samples: list[Sample] = []
    delays: dict[bytes, float] = {}
    for update in served.board(fields):
        times = process.cpu_times()
        samples.append(Sample(update.at, len(update.line), times.user + times.system))
        note_delays(delays, update)
    if not delays:
        words = ERROR.search(update.line)
        reason = words[1].decode("utf-8", "replace") if words else "the page gave no reason"
        raise PeerError(f"No token came to the page's client: {reason}")
    return measures_of(samples, list(delays.values()), COLUMNS * tokens)


def note_delays(delays: dict[bytes, float], update: Update) -> None:
    """Add the delay in seconds of each stamp that this update brings for the first time."""
    for stamp in STAMP.findall(update.line):
        if stamp not in delays and abs(update.at - float(stamp)) < FARTHEST_SECONDS:
            delays[stamp] = update.at - float(stamp)


def measures_of(samples: Sequence[Sample], delays: list[float], expected: int) -> dict[str, float]:
    """Return the measures of one comparison.

    Args:
        samples: every update.
        delays: of every token that arrived, seconds.
        expected: how many tokens were written.
    """
    seconds = samples[-1].at - samples[0].at
    cpu_seconds = samples[-1].cpu_seconds - samples[0].cpu_seconds
    return {
        "page_cpu": cpu_seconds / seconds,
        "delay_median": statistics.median(delays) * 1000,
        "delay_p95": percentile(delays, 0.95) * 1000,
        "tokens_arrived": len(delays) / expected,
        "updates": len(samples) / seconds,
        **_growth(samples),
    }


def _growth(samples: Sequence[Sample]) -> dict[str, float]:
    """Return how the last quarter of the time compares with the first."""
    began, ended = samples[0].at, samples[-1].at
    length = (ended - began) / QUARTERS
    first = [sample for sample in samples if sample.at <= began + length]
    last = [sample for sample in samples if sample.at >= ended - length]
    sizes = [statistics.median(sample.size for sample in part) for part in (first, last)]
    work = [part[-1].cpu_seconds - part[0].cpu_seconds for part in (first, last)]
    return {
        "update_bytes_growth": sizes[1] / sizes[0],
        "update_cpu_growth": work[1] / work[0] if work[0] else 0.0,
    }
