"""Same objects as ``runners.engines.gguf.inferencer``."""

from runners.engines.gguf.inferencer import (
    GGUFInferencer as GGUFInferencer,
)
