"""Weights in several files: which belong together."""

from __future__ import annotations

import re
from pathlib import Path

MOST_SHARDS = 10_000
GGUF_SHARD = re.compile(
    r"^(?P<stem>.+)-(?P<number>\d{5})-of-(?P<total>\d{5})\.gguf$", re.IGNORECASE
)
WEIGHT_SHARD = re.compile(r"^(?P<stem>.+)-(?P<number>\d{5})-of-(?P<total>\d{5})\.\w+$")


def shards_of(path: Path) -> list[Path]:
    """Return all files of a GGUF model by the path of its first one; often only that one."""
    match = GGUF_SHARD.match(path.name)
    if match is None or int(match["total"]) > MOST_SHARDS:
        return [path]
    total = int(match["total"])
    return [
        path.with_name(f"{match['stem']}-{number:05d}-of-{total:05d}{path.suffix}")
        for number in range(1, total + 1)
    ]
