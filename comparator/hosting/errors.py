"""What a server tells its visitors of an error: the one place where that is decided."""

from __future__ import annotations

import logging

from comparator.core.exceptions import MultiLLMError

UNEXPECTED = "Something went wrong inside the page; the server's log has the details. Try again."
log = logging.getLogger(__name__)


def sentence_of(error: BaseException) -> str:
    """Return an error as a sentence; what nobody expected goes to the log and is not shown."""
    if isinstance(error, MultiLLMError):
        return str(error)
    log.error("Something of the page went wrong", exc_info=error)
    return UNEXPECTED
