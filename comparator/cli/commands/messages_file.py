"""A conversation that a file or standard input has as JSON."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from comparator.core.conversation import LONGEST_PROMPT_BYTES
from comparator.core.exceptions import ConfigurationError
from comparator.core.text import with_controls_shown
from comparator.core.units import fine_size

STANDARD_INPUT = "-"
MOST_BYTES = 8 * LONGEST_PROMPT_BYTES  # JSON may write a character in six
_NOT_DONE = ("tools", "functions", "documents")  # what a request to a chat API may have besides
_ADVICE = 'It must be a list such as [{"role": "user", "content": "Why?"}].'


def messages_of(place: str) -> list[Any]:
    """Return the messages that a file has; what they say is checked by ``Conversation.of``.

    An object with ``messages``, as programs send it to a chat API, is taken as well.

    Raises:
        ConfigurationError: it cannot be read, is too large or no list of messages; and why.
    """
    name = "Standard input" if place == STANDARD_INPUT else with_controls_shown(place)
    content = _read(place, name)
    try:
        found = json.loads(content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ConfigurationError(f"{name} is not text in UTF-8. {_ADVICE}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(f"{name} is not JSON ({error}). {_ADVICE}") from None
    if isinstance(found, dict):
        _refuse_what_is_not_done(found, name)
        found = found.get("messages")
    if not isinstance(found, list):
        raise ConfigurationError(f"{name} has no list of messages. {_ADVICE}")
    return found


def _refuse_what_is_not_done(request: dict[str, Any], name: str) -> None:
    for key in _NOT_DONE:
        if request.get(key):
            raise ConfigurationError(
                f"{name} has {key}: models are asked with messages alone, and would not be given "
                "them. Leave them out."
            )


def _read(place: str, name: str) -> bytes:
    try:
        if place == STANDARD_INPUT:
            content = sys.stdin.buffer.read(MOST_BYTES + 1)
        else:
            with open(Path(place).expanduser(), "rb") as file:
                content = file.read(MOST_BYTES + 1)
    except (OSError, ValueError, RuntimeError) as error:  # the last: a home that nobody has
        why = getattr(error, "strerror", None) or error
        raise ConfigurationError(f"{name} cannot be read: {why}. Name a file that can.") from None
    if len(content) > MOST_BYTES:
        raise ConfigurationError(
            f"{name} has more than {fine_size(MOST_BYTES)}, and a conversation may have "
            f"{fine_size(LONGEST_PROMPT_BYTES)}. Shorten it."
        )
    return content
