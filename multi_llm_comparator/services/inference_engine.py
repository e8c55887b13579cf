"""Same objects as ``comparator.services.inference_engine``."""

from comparator.services.inference_engine import (
    InferenceEngine as InferenceEngine,
)
