"""A fake engine without weights: it repeats the prompt, at a speed and with a fate of choice.

Its model file is JSON whose name ends in ``.echo.json``; every key is optional::

    {"text": "what to answer instead of the prompt", "tokens": 64, "tokens_per_second": 50,
     "load_seconds": 0.2, "fault": "sigkill", "fault_stage": "generate", "fault_after": 3}

``fault`` names an entry of FAULTS, ``fault_stage`` is ``load``, ``prompt`` or ``generate``,
``fault_after`` counts the tokens written before it happens. ``"stamps": true`` makes each token
the time at which it leaves (``time.monotonic``, seconds), from which a client on the same
machine reads off its delay.

An answer that has begun as this one would is gone on with; any other is answered behind.
"""

from __future__ import annotations

import ctypes
import itertools
import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from comparator.core.config import USUAL_CONTEXT_TOKENS, ModelConfig
from comparator.core.conversation import Prompt
from comparator.core.exceptions import InferenceError, ModelLoadError
from runners.base import (
    End,
    Piece,
    PromptSize,
    PromptTokens,
    TokenInferencer,
    TokenText,
    as_conversation,
)
from runners.engines.context_fit import check_fits
from runners.engines.template_arguments import arguments_of

_STEP_SECONDS = 0.02


def _raise() -> None:
    raise RuntimeError("the echo engine was told to fail")


def _signal_self(number: int) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


def _hang() -> None:
    while True:
        time.sleep(1)


def _spin() -> None:
    while True:
        pass


def _hold_interpreter() -> None:
    """Sleep in C without giving the interpreter lock back, as a hung native call does."""
    ctypes.PyDLL(None).sleep(3600)


def _exhaust_memory() -> None:
    raise MemoryError


def _print_and_abort() -> None:
    sys.stderr.write("ggml.c:1: GGML_ASSERT(n_layer > 0) failed\n")
    sys.stderr.flush()
    os.abort()


FAULTS: dict[str, Callable[[], Any]] = {
    "abort": _print_and_abort,
    "exit_0": lambda: os._exit(0),
    "exit_3": lambda: os._exit(3),
    "hang": _hang,
    "hold_interpreter": _hold_interpreter,
    "memory": _exhaust_memory,
    "raise": _raise,
    "sigkill": _signal_self(signal.SIGTERM if sys.platform == "win32" else signal.SIGKILL),
    "sigsegv": lambda: ctypes.string_at(0),
    "sigstop": _signal_self(getattr(signal, "SIGSTOP", signal.SIGTERM)),
    "spin": _spin,
    "system_exit": lambda: sys.exit(4),
}


class EchoInferencer(TokenInferencer):
    """Streams words back; see the module's docstring for what its file may ask of it."""

    takes_conversations = True

    def __init__(self) -> None:
        super().__init__()
        self.way = "echo"
        self._config = ModelConfig()

    def load_model(self, model_path: str, config: Mapping[str, Any] | ModelConfig) -> None:
        """Read the script at the path and take as long as it says.

        Raises:
            ModelLoadError: the file is not a JSON object.
            ConfigurationError: it is told what only a chat template could be told.
        """
        self.model = self._read(model_path)
        self._config = ModelConfig.of(config)
        arguments_of(self._config, None)
        self._meet_fault("load", 0)
        self._take(float(self.model.get("load_seconds", 0)))
        self.is_loaded = True

    def prompt_size(
        self, model_path: str, config: Mapping[str, Any] | ModelConfig, prompt: Prompt
    ) -> PromptSize:
        """Return how many words a prompt has."""
        self._read(model_path)
        self._config = ModelConfig.of(config)
        return PromptSize(self._count(*self._text(prompt)))

    def pieces(self, prompt: Prompt) -> Iterator[Piece]:
        """Yield the prompt's report, every word as a token, and the end."""
        if not self.is_loaded:
            raise InferenceError("Model not loaded. Call load_model first.")
        self._meet_fault("prompt", 0)
        text, begun = self._text(prompt)
        words = range(self._count(text, begun))
        check_fits(words, "the echo engine", self._config.n_ctx, None)
        yield PromptTokens(len(words), text + begun, "none")
        limit = self._config.max_tokens
        answer = self._going_on(text, begun)
        for count, word in enumerate(itertools.islice(answer, limit)):
            self._meet_fault("generate", count)
            self._pace()
            yield TokenText(f"{time.monotonic():.6f} " if self.model.get("stamps") else word)
            if self.should_stop():
                yield End("cancelled")
                return
        self._meet_fault("generate", None)
        yield End("length" if next(answer, None) is not None else "stop")

    def unload_model(self) -> None:
        """Forget the script."""
        self.model = None
        self.is_loaded = False

    def get_model_info(self) -> dict[str, Any]:
        """Return what is shown of this engine."""
        if not self.is_loaded:
            return {}
        context = self._config.n_ctx or USUAL_CONTEXT_TOKENS
        return {"model_type": "echo", "device": "cpu", "engine": "echo", "context_length": context}

    @staticmethod
    def _read(model_path: str) -> dict[str, Any]:
        try:
            with open(model_path, encoding="utf-8") as file:
                script = json.load(file)
        except (OSError, ValueError) as error:
            raise ModelLoadError(f"{model_path} is not an echo model: {error}.") from error
        if not isinstance(script, dict):
            raise ModelLoadError(f"{model_path} is not an echo model: it must be a JSON object.")
        return script

    @staticmethod
    def _words(text: str) -> list[str]:
        return re.findall(r"\S+\s*", text) or [text]

    def _count(self, text: str, begun: str) -> int:
        return len(self._words(text)) + (len(self._words(begun)) if begun else 0)

    def _answer(self, prompt: str) -> Iterator[str]:
        words = self._words(str(self.model.get("text", prompt)))
        total = int(self.model.get("tokens", len(words)))
        return itertools.islice(itertools.cycle(words), total)

    def _text(self, prompt: Prompt) -> tuple[str, str]:
        """Return what is repeated, and the begin of the answer."""
        given = as_conversation(prompt, self._config.system_prompt)
        asked = given.without_answer()
        text = asked.as_text() if asked.has_several_turns else asked.question
        return text, given.begun

    def _going_on(self, text: str, begun: str) -> Iterator[str]:
        """Return the words of the answer that are not in its begin."""
        words, passed = self._answer(text), ""
        while len(passed) < len(begun):
            word = next(words, "")
            if not word or not begun.startswith((passed + word).rstrip()):
                return self._answer(text)
            passed += word
        return words

    def _pace(self) -> None:
        speed = float(self.model.get("tokens_per_second", 0))
        if speed > 0:
            time.sleep(1 / speed)

    def _take(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.report_progress("weights", seconds - left, seconds)
            time.sleep(min(left, _STEP_SECONDS))
        self.report_progress("weights", 1, 1)

    def _meet_fault(self, stage: str, count: int | None) -> None:
        if self.model.get("fault_stage", "generate") != stage:
            return
        after = int(self.model.get("fault_after", 0))
        if self.model.get("fault") and (count == after or (count is None and after < 0)):
            FAULTS[self.model["fault"]]()
