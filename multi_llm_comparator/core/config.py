"""Same objects as ``comparator.core.config``."""

from comparator.core.config import (
    ConfigManager as ConfigManager,
)
from comparator.core.config import (
    ModelConfig as ModelConfig,
)
