"""What stands between a prompt and the begin of an answer that is to be gone on with.

Usually nothing: the model writes its answer right there. But the prompt of a reasoning model may
end inside a thought, which is closed then, empty: what was thought is not put back. And gpt-oss
writes its answer into a channel, whose name goes before it.
"""

from __future__ import annotations

from runners.engines.prompt_end import end_of, ends_in_channel, opened_pair
from runners.engines.template_thoughts import marks_of
from runners.engines.thinking import CHANNEL, MESSAGE

EMPTY_THOUGHT = (
    "The begin of the answer was put behind what the model writes before one, an empty thought or "
    "the name of a channel: what it had thought is not given back to it."
)
_FINAL = f"{CHANNEL}final{MESSAGE}"
_NEXT_CHANNEL = "<|end|><|start|>assistant"


def before_begun(prompt: str, after_messages: str | None, source: str) -> str:
    """Return what stands before the begin of an answer; empty where nothing need.

    Args:
        prompt: as the template renders it.
        after_messages: what the template wrote behind all messages, None where that is not known.
        source: the template's, in Jinja.
    """
    marks = marks_of(source)
    if CHANNEL in source and MESSAGE in source:
        return (_NEXT_CHANNEL if ends_in_channel(prompt, after_messages) else "") + _FINAL
    pair = opened_pair(prompt, after_messages, marks)
    if pair is None:
        return ""
    end = end_of(prompt, after_messages)
    return ("\n" if end.endswith("\n") else "\n\n") + pair.closer + "\n\n"
