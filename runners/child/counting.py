"""How many tokens prompts have: a job, so that no tokenizer ever works in the parent."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from comparator.core.config import ModelConfig
from comparator.core.conversation import Conversation
from comparator.core.exceptions import MultiLLMError
from runners import registry
from runners.base import BaseInferencer
from runners.engines.context_fit import check_fits, context_limit
from runners.protocol import JobProgress


def run(arguments: dict[str, Any], progress: JobProgress, should_stop: Callable[[], bool]) -> str:
    """Count the tokens of conversations as one model is given them.

    Args:
        arguments: ``kind`` and ``library`` of the engine; ``path`` and ``name`` of the model;
            ``config``, ``conversations`` and ``date``, as ``protocol.Answer`` has them.
        progress: takes a step, the conversations counted so far, and their number.
        should_stop: asked between them.

    Returns:
        A JSON list with an object for each conversation: ``tokens``, ``context`` (what prompt and
        answer may use together), null where they are not known, and ``refusal``, why it would not
        be answered, empty where it would.
    """
    inferencer = registry.create_inferencer(arguments["kind"], arguments["library"])
    inferencer.date = arguments["date"]
    conversations: tuple[Conversation, ...] = arguments["conversations"]
    told: list[dict[str, Any]] = []
    for number, conversation in enumerate(conversations):
        progress("count tokens", number, len(conversations))
        if should_stop():
            break
        told.append(_told(inferencer, arguments, conversation))
    return json.dumps(told)


def _told(
    inferencer: BaseInferencer, arguments: dict[str, Any], conversation: Conversation
) -> dict[str, Any]:
    config: ModelConfig = arguments["config"]
    tokens = context = None
    try:
        size = inferencer.prompt_size(arguments["path"], config, conversation)
        if size is not None:
            tokens, context = size.tokens, context_limit(config.n_ctx, size.own_limit)
            check_fits(range(size.tokens), arguments["name"], config.n_ctx, size.own_limit)
    except MultiLLMError as error:
        return {"tokens": tokens, "context": context, "refusal": str(error)}
    return {"tokens": tokens, "context": context, "refusal": ""}
