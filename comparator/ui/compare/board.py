"""Following one comparison: an asynchronous stream of views for the browser's board.

Every view is whole, texts included. What goes to the browser is the difference from the view
before, which Gradio makes (for a text that has grown, what was appended) and the browser applies
to the view that it holds. So a view cannot lack what an earlier one had, and the last message of
a comparison carries all of it once more.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from comparator.comparison.written import Place
from comparator.core.text import with_controls_shown
from comparator.hosting.session import Session
from comparator.ui.compare import render
from comparator.ui.compare.columns import Column
from comparator.ui.wakeup import Wakeup

UPDATE_SECONDS = 0.05  # between two at least; tokens come every 0.12 s (runners/protocol.py)
YIELD_SECONDS = 0.25  # a closed tab is noticed at a yield and not before

View = dict[str, Any]
_numbers = itertools.count(1)
