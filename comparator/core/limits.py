"""Limits that page, endpoint and command line share."""

from __future__ import annotations

import string

# Four answers stand side by side on a page; what runs models takes any number of them.
MOST_MODELS = 4
LETTERS = string.ascii_uppercase  # by which columns are called
# Files of text that stand before a question, and how much they may hold all together.
MOST_FILES = 10
LARGEST_FILES_BYTES = 2_000_000
# Tokens by which llama.cpp rounds a context up, and by which its memory is counted.
CONTEXT_STEP = 256
