"""Cases of a test of which the gate runs a few, and `./scripts/test full` all."""

from __future__ import annotations

from typing import Any

import pytest


def slow(*values: Any) -> Any:
    """Return a case that holds the same as a quicker one beside it, once more."""
    return pytest.param(*values, marks=pytest.mark.slow)
