"""Same objects as ``comparator.services.memory_manager``."""

from comparator.services.memory_manager import (
    MemoryManager as MemoryManager,
)
