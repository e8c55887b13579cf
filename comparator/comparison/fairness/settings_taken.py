"""What one column was asked to take for each setting, and what it took. Pure: a record in."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from comparator.comparison.record_facts import (
    Record,
    count_of,
    kind_of,
    room_of,
    source_of,
    text_of,
    texts_of,
    value_of,
)

# How a value was taken: not as it was asked, not used at all, decided since it was left open, as
# it was asked. Rows come in this order.
STATES = ("changed", "unused", "settled", "asked")
_SOURCES = ("given", "maker", "drawn", "default")  # within a state, likewise
_WITHOUT_SAMPLING = ("temperature", "top_p", "top_k", "min_p", "seed")
# What an engine has no use for; it is only told where a person gave it.
_UNUSED = {
    "gguf": ("torch_dtype", "low_cpu_mem_usage", "trust_remote_code", "pad_token_id"),
    "pytorch": ("n_gpu_layers", "low_cpu_mem_usage", "pad_token_id"),
}


@dataclass(frozen=True)
class Setting:
    """One setting of one column.

    Attributes:
        name: as ``ModelConfig`` has it.
        asked: the value asked for.
        taken: the value really used; None where it is not known to be another one.
        source: where it comes from: ``given``, ``maker``, ``drawn`` or ``default``.
        state: ``changed``, ``unused``, ``settled`` or ``asked``.
        why: a word for the reason, as ``fair_play_words.REASONS``; empty for ``asked``.
    """

    name: str
    asked: Any
    taken: Any = None
    source: str = "default"
    state: str = "asked"
    why: str = ""


SettingOutcome = tuple[str, str, Any]  # state, why and what was taken


def settings_taken(record: Record) -> list[Setting]:
    """Return every setting of a column, first those that were not taken as they were asked."""
    config = value_of(record, "config")
    names = list(config) if isinstance(config, dict) else []
    found = [_setting(record, str(name)) for name in names]
    return sorted(found, key=lambda one: (STATES.index(one.state), _rank(one.source)))


def _rank(source: str) -> int:
    return _SOURCES.index(source) if source in _SOURCES else len(_SOURCES)


def _setting(record: Record, name: str) -> Setting:
    asked, source = value_of(record, "config", name), source_of(record, name)
    if name == "lora":
        asked = [os.path.basename(one.rstrip("/")) for one in texts_of(record, "config", "lora")]
    if source == "drawn":
        return Setting(name, None, asked, source, "settled", "drawn")
    state, why, taken = next(_outcomes(record, name, asked, source), ("asked", "", None))
    return Setting(name, asked, taken, source, state, why)


def _outcomes(record: Record, name: str, asked: Any, source: str) -> Iterator[SettingOutcome]:
    """Yield what became of a setting where that is anything but what was asked."""
    if source == "given":
        if name in _UNUSED.get(kind_of(record), ()):
            yield "unused", "engine", None
        if name in _WITHOUT_SAMPLING and _is_greedy(record):
            yield "unused", "greedy", None
    if name in _LOOKS and value_of(record, "engine", "name"):
        yield from _LOOKS[name](record, asked)


def _is_greedy(record: Record) -> bool:
    config = (value_of(record, "config", name) for name in ("do_sample", "temperature"))
    samples, temperature = config
    return samples is False or temperature == 0


def _context(record: Record, asked: Any) -> Iterator[SettingOutcome]:
    taken = count_of(record, "engine", "context_length")
    if not taken or taken == asked:
        return
    if asked is None:
        yield "settled", "fits", taken
    elif isinstance(asked, int):
        yield "changed", _why_another(record, taken < asked), taken


def _why_another(record: Record, is_less: bool) -> str:
    """Return why a context is not as large as it was asked."""
    if not is_less:
        return "rounded"
    return "batch_room" if (count_of(record, "batch") or 1) > 1 else "own_limit"


def _threads(record: Record, asked: Any) -> Iterator[SettingOutcome]:
    taken = count_of(record, "engine", "threads")
    if not taken or taken == asked:
        return
    if asked is not None:
        yield "changed", "engine_took", taken
    elif count_of(record, "sent", "n_threads") is not None:
        yield "settled", "shared", taken
    else:
        yield "settled", "automatic", taken


def _layers(record: Record, asked: Any) -> Iterator[SettingOutcome]:
    if text_of(record, "engine", "device") == "cpu":
        if asked is not None and asked != 0:
            yield "changed", "no_device", 0
        return
    sent = value_of(record, "sent", "n_gpu_layers")
    if isinstance(sent, int):
        yield "settled", "fits", sent


def _tokens(record: Record, asked: Any) -> Iterator[SettingOutcome]:
    room = room_of(record)
    if room is None:
        return
    if asked is None:
        yield "settled", "until_full", room
    elif isinstance(asked, int) and room < asked:
        yield "changed", "no_room", room


def _format(record: Record, asked: Any) -> Iterator[SettingOutcome]:
    template = text_of(record, "prompt", "template_source")
    if not text_of(record, "prompt", "rendered") or kind_of(record) not in _UNUSED:
        return
    if asked == "auto" and template == "none":
        yield "changed", "no_template", "plain"
    elif asked == "chat" and template == "fallback":
        yield "changed", "general_template", None


def _number_type(record: Record, asked: Any) -> Iterator[SettingOutcome]:
    taken = text_of(record, "engine", "dtype")
    if kind_of(record) != "pytorch" or not taken:
        return
    if asked == "auto":
        yield "settled", "automatic", taken
    elif str(asked) not in re.split(r"\W+", taken):  # float16 is part of the word bfloat16
        yield "changed", "engine_took", taken


_LOOKS: dict[str, Callable[[Record, Any], Iterator[SettingOutcome]]] = {
    "n_ctx": _context,
    "n_threads": _threads,
    "n_gpu_layers": _layers,
    "max_tokens": _tokens,
    "prompt_format": _format,
    "torch_dtype": _number_type,
}
