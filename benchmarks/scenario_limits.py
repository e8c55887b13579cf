"""How near to the memory's own speed each model is written with.

To write one token every weight is read once (the embedding table of the starter models is also
their output matrix), so tokens per second cannot exceed the bandwidth over the size of the
weights. The bandwidth is that of plain reading, measured in the same round.
"""

from __future__ import annotations

from pathlib import Path

from .company import LIBRARY, MEMORY, MODELS, PROMPT, Company
from .programs import Contender

GIGABYTE = 1e9


def limits(company: Company) -> None:
    """Measure the bandwidth and each model's use of it, in turn."""
    there = company.there([LIBRARY, MEMORY])
    if MEMORY not in there:
        return
    for label in MODELS:
        there[LIBRARY].round([company.path(label)], PROMPT, company.amounts.short_tokens)
    for number in range(company.amounts.repeats):
        company.tell(f"limits: round {number + 1} of {company.amounts.repeats}")
        for label in MODELS:
            _round(company, there, label)


def _round(company: Company, there: dict[str, Contender], label: str) -> None:
    path, tokens = company.path(label), company.amounts.tokens
    read = there[MEMORY].round([path], PROMPT, tokens)["models"][0]["bytes_per_second"]
    speed = there[LIBRARY].round([path], PROMPT, tokens)["models"][0]["tokens_per_second"]
    used = weight_bytes(path) * speed
    company.record.add("limits", "bandwidth", MEMORY, read / GIGABYTE, label)
    company.record.add("limits", "bandwidth", LIBRARY, used / GIGABYTE, label)
    company.record.add("limits", "limit_share", LIBRARY, used / read, label)


def weight_bytes(path: Path) -> int:
    """Return the size of a model's weights: a file's, or all safetensors of a folder."""
    files = path.glob("*.safetensors") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files)
