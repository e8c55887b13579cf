"""Models that think: tiny Llamas whose weights force what they write, as a folder and as GGUF.

Attention and layers add nothing, so that the next token follows from the last one alone: each
token of a chain has a direction of its own, and its successor scores along it.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from model_files import (
    BYTES,
    SIZES,
    SPECIAL,
    change_json,
    vocabulary,
    weights_of,
    write_directory,
    write_gguf,
    write_tokenizer,
    write_weights,
)

MARKS = ("[THINK]", "[/THINK]")
VOCABULARY = (*SPECIAL, *MARKS)
_TURNS = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
ASKED = _TURNS + "{% if add_generation_prompt %}{{ '@' }}{% endif %}"
OPENED = _TURNS + "{% if add_generation_prompt %}{{ '<think>\\n' }}{% endif %}"
# A template, and the chain that goes on from the last byte of what it makes of any question.
BY_CONTROL_TOKENS = (ASKED, ("@", "[THINK]", *"so.", "[/THINK]", *"Fine!", "</s>"))
OPENED_BY_THE_TEMPLATE = (OPENED, ("\n", *"x</think>y", "</s>"))


def write_models(
    folder: Path, template: str, chain: Sequence[str], name: str = "Thinker"
) -> tuple[Path, Path]:
    """Write a folder and a GGUF file that go on from the first element of a chain, greedily.

    Args:
        folder: where to; both are called by the name.
        template: their chat template.
        chain: one byte or special token after the other, none of them twice.
        name: what the models are called.
    """
    directory = write_directory(folder / name)
    write_weights(directory, {**weights_of(directory), **_forcing(directory, chain)})
    write_tokenizer(directory, special=VOCABULARY, template=template)
    change_json(directory / "config.json", vocab_size=len(vocabulary(VOCABULARY)))
    file = folder / f"{name}.gguf"
    return directory, write_gguf(file, directory, special=VOCABULARY, template=template)


def _forcing(directory: Path, chain: Sequence[str]) -> dict[str, Any]:
    """Return the weights that differ from those of a directory."""
    import torch

    size, hidden = len(vocabulary(VOCABULARY)), SIZES["hidden_size"]
    ids = [token_of(text) for text in chain]
    assert len(set(ids)) == len(ids) <= hidden, "a chain has no token twice"
    directions, embedding = torch.eye(hidden), torch.ones(size, hidden)
    scores = torch.zeros(size, hidden)
    for number, token in enumerate(ids):
        embedding[token] = directions[number]
    for number, follower in enumerate(ids[1:]):
        scores[follower] = 20 * directions[number]
    adding = {
        name: torch.zeros_like(weight)
        for name, weight in weights_of(directory).items()
        if "o_proj" in name or "down_proj" in name
    }
    return {"model.embed_tokens.weight": embedding, "lm_head.weight": scores, **adding}


def token_of(text: str) -> int:
    """Return the token of a byte or of a special token."""
    return BYTES + VOCABULARY.index(text) if text in VOCABULARY else ord(text)
