"""How much a suite may have."""

from __future__ import annotations

MOST_BYTES = 20_000_000  # of a file, and of all prompts of a suite together
MOST_YAML_BYTES = 2_000_000  # its parser is slow
MOST_ITEMS = 10_000
MOST_TAGS = 50
LONGEST_TAG = LONGEST_ID = 200  # characters
