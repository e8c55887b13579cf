"""From the messages of one child to the result that people see: a fold, nothing else."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import msgspec

from comparator.comparison.disturbance import DECODE, LOAD, PREFILL, Beside, disturbance
from comparator.comparison.request import Advice
from comparator.comparison.written import Written
from comparator.core.config import ModelConfig
from comparator.core.conversation import Conversation
from comparator.core.models import (
    InferenceResult,
    InferenceStats,
    ModelInfo,
    ModelType,
    PromptReport,
    RunState,
)
from runners import protocol
from runners.executor import Receipt
from runners.machine.processor_share import ProcessorShare, together


def error_kind_of(message: protocol.Message) -> str | None:
    """Return the error_kind of a final message; None for an answer, and for a stop."""
    if isinstance(message, (protocol.Failed, protocol.Crashed)):
        return message.kind
    return "timeout" if isinstance(message, protocol.TimedOut) else None


NO_TEMPLATE = "No chat template in this model: the plain prompt is used."
WITH_TEMPLATES = (ModelType.GGUF, ModelType.PYTORCH)
# What is not known of an answer that was written beside others: it shared every step with them.
SPEEDS_OF_ONE = (
    "tokens_per_second",
    "characters_per_second",
    "time_to_first_token",
    "time_to_first_answer_token",
)
# Far more than any run has to say; a child that tells ever more must not slow its parent.
MOST_SAID = 5 * protocol.MOST_SENTENCES  # sentences


class ResultBuilder:
    """Takes the messages of one run and hands out snapshots that never change later."""

    def __init__(
        self,
        model: ModelInfo,
        config: ModelConfig,
        notice: str | None = None,
        conversation: Conversation | None = None,
        answer: int = 0,
        sources: Mapping[str, str] | None = None,
    ) -> None:
        """Begin with what is known before a run.

        Args:
            model: the model asked.
            config: every setting sent.
            notice: what a reader should know from the start.
            conversation: what it is asked; the settings' system prompt goes before it.
            answer: the number of the answer among those of one run.
            sources: where each setting comes from.
        """
        begun = conversation.begun if conversation else ""
        self.written = Written(begun)
        self._kind = model.model_type
        self._began: float | None = None
        self._fallbacks: tuple[str, ...] = ()
        self._said = 0  # sentences added to the notice
        self._wall_clock_offset = time.time() - time.monotonic()  # once: clocks may jump
        self._result = InferenceResult(
            model_id=model.id,
            content="",
            is_complete=False,
            error=None,
            stats=InferenceStats(start_time=time.time()),
            model=model,
            config=asdict(config),
            config_sources=dict(sources or {}),
            prompt=PromptReport(messages=_messages(conversation, config), continued=len(begun)),
            notice=notice,
        )
        self._answer = answer
        self._answered: protocol.Answered | None = None
        self._shares: dict[str, ProcessorShare] = {}  # by stage

    @property
    def is_complete(self) -> bool:
        """Whether the final message has come."""
        return self._result.is_complete

    @property
    def state(self) -> RunState:
        """Where the run stands."""
        return self._result.state

    def wait_for_start(self) -> None:
        """Note that its turn has come, and that its engine is not warm yet."""
        self._change(state=RunState.STARTING)

    def begin(self, at: float, advice: Advice | None = None) -> None:
        """Start the clocks (``at`` of ``time.monotonic``), with what is known of the start."""
        advice = advice or Advice()
        self._began = at
        self._change(state=RunState.LOADING, sent=dict(advice.sent))
        self._count(
            start_time=self._wall_clock_offset + at,
            start_seconds=advice.start_seconds,
            files_cached=advice.files_cached,
        )
        self._say(advice.notice)

    def snapshot(self, with_content: bool = True) -> InferenceResult:
        """Return the result as it stands, independent of what comes later."""
        stats = replace(self._result.stats)
        if not self._result.is_complete:
            stats.tokens_per_second = self.written.tokens_per_second()
            stats.characters_per_second = self.written.characters_per_second()
        content = self.written.answer if with_content else ""
        thinking = self.written.thinking(with_content)
        return replace(self._result, content=content, stats=stats, thinking=thinking)

    def keep_evidence(
        self,
        receipt: Receipt | None,
        log_tail: str,
        estimates: Mapping[str, int] | None = None,
        beside: Sequence[str] = (),
    ) -> None:
        """Note what the parent knows of a child that is gone; before its final message.

        Args:
            receipt: what it took.
            log_tail: the last that it printed.
            estimates: what was expected.
            beside: what of this program worked beside it.
        """
        self._change(log_tail=log_tail)
        if receipt is not None:
            self._count(memory_usage=receipt.peak_bytes)
            if receipt.peak_device_bytes:
                self._count(device_memory_usage=receipt.peak_device_bytes)
            said = {**asdict(receipt), **(estimates or {}), "background_work": list(beside)}
            self._change(receipt=said)

    def judge(self, beside: Beside) -> None:
        """Note what its process got of the processor, and say where that was too little.

        Before its final message; ``beside`` is what of this program ran at the same time.
        """
        if not self._shares:
            return
        found = disturbance(self._shares, beside)
        answer = [self._shares[stage] for stage in (PREFILL, DECODE) if stage in self._shares]
        share = together(answer).share
        by_stage = {stage: self._shares.get(stage) for stage in (LOAD, PREFILL, DECODE)}
        self._count(
            cpu_share=share,
            cpu_shares={stage: got.share if got else None for stage, got in by_stage.items()},
            disturbed=list(found.stages),
        )
        seconds = {stage: asdict(got) for stage, got in by_stage.items() if got}
        self._change(receipt={**self._result.receipt, "processor": seconds})
        self._say(found.said_of(beside, share))

    def take(self, message: protocol.Message, at: float) -> None:
        """Fold in one message that came ``at`` a moment of ``time.monotonic``."""
        if self.is_complete or getattr(message, "answer", self._answer) != self._answer:
            return  # the final message is the last one; others' answers are theirs
        if isinstance(message, protocol.Token):
            self._token(message)
        elif isinstance(message, protocol.Hello):
            self._change(engine={"sandbox": message.sandbox, "fallbacks": list(self._fallbacks)})
        elif isinstance(message, protocol.FellBack):
            self._fell_back(message)
        elif isinstance(message, protocol.Loading):
            share = min(1.0, message.done / message.total) if message.total > 0 else None
            self._change(state=RunState.LOADING, progress=share)
        elif isinstance(message, protocol.Loaded):
            self._loaded(message)
        elif isinstance(message, protocol.Prompted):
            self._prompted(message)
        elif isinstance(message, protocol.Answered):
            self.written.take_rest(message)
            self._note_times()
            self._answered = message
            self._got(PREFILL, message.prefill)
            self._got(DECODE, message.decode)
        elif isinstance(message, protocol.FINAL):
            self._end(message, at)

    def _token(self, message: protocol.Token) -> None:
        if self.written.is_empty:
            self._change(state=RunState.WRITING)
        self.written.take(message)
        self._note_times()

    def _note_times(self) -> None:
        stats, written = self._result.stats, self.written
        stats.token_count = written.tokens
        stats.time_to_first_token = written.first_token
        stats.time_to_first_answer_token = written.first_answer_token

    def _loaded(self, message: protocol.Loaded) -> None:
        engine = {
            "name": message.engine,
            "device": message.device,
            "dtype": message.dtype,
            "threads": message.threads,
            "context_length": message.context_length,
            "sandbox": self._result.engine.get("sandbox", ""),
            "way": message.way,
        }
        self._change(state=RunState.READING, progress=None, engine=engine)
        self._count(load_seconds=message.seconds)
        self._got(LOAD, message.processor)
        self._add_fallbacks(message.fallbacks)

    def _fell_back(self, message: protocol.FellBack) -> None:
        if message.again:
            self._change(state=RunState.LOADING, progress=None)
        self._add_fallbacks(message.sentences)

    def _add_fallbacks(self, sentences: Sequence[str]) -> None:
        """Note what is off, each sentence once, in a list that earlier snapshots do not share."""
        if len(self._fallbacks) < MOST_SAID:
            self._fallbacks = tuple(dict.fromkeys((*self._fallbacks, *sentences)))
        self._change(engine={**self._result.engine, "fallbacks": list(self._fallbacks)})

    def _prompted(self, message: protocol.Prompted) -> None:
        self._change(
            state=RunState.READING,
            prompt=replace(
                self._result.prompt,
                rendered=message.rendered_prompt,
                template_source=message.template_source,
                dropped_tokens=message.dropped_tokens,
                date=message.date,
                notes=list(message.notes),
                special=_within(message.special, len(message.rendered_prompt)),
                first_token=message.first_token,
            ),
        )
        self._count(prompt_tokens=message.prompt_tokens)
        if self._lacks_template(message):
            self._say(NO_TEMPLATE)
        for note in message.notes:
            self._say(note)

    def _lacks_template(self, message: protocol.Prompted) -> bool:
        wanted = self._result.config.get("prompt_format") != "plain"
        told = message.template_source == "none" and message.prompt_tokens > 0
        return wanted and told and self._kind in WITH_TEMPLATES

    def _end(self, message: protocol.Message, at: float) -> None:
        if isinstance(message, protocol.Finished):
            if message.fallbacks:
                self._add_fallbacks(message.fallbacks)
            self._finish_answered(at)
        elif isinstance(message, protocol.Failed):
            self._finish(at, "error", message.message, message.kind)
        elif isinstance(message, protocol.Crashed):
            tokens = self.written.tokens
            after = f" It had written {tokens} tokens." * bool(tokens)
            self._finish(at, "error", message.cause + after, message.kind)
        elif isinstance(message, protocol.TimedOut):
            self._finish(at, "error", _timed_out(message), "timeout")
        else:
            self._finish(at, "cancelled")

    def _finish_answered(self, at: float) -> None:
        """End by how its answer ended; one that never began was not wanted any more."""
        answered = self._answered
        if answered is None:
            self._finish(at, "cancelled")
        else:
            self._say(_unanswered(answered, self.written, self._result.config))
            error, kind = answered.error or None, answered.error_kind or None
            self._finish(at, answered.reason, error, kind)

    def _finish(
        self, at: float, reason: str, error: str | None = None, kind: str | None = None
    ) -> None:
        state = RunState.FAILED if error else RunState.DONE
        if reason == "cancelled":
            state = RunState.STOPPED
        self._change(state=state, progress=None, error=error, error_kind=kind, is_complete=True)
        elapsed = at - self._began if self._began is not None else 0.0
        self._count(
            end_time=self._result.stats.start_time + elapsed,
            finish_reason=reason,
            tokens_per_second=self.written.tokens_per_second() or 0.0,
            characters_per_second=self.written.characters_per_second() or 0.0,
        )
        if self._answered is not None and self._answered.batch > 1:
            self._count(**dict.fromkeys(SPEEDS_OF_ONE))

    def _got(self, stage: str, told: protocol.ProcessorTime | None) -> None:
        """Note what a child says that it got; its share is counted here."""
        if told is not None:
            self._shares[stage] = together([ProcessorShare(**msgspec.structs.asdict(told))])

    def _say(self, sentence: str) -> None:
        """Add to what a reader should know, each sentence once and not without end."""
        said = self._result.notice or ""
        if sentence and self._said < MOST_SAID and sentence not in said:
            self._said += 1
            self._change(notice=f"{said} {sentence}".strip())

    def _change(self, **values: Any) -> None:
        self._result = replace(self._result, **values)

    def _count(self, **values: Any) -> None:
        self._result = replace(self._result, stats=replace(self._result.stats, **values))


def _within(places: Sequence[int], length: int) -> list[int]:
    """Return begins and ends as a child told them where they are in order; else none of them."""
    told = list(places)
    is_right = len(told) % 2 == 0 and told == sorted(told) and all(p <= length for p in told)
    return told if is_right else []


def _messages(conversation: Conversation | None, config: ModelConfig) -> list[dict[str, str]]:
    if conversation is None:
        return []
    return conversation.with_system(config.system_prompt).records()


def _unanswered(answered: protocol.Answered, written: Written, config: dict[str, Any]) -> str:
    """Return a sentence where a model thought and came to no answer; empty where it did."""
    if written.has_answer or written.thinking(with_text=False) is None:
        return ""
    if answered.reason == "length":
        return (
            f"All {written.tokens} tokens were spent on thinking, so there is no answer. Raise "
            "max_tokens (or n_ctx), or set thinking=off where the chat template knows it."
        )
    if answered.reason != "stop":
        return ""
    stops = " Its stop texts end thoughts as well as answers." if config.get("stop") else ""
    return f"The model ended within its thoughts, so there is no answer.{stops}"


def _timed_out(message: protocol.TimedOut) -> str:
    stage = {
        "start": "starting",
        "load": "loading",
        "prompt": "reading the prompt",
        "generate": "writing",
        "whole run": "the whole run",
    }.get(message.stage, message.stage)
    return (
        f"No sign of life for {message.limit:g} s while {stage}, so the model process was ended. "
        if message.stage != "whole run"
        else f"The whole run took longer than {message.limit:g} s, so it was ended. "
    ) + "A smaller model or context is faster; the limit can be raised."
