"""Same objects as ``runners.pytorch_inferencer``."""

from runners.pytorch_inferencer import (
    PyTorchInferencer as PyTorchInferencer,
)
