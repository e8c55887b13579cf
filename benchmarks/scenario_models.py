"""What is measured with real models: starting, comparing, decoding, and memory."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psutil

from runners.machine import page_cache

from . import holdings
from .company import (
    BARE_LOOP,
    BY_HAND,
    LIBRARY,
    PAGE,
    PROMPT,
    SERVER,
    SPAWNED,
    Company,
    in_turn,
    note_disturbed,
    note_round,
)
from .programs import Contender, Round
from .scenario_idle import idle_page

COLUMNS = ("PyTorch", "PyTorch", "GGUF Q8_0", "GGUF Q4_1")
GGUF = ("GGUF Q4_1", "GGUF Q8_0")
EVERYWHERE = (PAGE, LIBRARY, BY_HAND, SPAWNED)
SETTLE_SECONDS = 1.0
MEGABYTE = 1e6
COLD_SHARE = 0.05  # no more of the files may be cached at a cold start
LONG_PROMPT = "Say in one sentence what this is about. " + " ".join(
    f"On day {day} the keeper wrote down the wind, the tide and the ships that passed."
    for day in range(1, 41)
)


def start(company: Company) -> None:
    """Time to the first token of one model, its files cached and not cached."""
    for label in ("PyTorch", "GGUF Q4_1"):
        names = [*EVERYWHERE, *([SERVER] if label.startswith("GGUF") else [])]
        _warm_up(company, names, [label])
        _start(company, names, label, cold=False)
        _start(company, names, label, cold=True)


def _start(company: Company, names: Sequence[str], label: str, cold: bool) -> None:
    path = company.path(label)
    if cold and not _can_be_cold(company, path):
        return

    def work(name: str, contender: Contender) -> None:
        if cold:
            share = page_cache.cold(files_of(path))
            company.record.add("start", "cached_share", name, share or 0.0, label)
        taken = note_disturbed(company, contender.round([path], PROMPT, 2))
        measure = "first_token_cold" if cold else "first_token"
        seconds = taken["models"][0]["first_token_seconds"]
        company.record.add("start", measure, name, seconds, label)
        if not cold:
            company.record.add("start", "load", name, taken["models"][0]["load_seconds"], label)
        if not cold and "first_text_seconds" in taken:
            company.record.add("start", "first_text", name, taken["first_text_seconds"], label)

    words = "cold" if cold else "warm"
    in_turn(company, names, company.amounts.short_repeats, work, f"start, {label}, {words}")


def _can_be_cold(company: Company, path: Path) -> bool:
    """Whether files can be taken out of the cache here, seen by doing it."""
    share = page_cache.cold(files_of(path))
    if share is not None and share <= COLD_SHARE:
        return True
    company.record.note(f"Cold starts were not measured: {path.name} stays in the file cache.")
    return False


def files_of(model: Path) -> list[Path]:
    """Return the files of a model that is one file or a folder."""
    return [model] if model.is_file() else sorted(p for p in model.iterdir() if p.is_file())


def comparison(company: Company) -> None:
    """Wall time of four models one after another, and what each of them did."""
    amounts = company.amounts
    paths = [company.path(label) for label in COLUMNS]
    _warm_up(company, EVERYWHERE, COLUMNS)

    def work(name: str, contender: Contender) -> None:
        before, began = _cpu_seconds(contender), time.perf_counter()
        taken = contender.round(paths, PROMPT, amounts.tokens)
        share = (_cpu_seconds(contender) - before) / (time.perf_counter() - began)
        if name == PAGE:
            company.record.add("comparison", "page_cpu", name, share)
        company.record.add("comparison", "wall", name, taken["seconds"])
        note_round(company, "comparison", name, COLUMNS, taken, amounts.tokens)

    in_turn(company, EVERYWHERE, amounts.repeats, work, "comparison")


def _cpu_seconds(contender: Contender) -> float:
    times = psutil.Process(contender.pid).cpu_times()
    return float(times.user + times.system)


def decode(company: Company) -> None:
    """Speed of writing and of reading a prompt, of GGUF files beside bare llama.cpp."""
    names = (SERVER, PAGE, BARE_LOOP, LIBRARY, BY_HAND)  # who is compared, side by side
    for label in GGUF:
        _warm_up(company, names, [label])
        _decode(company, names, label)
        _prefill(company, names, label)
    _prefill(company, (PAGE, LIBRARY, BY_HAND), "PyTorch")


def _decode(company: Company, names: Sequence[str], label: str) -> None:
    amounts = company.amounts

    def work(name: str, contender: Contender) -> None:
        taken = contender.round([company.path(label)], PROMPT, amounts.tokens)
        note_round(company, "decode", name, [label], taken, amounts.tokens)

    in_turn(company, names, amounts.decode_repeats, work, f"decode, {label}")


def _prefill(company: Company, names: Sequence[str], label: str) -> None:
    """Speed of reading: the prompt's tokens over the time from the loaded model to a token."""
    path = company.path(label)
    tokens = _prompt_tokens(company, path)

    def work(name: str, contender: Contender) -> None:
        whole = note_disturbed(company, contender.round([path], LONG_PROMPT, 2))
        taken = whole["models"][0]
        seconds = taken["first_token_seconds"] - taken["load_seconds"]
        company.record.add("decode", "prefill", name, tokens / seconds, label)

    in_turn(company, names, company.amounts.short_repeats, work, f"prefill, {label}")


