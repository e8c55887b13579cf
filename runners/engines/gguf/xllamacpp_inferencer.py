"""GGUF models on the llama.cpp of the prebuilt package xllamacpp, where no other is installed."""

from __future__ import annotations

from runners.engines.gguf import library
from runners.engines.gguf.inferencer import GGUFInferencer


class XllamacppInferencer(GGUFInferencer):
    """Runs one GGUF file like its parent, down to every token, on another build of llama.cpp."""

    _library = staticmethod(library.prebuilt)
