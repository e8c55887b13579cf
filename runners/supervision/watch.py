"""The parent's eye on one child: what it tells, what it prints, its deadlines and its end.

Lives in the pump thread of ``runners.process`` alone.
"""

from __future__ import annotations

import selectors
import socket
import threading
import time
from typing import Union

import msgspec

from comparator.core.config import ModelConfig
from comparator.core.text import with_controls_shown, without_surrogates
from runners import exit_diagnosis, protocol
from runners.executor import Deliver
from runners.machine import memory, nvml
from runners.machine.memory_samples import MemorySamples
from runners.supervision import termination
from runners.supervision.allowance import Allowance
from runners.supervision.answer_order import AnswerOrder
from runners.supervision.fork_server import ForkedChild, SpawnedChild
from runners.supervision.zero_gpu import LentChild
from runners.timeouts import Deadlines

LOG_TAIL_BYTES = 65_536
LOG_TAIL_LINES = 200
READ_BYTES = 262_144
READS_AT_ONCE = 16  # then the clock is minded, so that a flood cannot hold the pump
POLL_SECONDS = 0.05
FULL_BYTES = 65_536  # who tells so much between two looks is read without a rest
SAMPLE_SECONDS = 0.25
WRITING_SAMPLE_SECONDS = 5.0  # a look at its memory takes time from a writing model
KEEPING_WAYS = ("llama.cpp",)  # their buffers for a prompt stay until the end
EXIT_GRACE_SECONDS = 0.5  # after its final message a child has this long to be gone

Child = Union[ForkedChild, SpawnedChild, LentChild]  # noqa: UP007


def _until_next_look() -> float:
    return protocol.LOOK_SECONDS - time.monotonic() % protocol.LOOK_SECONDS


