"""Which fork servers to start and when, so that none imports while a model is measured."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from comparator.comparison.engine_trials.trials import Trials
from comparator.comparison.request import Advice, Request, Slot
from comparator.core.models import ModelInfo, ModelType
from comparator.library.facts.lookup import facts_of
from runners import process, registry
from runners.supervision.fork_server import Reservation, fork_servers


def begin(models: Sequence[ModelInfo], trials: Trials | None = None) -> None:
    """Have the engines tried that these models need and that were never tried here.

    It returns at once; the rest goes on behind, unless a model is to run. No other engine is
    started: it is when a model of it is chosen.
    """
    process.make_ready()
    if trials is None:
        return
    kinds = kinds_of(models)

    def work() -> None:
        trials.in_background([kind for kind in kinds if trials.known(kind) is None])

    threading.Thread(target=work, name="comparator-warm-up", daemon=True).start()


def chosen(models: Sequence[ModelInfo], trials: Trials) -> None:
    """Start the fork servers of models that are likely to be asked soon; returns at once.

    Nothing is done while a comparison runs, nor where no server is kept warm.
    """
    if not models or fork_servers.is_reserved or not fork_servers.keep_warm_seconds > 0:
        return

    def work() -> None:
        kinds = [trials.server_of(kind) for kind in kinds_of(models) if process.has_server(kind)]
        modules = modelling_modules(models)
        if not fork_servers.is_reserved:
            fork_servers.warm_up(kinds, modules)

    threading.Thread(target=work, name="comparator-chosen", daemon=True).start()


def note_modules(models: Sequence[ModelInfo]) -> None:
    """Have the code of these models imported by their fork server, not by each of its children."""
    fork_servers.warm_up([], modelling_modules(models))


class EngineStart:
    """Has the engines of one comparison warm and tried before each of its runs.

    All of them begin to import at once. The engine of the slot whose turn it is is waited for;
    what still imports then rests until the run is over (``Reservation``).
    """

    def __init__(self, request: Request, trials: Trials) -> None:
        self._trials = trials
        self._together = request.together
        self._kinds = [
            kind
            for kind in dict.fromkeys(kind_of(s.model) for s in request.slots if not s.refusal)
            if process.has_server(kind) and not registry.missing_requirements(kind)
        ]
        self._modules = modelling_modules([slot.model for slot in request.slots])
        self._reservation: Reservation | None = None

    def begin(self) -> None:
        """Start the fork servers; they are kept until ``end``."""
        fork_servers.warm_up([], self._modules)
        servers = [self._trials.server_of(kind) for kind in self._kinds]
        self._reservation = fork_servers.reserve(servers)

    def is_warm(self, slot: Slot) -> bool:
        """Whether a slot's run can begin at once."""
        return all(
            fork_servers.of(self._trials.server_of(kind)).is_ready
            and self._trials.known(kind) is not None
            for kind in self._kinds_for(slot)
        )

    def advise(self, slot: Slot, should_stop: Callable[[], bool]) -> Advice:
        """Wait until a slot's engine is warm and tried, and return what its run is told.

        Where all run together all engines are waited for, since none may import any more.
        """
        seconds = self._make_ready(self._kinds_for(slot), should_stop)
        if should_stop():
            return Advice()
        verdict, sentences = self._trials.for_model(slot.model, should_stop)
        return Advice(verdict, sentences, seconds)

    def end(self) -> None:
        """Let the fork servers go; harmless when it is done twice."""
        if self._reservation is not None:
            self._reservation.release()

    def _kinds_for(self, slot: Slot) -> list[str]:
        wanted = self._kinds if self._together else [kind_of(slot.model)]
        return [kind for kind in wanted if kind in self._kinds]

    def _make_ready(self, kinds: Sequence[str], should_stop: Callable[[], bool]) -> float:
        """Return for how many seconds engines were imported and tried; 0.0 where all was done."""
        if self._reservation is None:
            return 0.0
        servers = [self._trials.server_of(kind) for kind in kinds]
        waited = self._reservation.make_ready(servers, should_stop)
        untried = [kind for kind in kinds if self._trials.known(kind) is None]
        if not untried or should_stop():
            return waited
        began = time.monotonic()
        for kind in untried:
            self._trials.verdict_for(kind, should_stop)
        servers = [self._trials.server_of(kind) for kind in kinds]  # a trial may choose another
        self._reservation.make_ready(servers, should_stop)
        return waited + time.monotonic() - began


def kind_of(model: ModelInfo) -> str:
    """Return the engine that a model needs; a user's own runs in the light one's process."""
    known = model.model_type is not ModelType.CUSTOM
    return model.model_type.value if known else ModelType.ECHO.value


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
