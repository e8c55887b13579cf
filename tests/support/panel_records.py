"""Records of two columns as a comparison makes them, for what reads records."""

from __future__ import annotations

import copy
from dataclasses import asdict
from typing import Any

from comparator.core.config import ModelConfig

ENGINES = {
    "gguf": ("llama.cpp 1", "llama.cpp", "llama 135M Q8_0"),
    "pytorch": ("transformers 5", "cached", "bfloat16"),
}


def record(kind: str = "gguf", start: float = 100.0, **changes: Any) -> dict[str, Any]:
    """Return the record of a good run of ten seconds.

    ``changes`` are values by place, with ``__`` for a step inside (``stats__files_cached``).
    """
    name, way, dtype = ENGINES[kind]
    made: dict[str, Any] = {
        "model": {"id": kind, "name": f"model of {kind}", "model_type": kind},
        "is_complete": True,
        "config": asdict(ModelConfig(seed=1)),
        "config_sources": {},
        "sent": {},
        "prompt": {
            "rendered": "<s>hi",
            "template_source": {"gguf": "gguf", "pytorch": "tokenizer"}[kind],
            "special": [0, 3],
            "messages": [{"role": "user", "content": "hi"}],
            "notes": [],
        },
        "engine": {
            "name": name,
            "way": way,
            "dtype": dtype,
            "device": "cpu",
            "threads": 2,
            "context_length": 2048,
            "fallbacks": [],
        },
        "stats": {
            "start_time": start,
            "end_time": start + 10,
            "load_seconds": 1.0,
            "time_to_first_token": 1.5,
            "tokens_per_second": 20.0,
            "prompt_tokens": 8,
            "characters_per_second": 90.0,
            "memory_usage": 300_000_000,
            "token_count": 10,
            "finish_reason": "stop",
            "disturbed": [],
            "files_cached": 1.0,
        },
        "receipt": {
            "available_before": 5_000_000_000,
            "available_after": 5_000_000_000,
            "peak_bytes": 300_000_000,
            "exit_seconds": 0.1,
            "devices": [],
            "samples": {
                "seconds": [0.0, 1.0, 9.9, 10.0],
                "own_bytes": [0, 200_000_000, 300_000_000, 0],
                "available_bytes": [5_000_000_000, 4_800_000_000, 4_700_000_000, 5_000_000_000],
            },
        },
    }
    for place, value in changes.items():
        *path, last = place.split("__")
        inside = made
        for step in path:
            inside = inside[step]
        inside[last] = copy.deepcopy(value)
    return made
