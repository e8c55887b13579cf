"""How many tokens files have for the models that are chosen, told before a question is asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from comparator.core.context_files import files_in
from comparator.core.exceptions import ConfigurationError
from comparator.core.models import ModelInfo
from comparator.hosting.host import Host


def file_tokens(host: Host, files: object, chosen: Sequence[object]) -> list[dict[str, Any]]:
    """Return for each file what it is counted for, and its tokens by the name of each model.

    Not on a public page, where each count would be a visitor's process more. What nobody can tell,
    such as while a model is measured, is left out. Starts children: not for the loop.

    Args:
        host: whose models are asked.
        files: as ``with_files`` takes them; what is wrong with them is said when they are asked of.
        chosen: the ids of the chosen models, a slot each.

    Returns:
        ``{"characters": of its text, "tokens": {name: number}}`` for each file.
    """
    try:
        texts = [text for _name, text in files_in(files)]
    except ConfigurationError:
        return []
    if host.options.is_public:
        return []
    known = {model.id: model for model in host.library.table.models()}
    models = [known[one] for one in dict.fromkeys(chosen) if isinstance(one, str) and one in known]
    return [{"characters": len(text), "tokens": _counts(host, models, text)} for text in texts]


def _counts(host: Host, models: Sequence[ModelInfo], text: str) -> dict[str, int]:
    counts = ((model.name, host.engine.token_counts.of_text(model, text)) for model in models)
    return {name: count for name, count in counts if count is not None}
