"""Same objects as ``runners.engines.pytorch.inferencer``."""

from runners.engines.pytorch.inferencer import (
    PyTorchInferencer as PyTorchInferencer,
)