def _prompt_tokens(company: Company, path: Path) -> int:
    """Return how long the long prompt is for a model, by the library's own count."""
    library = company.there([LIBRARY])[LIBRARY]
    return int(library.round([path], LONG_PROMPT, 1)["models"][0]["prompt_tokens"])


def memory(company: Company) -> None:
    """Memory at the peak of a comparison, and what is still held a second after.

    The contenders are started anew, so that nothing is held from before. Looking at their
    memory slows them down: no time is taken here.
    """
    company.retire()
    contenders = company.there(EVERYWHERE)
    fresh = {name: holdings.of(contender.pid) for name, contender in contenders.items()}
    _warm_up(company, EVERYWHERE, COLUMNS)
    paths = [company.path(label) for label in COLUMNS]

    def work(name: str, contender: Contender) -> None:
        before = holdings.of(contender.pid)
        with holdings.Peak(contender.pid) as peak:
            taken = contender.round(paths, PROMPT, company.amounts.short_tokens)
        time.sleep(SETTLE_SECONDS)
        _note_memory(company, name, peak, taken)
        after = holdings.of(contender.pid)
        new, old = after.added(before)
        held = {
            "held_parent": after.parent - before.parent,
            "held_parent_in_all": after.parent - fresh[name].parent,
            "held_children": new,
            "held_servers": old,
        }
        for measure, value in held.items():
            company.record.add("memory", measure, name, value / MEGABYTE)

    in_turn(company, EVERYWHERE, company.amounts.repeats, work, "memory")
    idle_page(company)


def _note_memory(company: Company, name: str, peak: holdings.Peak, taken: Round) -> None:
    company.record.add("memory", "peak_private", name, peak.private / MEGABYTE)
    company.record.add("memory", "peak_proportional", name, peak.proportional / MEGABYTE)
    devices = [figures.get("device_bytes") for figures in taken["models"]]
    told = [value for value in devices if value is not None]
    if not told:
        company.record.note("Device memory was not measured: no model ran on an accelerator.")
    else:
        company.record.add("memory", "peak_device", name, max(told) / MEGABYTE)


def _warm_up(company: Company, names: Sequence[str], labels: Sequence[str]) -> None:
    """Run one short round that does not count: file cache, imports, fork servers, code paths."""
    paths = [company.path(label) for label in labels]

    def work(_name: str, contender: Any) -> None:
        contender.round(paths, PROMPT, company.amounts.short_tokens)

    in_turn(company, names, 1, work, f"warm-up, {', '.join(dict.fromkeys(labels))}")
