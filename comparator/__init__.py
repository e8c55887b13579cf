"""Compare local language models side by side, each in a child process of its own.

The public names are imported when first used, so that ``import comparator`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from comparator.core.config import ConfigManager, ModelConfig
    from comparator.core.exceptions import (
        ConfigurationError,
        InferenceError,
        ModelLoadError,
        ModelNotFoundError,
        MultiLLMError,
    )
    from comparator.core.models import InferenceResult, InferenceStats, ModelInfo, ModelType
    from comparator.services.inference_engine import InferenceEngine
    from comparator.services.memory_manager import MemoryManager
    from comparator.services.model_manager import ModelManager
    from runners.base import BaseInferencer

__version__ = "0.1.0"

__all__ = [
    "BaseInferencer",
    "ConfigManager",
    "ConfigurationError",
    "InferenceEngine",
    "InferenceError",
    "InferenceResult",
    "InferenceStats",
    "MemoryManager",
    "ModelConfig",
    "ModelInfo",
    "ModelLoadError",
    "ModelManager",
    "ModelNotFoundError",
    "ModelType",
    "MultiLLMError",
]

_PLACES = {
    "BaseInferencer": "runners.base",
    "ConfigManager": "comparator.core.config",
    "ConfigurationError": "comparator.core.exceptions",
    "InferenceEngine": "comparator.services.inference_engine",
    "InferenceError": "comparator.core.exceptions",
    "InferenceResult": "comparator.core.models",
    "InferenceStats": "comparator.core.models",
    "MemoryManager": "comparator.services.memory_manager",
    "ModelConfig": "comparator.core.config",
    "ModelInfo": "comparator.core.models",
    "ModelLoadError": "comparator.core.exceptions",
    "ModelManager": "comparator.services.model_manager",
    "ModelNotFoundError": "comparator.core.exceptions",
    "ModelType": "comparator.core.models",
    "MultiLLMError": "comparator.core.exceptions",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    if name not in _PLACES:
        raise AttributeError(f"module 'comparator' has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name]), name)
