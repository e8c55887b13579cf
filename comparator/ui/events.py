"""What an event of the page is: values come in and updates go out by widget, never by position.

Gradio hands a set of inputs to a handler as one dictionary by widget, and takes a dictionary by
widget in return, in which a widget that is left out stays as it is. A widget has its name once:
in the dataclass of its tab (``compare/tab.py``, ``library/tab.py``, ``hub/tab.py``) or of the
model lists, which all tabs share (``model_lists.py``).
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import aclosing
from typing import Any

import gradio as gr

from comparator.hosting.errors import sentence_of
from comparator.hosting.session import BusyError

Widget = Any  # Gradio makes a component's events when it runs, so its types do not know them
Handler = Callable[..., Any]
Values = Mapping[Widget, Any]
Updates = dict[Widget, Any]
Tell = Callable[[str], Updates]

QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
AT_ONCE: dict[str, Any] = {**QUIET, "queue": False}
# A look takes a moment: what is changed meanwhile is looked at, too, and not passed over. Never
# "always_last": several lists that change at once then let Gradio tell their changes for ever.
LATEST: dict[str, Any] = {**AT_ONCE, "trigger_mode": "multiple"}
# Waits of its own, which must not hold up another visitor's.
STREAM: dict[str, Any] = {**QUIET, "concurrency_limit": None, "trigger_mode": "multiple"}
NOTE_SECONDS = 4.0
LONGEST_ID = 64  # characters of what an event may name something by


def telling(tell: Tell) -> Callable[[Handler], Handler]:
    """Let the errors of a handler be sentences on the page.

    An event that ends early (a closed tab, a stop) is no error, and neither is ``gr.Error``,
    which Gradio shows itself.

    Args:
        tell: makes the updates that show a sentence.
    """

    def decorate(handler: Handler) -> Handler:
        if inspect.isasyncgenfunction(handler):
            return _telling_stream(handler, tell)
        if inspect.iscoroutinefunction(handler):
            return _telling_coroutine(handler, tell)
        return _telling_call(handler, tell)

    return decorate


def _telling_stream(handler: Handler, tell: Tell) -> Handler:
    @functools.wraps(handler)
    async def stream(*arguments: Any) -> AsyncIterator[Any]:
        # Closed with this one and not when it is collected: a closed tab ends a run at once.
        async with aclosing(handler(*arguments)) as all_updates:
            try:
                async for updates in all_updates:
                    yield updates
            except Exception as error:
                yield _told(error, tell)

    return stream


def _telling_coroutine(handler: Handler, tell: Tell) -> Handler:
    @functools.wraps(handler)
    async def answer(*arguments: Any) -> Any:
        try:
            return await handler(*arguments)
        except Exception as error:
            return _told(error, tell)

    return answer


def _telling_call(handler: Handler, tell: Tell) -> Handler:
    @functools.wraps(handler)
    def answer(*arguments: Any) -> Any:
        try:
            return handler(*arguments)
        except Exception as error:
            return _told(error, tell)

    return answer


def _told(error: Exception, tell: Tell) -> Any:
    if isinstance(error, gr.Error):
        raise error
    if isinstance(error, BusyError):  # what is shown goes on, so it stays
        gr.Info(str(error), duration=NOTE_SECONDS)
        return gr.skip()
    return tell(sentence_of(error))
