"""Errors of the command line: the one place where they become a sentence and an exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from typing import Any

from comparator.core.exceptions import ConfigurationError, MultiLLMError

FAILED, WRONG, INTERRUPTED = 1, 2, 130


def tell(error: Exception | str) -> None:
    """Write a sentence to standard error."""
    print(f"comparator: {error}", file=sys.stderr, flush=True)


def outcome(program: Callable[..., int | None], options: Mapping[str, Any]) -> int:
    """Run a program and return its exit code: its own, or that of the error that it ended by."""
    try:
        return program(**options) or 0
    except ConfigurationError as error:
        tell(error)
        return WRONG
    except MultiLLMError as error:
        tell(error)
        return FAILED
    except BrokenPipeError:
        sys.stderr.close()  # the reader of our output has gone: nothing to tell
        return FAILED
    except KeyboardInterrupt:
        return INTERRUPTED
