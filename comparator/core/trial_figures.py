"""What figures of an engine's trial are called: one side writes them, the estimate reads them."""

from __future__ import annotations

REPACKED_BITS = "repacked bits of "  # of a weight once it is loaded; the type's name follows
LOADED_BYTES = "loaded bytes of "  # of a weight once it is loaded; how it is stored follows
