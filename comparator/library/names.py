"""Names of models: without their quantisation, and as words that can be compared."""

from __future__ import annotations

import re

from comparator.library.quantisations import without_suffix

_ENDINGS = re.compile(
    r"([.\-_ ](gguf|ggml|f32|bf16|f16|fp16|fp8|awq|gptq|bnb|[348]bit|int[48]|imatrix|i1|ud))+$",
    re.IGNORECASE,
)
_WORDS = re.compile(r"[a-z]+(?:\d+[a-z0-9]*)?|\d+(?:\.\d+)*[a-z]*")
_SAYS_NOTHING = frozenset(
    {"model", "models", "weights", "ggml", "main", "snapshot", "consolidated"}
)


def plain_name(name: str) -> str:
    """Return a name without an organisation before it or a quantisation behind it."""
    short = re.split(r"[/\\]", name.strip())[-1] or name
    short = re.sub(r"\.gguf$", "", short, flags=re.IGNORECASE)
    while True:
        shorter = _ENDINGS.sub("", without_suffix(short)) or short
        if shorter == short:
            return short
        short = shorter


def key_of(name: str | None) -> str | None:
    """Return the words of a name in order of the alphabet; None where it says nothing.

    Base and chat models stay apart, since 'Instruct' and the like are words of the name.
    """
    words = _WORDS.findall(plain_name(name or "").casefold())
    if not words or set(words) <= _SAYS_NOTHING:
        return None
    return " ".join(sorted(set(words)))
