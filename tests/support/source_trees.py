"""Trees of files as other programs lay them out, around one real or made-up GGUF file."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

COMMIT, OLDER = "a" * 40, "b" * 40
KIND = "application/vnd.ollama.image."


def link(source: Path, target: Path) -> Path:
    """Put a file into a tree without copying its bytes."""
    target.parent.mkdir(parents=True, exist_ok=True)
    os.link(source.resolve(), target)
    return target


def write(target: Path, content: bytes | str = b"GGUF") -> Path:
    """Write a small file and the folders above it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content.encode() if isinstance(content, str) else content)
    return target


def sha256(path: Path) -> str:
    """Return the digest that names a blob."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def hub_file(cache: Path, repository: str, name: str, source: Path, commit: str = COMMIT) -> Path:
    """Put a file into a Hub cache: its bytes as a blob, its name as a link in a snapshot."""
    folder = cache / f"models--{repository.replace('/', '--')}"
    blob = folder / "blobs" / sha256(source)
    if not blob.exists():
        link(source, blob)
    snapshot = folder / "snapshots" / commit / name
    snapshot.parent.mkdir(parents=True, exist_ok=True)
    snapshot.symlink_to(os.path.relpath(blob, snapshot.parent))
    if not (folder / "refs").exists():
        write(folder / "refs" / "main", COMMIT)
    return snapshot


def hub_folder(cache: Path, repository: str, source: Path, commit: str = COMMIT) -> Path:
    """Put a transformers folder into a Hub cache; return its snapshot."""
    for file in sorted(source.iterdir()):
        hub_file(cache, repository, file.name, file, commit)
    return cache / f"models--{repository.replace('/', '--')}" / "snapshots" / commit


def ollama_layer(store: Path, kind: str, content: bytes | Path) -> dict[str, Any]:
    """Put a blob into Ollama's store; return the layer that leads to it."""
    if isinstance(content, Path):
        digest, size = sha256(content), content.stat().st_size
        blob = store / "blobs" / f"sha256-{digest}"
        if not blob.exists():
            link(content, blob)
    else:
        digest, size = hashlib.sha256(content).hexdigest(), len(content)
        write(store / "blobs" / f"sha256-{digest}", content)
    return {"mediaType": KIND + kind, "digest": f"sha256:{digest}", "size": size}


def ollama_model(store: Path, name: str, weights: Path, **layers: bytes) -> Path:
    """Put a model into Ollama's store under REGISTRY/NAMESPACE/NAME/TAG; return its manifest."""
    entries = [ollama_layer(store, "model", weights)]
    entries += [ollama_layer(store, kind, content) for kind, content in layers.items()]
    return ollama_manifest(store, name, {"schemaVersion": 2, "layers": entries})


def ollama_manifest(store: Path, name: str, content: Any) -> Path:
    """Write a manifest; what is no bytes is written as JSON."""
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    return write(store / "manifests" / name, text)


def whole_home(home: Path, gguf: Path, folder: Path) -> dict[str, str]:
    """Make a home folder in which every program has models; return its environment.

    One GGUF lies as the same file in the Hub's cache, in Ollama's store and in llama.cpp's
    cache; the others have files of their own, a few bytes each.
    """
    hub = home / ".cache" / "huggingface" / "hub"
    hub_file(hub, "org/quants", "UD-Q4_1/one.gguf", gguf)
    hub_folder(hub, "org/whole", folder)
    write(hub / "models--org--half" / "blobs" / ("c" * 64 + ".incomplete"))
    store = home / ".ollama" / "models"
    ollama_model(
        store,
        "registry.ollama.ai/library/small/135m",
        gguf,
        template=b"{{ .Prompt }}",
        params=b'{"stop": ["<|im_end|>"], "temperature": 0.2}',
        system=b"You are brief.",
    )
    ollama_model(store, "hf.co/org/other/Q8_0", write(home / "other", b"GGUF other"))
    link(gguf, home / ".cache" / "llama.cpp" / "org_quants_one.gguf")
    write(home / ".lmstudio" / "models" / "pub" / "m" / "studio.gguf", b"GGUF studio")
    write(home / ".lmstudio" / "models" / "pub" / "m" / "mmproj-studio.gguf")
    data = home / ".local" / "share"
    write(data / "nomic.ai" / "GPT4All" / "all.gguf", b"GGUF all")
    write(data / "nomic.ai" / "GPT4All" / "incomplete-more.gguf")
    write(data / "Jan" / "data" / "llamacpp" / "models" / "tiny" / "model.gguf", b"GGUF jan")
    write(home / "text-generation-webui" / "user_data" / "models" / "web.gguf", b"GGUF web")
    left_out = (
        "HF_",
        "HUGGINGFACE_",
        "XDG_",
        "OLLAMA_",
        "LLAMA_",
        "MODELSCOPE_",
        "COMPARATOR_SOURCES",
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith(left_out)}
    return {**kept, "HOME": str(home), "USERPROFILE": str(home)}
