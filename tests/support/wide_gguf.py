"""A model whose rows are as long as every quantisation wants them: 256 random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from model_files import vocabulary, write_gguf

WIDTH = 256
LAYERS = 2


def wide_tensors(seed: int = 0) -> dict[str, Any]:
    """Return the weights of a small Llama in float32."""
    import numpy as np

    random = np.random.default_rng(seed)

    def weights(rows: int, columns: int = WIDTH) -> Any:
        return (random.standard_normal((rows, columns)) * 0.05).astype(np.float32)

    ones = np.ones(WIDTH, np.float32)
    tensors = {
        "token_embd.weight": weights(len(vocabulary())),
        "output_norm.weight": ones,
        "output.weight": weights(len(vocabulary())),
    }
    for layer in range(LAYERS):
        tensors |= {
            f"blk.{layer}.attn_norm.weight": ones,
            f"blk.{layer}.attn_q.weight": weights(WIDTH),
            f"blk.{layer}.attn_k.weight": weights(WIDTH // 2),
            f"blk.{layer}.attn_v.weight": weights(WIDTH // 2),
            f"blk.{layer}.attn_output.weight": weights(WIDTH),
            f"blk.{layer}.ffn_norm.weight": ones,
            f"blk.{layer}.ffn_gate.weight": weights(2 * WIDTH),
            f"blk.{layer}.ffn_up.weight": weights(2 * WIDTH),
            f"blk.{layer}.ffn_down.weight": weights(WIDTH, 2 * WIDTH),
        }
    return tensors


def write_wide_gguf(path: Path, **options: Any) -> Path:
    """Write a GGUF file of about 5 MB in float32."""
    return write_gguf(
        path,
        tensors=wide_tensors(),
        embedding_length=WIDTH,
        feed_forward_length=2 * WIDTH,
        **options,
    )


def write_wide_shards(folder: Path, stem: str = "wide", most_tensors: int = 9) -> list[Path]:
    """Write the same model as several shards, as llama.cpp splits them."""
    tensors = list(wide_tensors().items())
    parts = [tensors[at : at + most_tensors] for at in range(0, len(tensors), most_tensors)]
    total = len(parts)
    paths = []
    for number, part in enumerate(parts):
        path = folder / f"{stem}-{number + 1:05d}-of-{total:05d}.gguf"
        split = {"split.no": number, "split.count": total, "split.tensors.count": len(tensors)}
        write_gguf(
            path,
            tensors=dict(part),
            embedding_length=WIDTH,
            feed_forward_length=2 * WIDTH,
            extra=split,
        )
        paths.append(path)
    return paths
