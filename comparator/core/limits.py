"""Limits that page, endpoint and command line share."""

from __future__ import annotations

# Four answers stand side by side on a page; what runs models takes any number of them.
MOST_MODELS = 4
