"""What clients of an endpoint are told of an error: a sentence, with no traceback anywhere."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import gradio as gr

from comparator.hosting.errors import sentence_of


def refusal(sentence: str) -> gr.Error:
    """Return the error that tells a client this sentence."""
    return gr.Error(sentence, print_exception=False)


@contextlib.contextmanager
def refusing() -> Iterator[None]:
    """Let the errors of the body be sentences for the client.

    Raises:
        gr.Error: the body has failed.
    """
    try:
        yield
    except gr.Error:
        raise
    except Exception as error:
        raise refusal(sentence_of(error)) from error