class Watch:
    """Reads one child until it is gone. Lives in the pump thread alone."""

    def __init__(
        self,
        child: Child,
        wire: socket.socket,
        log: socket.socket,
        deliver: Deliver,
        deadlines: Deadlines,
        stop_asked: threading.Event,
        stop_bell: socket.socket,
        needed_bytes: int = 0,
        limit_bytes: int = 0,
        answers: int = 1,
        at_once: int = 1,
        config: ModelConfig | None = None,
        samples: MemorySamples | None = None,
    ) -> None:
        self._child = child
        self._wire, self._log = wire, log
        self._deliver = deliver
        self._deadlines = deadlines
        self._stop_asked, self._stop_bell = stop_asked, stop_bell
        self._lines = protocol.LineReader()
        self._log_bytes = bytearray()
        self._final: protocol.Message | None = None
        self._termination: termination.Termination | None = None
        self._channel_closed = False
        self._latest_bytes = 0
        self._began = self._last_sign = time.monotonic()
        self._final_at: float | None = None
        self._next_sample = self._next_look = self._look_seconds = 0.0
        self.stage = "start"
        self._order = AnswerOrder(answers, at_once)
        self._allowance = Allowance(config, answers)
        self.peak_bytes = 0
        self.peak_device_bytes = 0
        self.exit_seconds = 0.0
        self._needed_bytes, self._limit_bytes = needed_bytes, limit_bytes
        self._least_available = self._latest_available = memory.available_bytes()
        self._memory_kills = memory.kills()
        self._has_devices = bool(nvml.devices())
        self._samples = samples or MemorySamples(self._began)

    @property
    def fork_server_died(self) -> bool:
        """Whether the child vanished since its fork server did, without a final message."""
        return self._child.fork_server_died and self._final is None

    @property
    def tokens_seen(self) -> int:
        """How many tokens the child has told."""
        return self._order.tokens

    @property
    def ending(self) -> bool:
        """Whether the parent itself has begun to end the child."""
        return self._termination is not None and self._termination.rung > 0

    def until_gone(self) -> None:
        """Read everything until the child has been reaped, then what is left on the pipe."""
        with selectors.DefaultSelector() as selector, selectors.DefaultSelector() as its_end:
            self._register(selector, its_end)
            while self._child.poll() is None and not self._is_unborn():
                for key, _events in selector.select(self._wait_seconds()):
                    if key.data is not None and not key.data():
                        selector.unregister(key.fileobj)
                self._mind_the_clock()
                if self._may_rest():
                    its_end.select(_until_next_look())
        self._read_wire()
        self._read_log()
        if self._final_at is not None:
            self.exit_seconds = time.monotonic() - self._final_at
        if self._child.pid is not None:
            termination.kill_group(self._child.pid)  # grandchildren that outlived it

    def _may_rest(self) -> bool:
        """Whether tokens may gather: a reader that wakes for each takes time from the model.

        The first is never kept waiting, and neither is who asks for a stop.
        """
        is_writing = self.stage == "generate" and not self.ending and self._final is None
        return is_writing and self._latest_bytes < FULL_BYTES

    def _is_unborn(self) -> bool:
        """Whether the run ended before a busy or stopped fork server forked its child."""
        return self._final is not None and self._child.pid is None

    def final_message(self) -> protocol.Message:
        """Return the one message that ends the run."""
        tail = self.log_tail()
        if isinstance(self._final, protocol.Failed):
            return self._reconsidered(self._final, tail)
        if self._final is not None:
            return self._final
        if self._child.fork_server_died:
            return protocol.Crashed(None, exit_diagnosis.ZYGOTE_DIED, self.stage, tail)
        code = self._child.poll()
        if self._child.trouble:
            kind = "crashed" if self._child.pid else "refused"
            return protocol.Crashed(None, self._child.trouble, self.stage, tail, kind)
        kind, cause = exit_diagnosis.judge(self._evidence(None if self.ending else code, tail))
        return protocol.Crashed(code, cause, self.stage, tail, kind)

    def _reconsidered(self, final: protocol.Failed, tail: str) -> protocol.Failed:
        told = exit_diagnosis.reconsidered(final.kind, final.message, self._evidence(0, tail))
        return msgspec.structs.replace(final, kind=told[0], message=told[1])

    def _evidence(self, exit_code: int | None, tail: str) -> exit_diagnosis.Evidence:
        return exit_diagnosis.Evidence(
            exit_code,
            tail,
            available_bytes=min(self._least_available, memory.available_bytes()),
            total_bytes=memory.total_bytes(),
            peak_bytes=self.peak_bytes,
            needed_bytes=self._needed_bytes,
            limit_bytes=self._limit_bytes,
            killed_for_memory=memory.kills() > self._memory_kills,
        )

    def log_tail(self) -> str:
        """Return the last lines that the child printed, safe to show."""
        text = without_surrogates(bytes(self._log_bytes).decode("utf-8", "replace"))
        return "\n".join(with_controls_shown(text).splitlines()[-LOG_TAIL_LINES:])

    def _register(self, selector: selectors.BaseSelector, its_end: selectors.BaseSelector) -> None:
        for channel, read in ((self._wire, self._read_wire), (self._log, self._read_log)):
            channel.setblocking(False)
            selector.register(channel, selectors.EVENT_READ, read)
        if self._child.fileno() >= 0:
            selector.register(self._child.fileno(), selectors.EVENT_READ, None)
            its_end.register(self._child.fileno(), selectors.EVENT_READ)
        selector.register(self._stop_bell, selectors.EVENT_READ, lambda: False)
        its_end.register(self._stop_bell, selectors.EVENT_READ)

    def _wait_seconds(self) -> float:
        return 0.01 if self.ending or self._final is not None else POLL_SECONDS

    def _read_wire(self) -> bool:
        """Take in what the child told; return whether the channel is still open."""
        self._latest_bytes = 0
        for _ in range(READS_AT_ONCE):
            data = self._receive(self._wire)
            if data is None:
                break
            if not data:
                self._channel_closed = True
                return False
            self._latest_bytes += len(data)
            self._take_in(data)
        return True

    def _read_log(self) -> bool:
        for _ in range(READS_AT_ONCE):
            data = self._receive(self._log)
            if data is None:
                break
            if not data:
                return False
            self._log_bytes += data
            del self._log_bytes[:-LOG_TAIL_BYTES]
        return True

    @staticmethod
    def _receive(channel: socket.socket) -> bytes | None:
        try:
            return channel.recv(READ_BYTES)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def _take_in(self, data: bytes) -> None:
        if self.ending or isinstance(self._final, (protocol.Cancelled, protocol.TimedOut)):
            return  # nothing counts after the parent has ended the run
        try:
            if self._final is not None:
                raise protocol.ProtocolError("more than a run has to tell")
            self._allowance.count_bytes(len(data))
            for message in self._lines.feed(data):
                if self._final is not None:
                    raise protocol.ProtocolError("more messages than a run has")
                self._allowance.count(message)
                self._receive_message(message)
        except protocol.ProtocolError as error:
            self._break_off(error)

    def _receive_message(self, message: protocol.ChildMessage) -> None:
        self._last_sign = time.monotonic()
        self._order.check(message)
        if isinstance(message, (protocol.Finished, protocol.Failed)):
            self._note_end(message)
            return
        if isinstance(message, protocol.Loading):
            self.stage = "load"
        elif isinstance(message, protocol.Loaded):
            self.stage = "prompt"
            if message.way in KEEPING_WAYS:
                self._look_seconds = WRITING_SAMPLE_SECONDS
                self._next_look = time.monotonic() + self._look_seconds
        elif isinstance(message, protocol.Token):
            self._begin_to_write()
        elif isinstance(message, protocol.Answered) and self._order.is_between:
            self.stage = "prompt"  # of the next answer
        if not self.ending:
            self._deliver(message)

    def _begin_to_write(self) -> None:
        if self.stage != "generate":
            self.stage = "generate"
            self._next_sample = time.monotonic() + WRITING_SAMPLE_SECONDS

    def _note_end(self, message: protocol.Finished | protocol.Failed) -> None:
        self.peak_bytes = max(self.peak_bytes, message.peak_bytes)
        if message.peak_bytes:  # the child has just looked
            self._samples.add(self._latest_available, message.peak_bytes)
        if isinstance(message, protocol.Finished):
            self.peak_device_bytes = max(self.peak_device_bytes, message.peak_device_bytes)
        if self._final is None:
            self._end_with(message)

    def _end_with(self, message: protocol.Message) -> None:
        self._final = message
        self._final_at = time.monotonic()

    def _break_off(self, error: protocol.ProtocolError) -> None:
        self._end_with(
            protocol.Failed(
                self.stage,
                "crashed",
                f"The model process sent something that is no message of a run: {error}. "
                "It was ended; its file may be hostile or its engine broken.",
            )
        )
        self._termination = termination.Termination()
        self._termination.skip_to_kill()

    def _mind_the_clock(self) -> None:
        now = time.monotonic()
        self._notice_reasons_to_end(now)
        if self._termination is not None and self._child.pid is not None:
            self._termination.climb(self._child.pid)
        elif now >= self._next_sample and self._child.pid is not None:
            is_writing = self.stage == "generate"
            self._next_sample = now + (WRITING_SAMPLE_SECONDS if is_writing else SAMPLE_SECONDS)
            self._latest_available = memory.available_bytes()
            self._least_available = min(self._least_available, self._latest_available)
            if now >= self._next_look:
                self._next_look = now + self._look_seconds
                self._look(self._child.pid)
            else:
                self._samples.add(self._latest_available)

    def _look(self, pid: int) -> None:
        """Note what the child holds. The kernel walks all its pages for it, some 10 ms a look.

        While a prompt is read that time is the model's: an engine that keeps what it then takes
        is looked at when it ends.
        """
        own = memory.private_bytes(pid)
        held = nvml.held_on_each(pid) if self._has_devices else []
        self.peak_bytes = max(self.peak_bytes, own)
        self.peak_device_bytes = max(self.peak_device_bytes, sum(held))
        self._samples.add(self._latest_available, own or None, held or None)

    def _notice_reasons_to_end(self, now: float) -> None:
        if self._final is not None:
            if self._termination is None and now - (self._final_at or now) > EXIT_GRACE_SECONDS:
                self._termination = termination.Termination()
            return
        if self._stop_asked.is_set():
            self._end_with(protocol.Cancelled(self.stage))
            self._termination = termination.Termination()
        elif self._channel_closed:
            self._channel_closed = False
            self._termination = self._termination or termination.Termination(
                next_at=now + EXIT_GRACE_SECONDS
            )
        else:
            self._notice_deadlines(now)

    def _patience(self) -> tuple[float | None, str]:
        """Return how long there may be no sign of life now, in seconds, and in which stage.

        Prompts that are read together have as long as if they were read one after another, also
        where other answers wait for them.
        """
        reading = self._order.reading
        stage = "prompt" if reading else self.stage
        limit = self._deadlines.of(stage)
        return None if limit is None else limit * max(1, reading), stage

    def _notice_deadlines(self, now: float) -> None:
        patience, stage_now = self._patience()
        for limit, since, stage in (
            (patience, self._last_sign, stage_now),
            (self._deadlines.total_seconds, self._began, "whole run"),
        ):
            if limit is not None and now - since > limit and self._termination is None:
                self._end_with(protocol.TimedOut(stage, limit))
                self._termination = termination.Termination()
