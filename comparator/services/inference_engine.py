"""The library's front door: ask several models, get snapshots of all their answers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from comparator.comparison import turns, warm_up
from comparator.comparison.comparison import Comparison
from comparator.comparison.cooldown import Cooldown
from comparator.comparison.engine_trials.trials import Trials
from comparator.comparison.request import Lesson, Request, Slot
from comparator.comparison.results import error_kind_of
from comparator.comparison.slot_settings import GivenSettings
from comparator.comparison.warm_up import EngineStart
from comparator.core.config import ModelConfig
from comparator.core.conversation import LONGEST_PROMPT_BYTES as LONGEST_PROMPT_BYTES
from comparator.core.conversation import Conversation, Prompt
from comparator.core.countdown import Countdown
from comparator.core.dates import moment_told
from comparator.core.exceptions import ConfigurationError
from comparator.core.models import InferenceResult, ModelInfo, told_apart
from comparator.core.results import Results
from comparator.memory import devices
from comparator.memory.context import said_of
from comparator.memory.fit import Neighbour
from comparator.memory.need import likely_tokens
from comparator.services import prompt_fit
from comparator.services.asking_on import Earlier, request_on
from comparator.services.memory_manager import MemoryManager, Plan
from comparator.services.request_checks import checked_models, settings_of
from comparator.services.token_counts import TokenCounts, tokens_of
from comparator.storage.measurements import Measurements
from runners import protocol, registry
from runners.machine import memory
from runners.process import Deadlines, pickled
from runners.supervision.fork_server import fork_servers

if TYPE_CHECKING:
    from runners.base import BaseInferencer

Factory = Callable[[ModelInfo], "BaseInferencer | None"]

REPLACED = "Characters that are no text were replaced by U+FFFD."
WAIT_SECONDS = 0.1
JOIN_SECONDS = 5.0


class InferenceEngine:
    """Runs comparisons, every model in a child process of its own.

    Attributes:
        memory_manager: decides who may run, and whether together.
        deadlines: how long each stage of a run may take.
        cooldown: makes a model wait that crashed again and again.
        measurements: keeps what runs have shown.
        trials: know what engines may use on this machine.
        token_counts: tells how long prompts are, before a model is loaded.
        active_inferencers: the comparisons under way, by the id of the first of their models
            (with a prime where the same model leads several at once).
    """

    def __init__(
        self,
        memory_manager: MemoryManager | None = None,
        deadlines: Deadlines | None = None,
        cooldown: Cooldown | None = None,
        measurements: Measurements | None = None,
        trials: Trials | None = None,
    ) -> None:
        self.memory_manager = memory_manager or MemoryManager()
        self.deadlines = deadlines or Deadlines()
        self.cooldown = cooldown or Cooldown()
        self.measurements = measurements or Measurements()
        self.trials = trials or Trials()
        self.token_counts = TokenCounts(self.trials)
        self.memory_manager.learn_from(self.trials.figures_of, self.measurements.of)
        self.active_inferencers: dict[str, Comparison] = {}
        self._lock = threading.Lock()  # of the table; comparisons begin and end in many threads
        self._factories: list[Factory] = []

    def run_inference(
        self,
        prompt: Prompt,
        models: Sequence[ModelInfo],
        configs: Mapping[str, ModelConfig] | None = None,
        *,
        system_prompt: str | None = None,
        together: bool = False,
        date: str | None = None,
    ) -> Iterator[Results]:
        """Ask models and yield all results after every change.

        Args:
            prompt: the question; or messages (``{"role": …, "content": …}``) whose last is one.
            models: the models; one that stands twice gets the id ``id#2`` the second time.
            configs: settings by model id; defaults where there are none.
            system_prompt: for every model whose settings have none of their own; the messages'
                own system message by default.
            together: run at once where the memory allows it, instead of one after another.
            date: what chat templates are told where they ask for the time, as a record's
                ``prompt.date`` has it; None for now, the same moment for every model.

        Yields:
            Snapshots by model id that later steps never change. The last one is complete: a
            model that failed says so in ``error`` and never raises. A notebook shows them as a
            table.

        Raises:
            ConfigurationError: the request or a setting is wrong. Nothing was started.
        """
        request = self.request(prompt, models, configs, system_prompt, together, date)
        return self.stream(request)

    def ask_on(self, earlier: Earlier, question: str) -> Iterator[Results]:
        """Ask a further question, each model behind its own answer, and yield as ``run_inference``.

        Models and settings are those of before. What is left out and why is in the results'
        ``notice``: ``comparison.turns`` says when.

        Args:
            earlier: the last results of a comparison, or one of the history.
            question: what is asked now.

        Raises:
            ConfigurationError: the question is wrong, or nobody has an answer to go on from.
        """
        return self.stream(request_on(self, earlier, lambda kept: turns.next_turn(kept, question)))

    def go_on(self, earlier: Earlier) -> Iterator[Results]:
        """Let answers go on that hit their limit or were stopped, and yield as ``run_inference``.

        Each may write as many tokens more as its ``max_tokens`` says; ``content`` is the whole
        answer, the figures are of what is new.

        Raises:
            ConfigurationError: there is none.
        """
        return self.stream(request_on(self, earlier, turns.continued))

    def request(
        self,
        prompt: Prompt,
        models: Sequence[ModelInfo],
        configs: Mapping[str, ModelConfig] | None = None,
        system_prompt: str | None = None,
        together: bool = False,
        date: str | None = None,
        given: Mapping[str, GivenSettings] | None = None,
    ) -> Request:
        """Check a question and its settings. Who may run is decided at the start (``start``).

        ``given`` tells by model id which settings a person gave, which go before those that a
        model's maker advises; without it, what is not as by default counts as given.

        Raises:
            ConfigurationError: what is wrong and what would be right.
        """
        conversation = Conversation.of(prompt)
        system_prompt = system_prompt or conversation.system
        models = told_apart(checked_models(models))
        settings = [settings_of(model, configs or {}, system_prompt) for model in models]
        return Request(
            conversation=conversation,
            slots=[
                Slot.of(model, config, (given or {}).get(model.id))
                for model, config in zip(models, settings, strict=True)
            ],
            wants_together=together,
            factories=pickled(self._factories),
            deadlines=self.deadlines,
            notice=REPLACED if conversation.has_replacements else None,
            date=moment_told(date),
        )

    def prompt_tokens(self, request: Request) -> list[int | None]:
        """Return how many tokens each slot's prompt has, without loading a model.

        None where that cannot be told; ``token_counts.of`` tells the context and a refusal, too.
        Not for an event loop: a child reads the vocabulary.
        """
        return tokens_of(self.token_counts.of(request))

    def again(self, request: Request, slot: int) -> Request:
        """Return the request that asks one column of an earlier request once more.

        The conversation and that model's settings stay as they were.
        """
        alone = request.slots[slot].anew()
        return replace(request, slots=[alone], together=False, wants_together=False)

    def compare(self, request: Request, on_news: Callable[[], None] | None = None) -> Comparison:
        """Start a comparison and return it; ``on_news`` is called from other threads."""
        return self.start(Comparison(request, on_news))

    def start(self, comparison: Comparison) -> Comparison:
        """Start a comparison that was made before, such as one that had to wait in line.

        Who may run is decided now: while it waited, memory was taken or given back. That reads
        files: not for an event loop. Engines are started, and tried where they never were, in a
        thread of the comparison.
        """
        request = comparison.request = self.admitted(comparison.request)
        comparison.on_final = lambda slot, message: self._note(request.slots[slot].model, message)
        comparison.on_result = self._keep
        comparison.on_lesson = self._learn
        start = EngineStart(request, self.trials)
        comparison.is_warm, comparison.advise = start.is_warm, start.advise
        comparison.on_end = start.end
        start.begin()
        self._enter(comparison)
        return comparison.start()

    def warm_up(self, models: Sequence[ModelInfo]) -> None:
        """Start the engines of models that will be asked soon; returns at once."""
        warm_up.chosen(models, self.trials)

    @property
    def keep_warm_seconds(self) -> float:
        """For how long an engine's libraries are kept in memory that nobody uses; for all."""
        return fork_servers.keep_warm_seconds

    @keep_warm_seconds.setter
    def keep_warm_seconds(self, seconds: float) -> None:
        fork_servers.keep_warm_seconds = seconds

    def _enter(self, comparison: Comparison) -> None:
        key = comparison.request.slots[0].model.id
        with self._lock:
            while key in self.active_inferencers:
                key += "'"
            self.active_inferencers[key] = comparison

    def _leave(self, comparison: Comparison) -> None:
        with self._lock:
            for key, other in list(self.active_inferencers.items()):
                if other is comparison:
                    del self.active_inferencers[key]

    def _running(self) -> list[Comparison]:
        with self._lock:
            return list(self.active_inferencers.values())

    def _learn(self, slot: Slot, lesson: Lesson) -> None:
        self.trials.learn(slot.model, lesson.verdict, lesson.learned)
        if lesson.crash:
            self.trials.note_crash(slot.model, lesson.crash)

    def register_inferencer_factory(self, factory: Factory) -> None:
        """Ask this factory first which inferencer runs a model; None leaves it to the others.

        The factory and its class travel to the child process by dill, so that they may be
        defined in a script or a notebook.
        """
        if not callable(factory):
            raise ConfigurationError("An inferencer factory must be callable.")
        pickled([factory])
        self._factories.append(factory)

    def create_inferencer(self, model_info: ModelInfo) -> BaseInferencer:
        """Return an inferencer for use in this process, without isolation.

        Raises:
            EngineMissingError: the engine is not installed.
            ModelLoadError: no factory and no engine takes this model.
        """
        for factory in self._factories:
            inferencer = factory(model_info)
            if inferencer is not None:
                return inferencer
        return registry.create_inferencer(model_info.model_type.value)

    def cleanup_resources(self, timeout_seconds: float = JOIN_SECONDS) -> None:
        """End everything that runs, the fork servers included; the next run starts anew.

        All of it is asked to end first, and then waited for together; what has not ended by
        then ends with its fork server.
        """
        countdown = Countdown(timeout_seconds)
        comparisons = self._running()
        for comparison in comparisons:
            comparison.stop()
        self.trials.stop()
        for comparison in comparisons:
            comparison.join(countdown.left)
            self._leave(comparison)
        self.trials.close(countdown.left)
        fork_servers.close()
        self.memory_manager.cleanup()

    def finish(self, comparison: Comparison) -> None:
        """Stop what is left of a comparison and forget it; waits until its children are gone."""
        comparison.stop()
        comparison.join(JOIN_SECONDS)
        self._leave(comparison)

    def admitted(self, request: Request) -> Request:
        """Decide by memory and by earlier crashes who may run, and whether together.

        As things stand now: ``start`` does it, once, and nobody else need.
        """
        plan = self._plan_with_room(request)
        too_long = prompt_fit.refusals(self.token_counts, request)
        slots = [
            replace(
                slot,
                refusal=self.cooldown.refusal(slot.model) or misfit or refusal,
                needed_bytes=need.host,
                memory_limit_bytes=limit,
                estimated_bytes=need.peak,
                surplus_bytes=need.surplus,
                estimated_device_bytes=need.device,
                gpu_layers=need.gpu_layers,
                context_tokens=context,
                estimate_notice=said_of(slot.model, slot.config, need, context),
            )
            for slot, refusal, misfit, need, limit, context in zip(
                request.slots,
                plan.refusals,
                too_long,
                plan.needs,
                plan.limits,
                plan.contexts,
                strict=True,
            )
        ]
        return replace(request, slots=slots, together=plan.order == "together")

    def _plan_with_room(self, request: Request) -> Plan:
        """Plan, and where that would let more run, end the engines first that nobody uses now."""
        plan = self._plan(request)
        needed = [self.trials.server_of(warm_up.kind_of(slot.model)) for slot in request.slots]
        if plan.rank >= (0, request.wants_together):
            return plan
        roomy = self._plan(request, fork_servers.spare_bytes(needed))
        while plan.rank < roomy.rank and fork_servers.give_back(1, needed):
            plan = self._plan(request)
        return plan

    def _plan(self, request: Request, spare_bytes: int = 0) -> Plan:
        configs = [slot.needed for slot in request.slots]
        texts = [request.asked(slot).as_text() for slot in request.slots]
        return self.memory_manager.plan(
            [slot.model for slot in request.slots],
            configs,
            request.wants_together,
            self._neighbours(),
            likely_tokens(max(texts, key=len)),
            spare_bytes=spare_bytes,
        )

    def _neighbours(self) -> list[Neighbour]:
        """Return the children of this engine that run now, with what they need and hold."""
        return [
            Neighbour(
                self.memory_manager.estimate(slot.model, slot.as_admitted),
                memory.taken_bytes(pid),
                devices.held_by(pid),
            )
            for comparison in self._running()
            for number, pid in comparison.children()
            for slot in [comparison.request.slots[number]]
        ]

    def _note(self, model: ModelInfo, message: protocol.Message) -> None:
        """Take in how a column ended; one that was stopped says nothing of its model."""
        if not isinstance(message, protocol.Cancelled):
            self.cooldown.note(model, error_kind_of(message))

    def _keep(self, slot: Slot, result: InferenceResult) -> None:
        """Keep what a run has shown, beside what was expected by its facts alone."""
        self.measurements.add(result, slot.estimated_bytes - slot.surplus_bytes)

    def stream(self, request: Request) -> Iterator[Results]:
        """Run what is asked and yield snapshots as ``run_inference`` does."""
        return self.watch(Comparison(request))

    def watch(self, comparison: Comparison) -> Generator[Results, None, None]:
        """Run a comparison that was made before and yield its snapshots likewise."""
        self.start(comparison)
        snapshots = comparison.results()
        try:
            while not comparison.is_complete:
                changed = comparison.take_one(WAIT_SECONDS)
                if changed is None:
                    continue
                snapshots[changed] = comparison.result(changed)
                yield Results((result.model_id, result) for result in snapshots)
        finally:
            self.finish(comparison)
