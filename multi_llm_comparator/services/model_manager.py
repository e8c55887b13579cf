"""Same objects as ``comparator.services.model_manager``."""

from comparator.services.model_manager import (
    ModelManager as ModelManager,
)
