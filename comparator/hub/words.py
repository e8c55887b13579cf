"""How downloads stand and what the hub has, as text for terminal and page."""

from __future__ import annotations

from comparator.core.units import count, fine_size, long_time
from comparator.hub.catalogue import SearchHit
from comparator.hub.downloads import DownloadStatus

_STATES = {
    "begin": "begins",
    "wait": "waits for another program that fetches the same",
    "download": "download",
    "check": "checks the checksum",
    "done": "done",
    "failed": "failed",
    "cancelled": "cancelled",
}


def figures(status: DownloadStatus) -> str:
    """Return bytes, speed and time left, as far as they are known."""
    parts = []
    if status.state in ("download", "check"):
        parts.append(f"{fine_size(status.done)} of {fine_size(status.total)}")
    if status.bytes_per_second:
        parts.append(f"{fine_size(status.bytes_per_second)}/s")
    if status.seconds_left is not None:
        parts.append(f"{long_time(status.seconds_left)} left")
    return ", ".join(parts)


def state_words(status: DownloadStatus) -> str:
    """Return what a download does."""
    return _STATES.get(status.state, status.state)


def found_cells(found: SearchHit, sized: bool) -> list[str]:
    """Return the engine, parameters, licence, downloads and, if asked for, sizes as text."""
    return [
        ", ".join(engine.value for engine in found.engines) or "–",
        count(found.parameters, "–"),
        found.licence or "–",
        f"{found.downloads:,}".replace(",", " "),
        *([_sizes(found)] if sized else []),
    ]


def _sizes(found: SearchHit) -> str:
    sizes = [choice.size for choice in found.choices]
    if len(sizes) == 1:
        return fine_size(sizes[0])
    return f"{fine_size(min(sizes))} to {fine_size(max(sizes))}" if sizes else "–"
