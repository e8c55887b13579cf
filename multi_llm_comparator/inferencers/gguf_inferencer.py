"""Same objects as ``runners.gguf_inferencer``."""

from runners.gguf_inferencer import (
    GGUFInferencer as GGUFInferencer,
)
