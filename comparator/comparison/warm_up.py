"""Which fork servers to start before the first question, and what they import."""

from __future__ import annotations

import threading
from collections.abc import Sequence

from comparator.comparison.trials import Trials
from comparator.core.models import ModelInfo, ModelType
from comparator.library.facts.lookup import facts_of
from runners import process, registry
from runners.supervision.fork_server import fork_servers


def begin(models: Sequence[ModelInfo], trials: Trials | None = None) -> None:
    """Start the fork servers that these models need; returns at once, the rest goes on behind.

    Engines that were never tried on this machine are tried then, if trials are given.
    """
    process.make_ready()
    kinds, modules = kinds_of(models), modelling_modules(models)

    def work() -> None:
        servers = [trials.server_of(kind) for kind in kinds] if trials else kinds
        fork_servers.warm_up(servers, modules)
        if trials:
            trials.in_background(kinds)

    threading.Thread(target=work, name="comparator-warm-up", daemon=True).start()


def kinds_of(models: Sequence[ModelInfo]) -> list[str]:
    """Return the engines that these models need and that are installed, by name."""
    kinds = {model.model_type.value for model in models if not model.problem}
    known = kinds & set(registry.ENGINES)
    return sorted(kind for kind in known if not registry.missing_requirements(kind))


def modelling_modules(models: Sequence[ModelInfo]) -> list[str]:
    """Return the modules of transformers that hold the code of these models.

    A name that does not exist is harmless: the fork server passes over it.
    """
    architectures = {
        facts_of(model).architecture or ""
        for model in models
        if model.model_type is ModelType.PYTORCH and not model.problem
    }
    names = sorted(name.replace("-", "_") for name in architectures)
    return [f"transformers.models.{n}.modeling_{n}" for n in names if n.isidentifier()]
