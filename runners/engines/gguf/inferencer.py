"""GGUF models on llama.cpp, by its own functions: one decode and one choice a token."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from comparator.core.config import ModelConfig
from comparator.core.conversation import Conversation, Prompt
from comparator.core.exceptions import InferenceError
from comparator.core.lora import adapter_of
from comparator.core.placement import ALL_LAYERS, layers_on_device, wanted_layers
from comparator.formats.checks import check_gguf_file
from comparator.formats.gguf_header import FILE_TYPES
from runners.base import End, Piece, PromptSize, Refused, TokenInferencer, as_conversation
from runners.engines.chat_prompt import PreparedPrompt
from runners.engines.choices import Choices, choices_of
from runners.engines.context_fit import check_fits, context_limit, most_tokens, surely_fits
from runners.engines.gguf import devices, library
from runners.engines.gguf.devices import DeviceUse
from runners.engines.gguf.lora import LoadedAdapters
from runners.engines.gguf.model import GGUFContext, GGUFModel
from runners.engines.gguf.sampling import GGUFSampler
from runners.engines.gguf.several import Several, room_for
from runners.engines.gguf.text import GGUFText, thought_marks
from runners.engines.sampling import seeded
from runners.machine.cores import thread_count

_PROGRESS_STEP = 0.02
_UNKNOWN_DEVICES = (
    "What this model takes of a graphics card's memory is not known: this version of llama.cpp "
    "does not tell which cards there are."
)
_VALUES_STAY = (
    "Of the KV cache only the keys are kept as {}: the values stay f16, since smaller ones need "
    "flash attention, which is off on this machine."
)
_SLOW_PENALTY = (
    "The repeat penalty is left to llama.cpp, which is slower: this version no longer chooses "
    "from the scores that it hands out."
)


class GGUFInferencer(TokenInferencer):
    """Runs one GGUF file."""

    takes_conversations = True
    _library = staticmethod(library.library)  # which llama.cpp it runs on

    def __init__(self) -> None:
        super().__init__()
        self.way = "llama.cpp"
        self._config = ModelConfig()
        self._context: GGUFContext | None = None
        self._prepared: tuple[str, Conversation, ModelConfig, PreparedPrompt] | None = None
        self._path = ""
        self._told = 0.0
        self._threads = 0
        self._device_use: DeviceUse | None = None

    def prepare(
        self, model_path: str, config: Mapping[str, Any] | ModelConfig, prompt: Prompt
    ) -> None:
        """Refuse a prompt that does not fit, from the vocabulary alone.

        Raises:
            PromptTooLongError: it does not fit the context.
            ModelLoadError: the file is no model.
        """
        check_gguf_file(Path(model_path))
        settings = ModelConfig.of(config)
        conversation = as_conversation(prompt, settings.system_prompt)
        if surely_fits(conversation, settings.n_ctx):
            return
        model = GGUFModel.load(model_path, vocabulary_only=True, llama=self._library())
        try:
            prepared = model.prompt(conversation, settings, self.date)
            own_limit = _trained_context(model)
            check_fits(prepared.tokens, model.name, settings.n_ctx, own_limit)
            self._prepared = (model_path, conversation, settings, prepared)
        finally:
            model.close()

    def prompt_size(
        self, model_path: str, config: Mapping[str, Any] | ModelConfig, prompt: Prompt
    ) -> PromptSize:
        """Return how long a prompt is, by the vocabulary alone.

        Raises:
            ModelLoadError: the file is no model.
            InferenceError: the chat template fails or loses a message.
        """
        settings = ModelConfig.of(config)
        conversation = as_conversation(prompt, settings.system_prompt)
        model = GGUFModel.load(model_path, vocabulary_only=True, llama=self._library())
        try:
            prepared = model.prompt(conversation, settings, self.date)
            return PromptSize(len(prepared.tokens), _trained_context(model))
        finally:
            model.close()

    def load_model(self, model_path: str, config: Mapping[str, Any] | ModelConfig) -> None:
        """Load a file with the fields of a ModelConfig.

        Raises:
            ModelLoadError: with llama.cpp's reason.
        """
        self._free()
        self._path, self._config = model_path, ModelConfig.of(config)
        self._told = 0.0
        self.fallbacks = [_UNKNOWN_DEVICES] if devices.are_unknown(self._library()) else []
        settings = self.verdict.get("settings") or {}
        self._device_use = DeviceUse(self._library())
        self.model = GGUFModel.load(
            model_path,
            gpu_layers=_gpu_layers(self._config),
            progress=self._tell_progress,
            llama=self._library(),
            use_extra_bufts=bool(settings.get("use_extra_bufts", True)),
        )
        try:
            self.model.check_generates()
            self._threads = thread_count(self._config.n_threads or settings.get("threads"))
            limit = context_limit(self._config.n_ctx, self.model.trained_context)
            flash_attention = str(settings.get("flash_attention") or "auto")
            cache_type = self._config.kv_cache_type
            if cache_type != "f16" and flash_attention == "off":
                self.fallbacks.append(_VALUES_STAY.format(cache_type))
            wanted = list(map(adapter_of, self._config.lora))
            adapters = LoadedAdapters(self.model.llama, self.model.pointer, wanted)
            self._context, said = room_for(
                self.batch, self.model, limit, self._threads, flash_attention, cache_type
            )
            self.fallbacks += said
            adapters.set_on(self._context.pointer)
        except BaseException:
            self._free()
            raise
        self._device_use.look()
        self.report_progress("weights", 1.0, 1.0)
        self.is_loaded = True

    def pieces(self, prompt: Prompt) -> Iterator[Piece]:
        """Yield the prompt's report, every token, and one End.

        Raises:
            PromptTooLongError: the prompt does not fit the context.
            InferenceError: nothing is loaded, or the generation failed.
        """
        if not self.is_loaded or self._context is None:
            raise InferenceError("Model not loaded. Call load_model first.")
        prepared = self._prompt(as_conversation(prompt, self._config.system_prompt))
        yield prepared.told
        self._context.clear()
        if not self._context.read(prepared.tokens, self.should_stop):
            yield End("cancelled")
            return
        settings = seeded(self._config, self.seed)
        choices = self._choices(self.model)
        sampler = GGUFSampler(self._context, settings, prepared.tokens, choices)
        if sampler.penalises_itself and _SLOW_PENALTY not in self.fallbacks:
            self.fallbacks.append(_SLOW_PENALTY)
        try:
            yield from self._answer(sampler, self._context)
        finally:
            sampler.close()

    def pieces_of_all(
        self, prompts: Sequence[Prompt], seeds: Sequence[int] = (), most: int = 1
    ) -> Iterator[tuple[int, Piece | Refused]]:
        """Yield the pieces of several answers, written at once where the context has room.

        Raises:
            InferenceError: nothing is loaded, or the generation failed.
        """
        context = self._context
        is_changed = type(self).pieces is not GGUFInferencer.pieces  # by a class derived from it
        if is_changed or context is None or min(most, context.sequences) < 2:
            yield from super().pieces_of_all(prompts, seeds, most)
            return
        self.thought_marks, marks = thought_marks(self.model)
        several = Several(self.model, context, self._config, marks, min(most, context.sequences))
        several.prompt_of = lambda prompt: self._prompt(
            as_conversation(prompt, self._config.system_prompt)
        )
        several.should_stop, several.is_due = self.should_stop, self.is_due
        yield from several.pieces(prompts, seeds)
        if several.penalises_itself and _SLOW_PENALTY not in self.fallbacks:
            self.fallbacks.append(_SLOW_PENALTY)

    def unload_model(self) -> None:
        """Free the model; harmless when nothing is loaded."""
        self._free()
        self._prepared = None

    def get_model_info(self) -> dict[str, Any]:
        """Return facts about the loaded model, empty when nothing is loaded."""
        if not self.is_loaded or self._context is None:
            return {}
        return {
            "model_type": "gguf",
            "device": self._device_in_words(),
            "dtype": _number_type(self.model),
            "engine": library.version(self._library()),
            "threads": self._threads,
            "context_length": self._context.limit,
            "vocab_size": self.model.vocabulary_size,
            "model_size": self.model.parameter_count,
        }

    def device_memory_bytes(self) -> int:
        """Return what was taken of accelerators since the load began, in bytes; 0 without one."""
        return self._device_use.look() if self._device_use is not None else 0

    def _device_in_words(self) -> str:
        layers = _gpu_layers(self._config)
        if not layers or not self._library().llama_supports_gpu_offload():
            return "cpu"
        there, whole = layers_on_device(layers, self.model.layer_count)
        return f"gpu ({there} of {whole} layers)" if there < whole else "gpu"

    def _free(self) -> None:
        self.is_loaded = False
        if self._context is not None:
            self._context.close()
            self._context = None
        if self.model is not None:
            self.model.close()
            self.model = None

    def _tell_progress(self, share: float) -> bool:
        if share - self._told >= _PROGRESS_STEP:
            self._told = share
            self.report_progress("weights", share, 1.0)
        return not self.should_stop()

    def _prompt(self, conversation: Conversation) -> PreparedPrompt:
        wanted = (self._path, conversation, self._config)
        if self._prepared is not None and self._prepared[:3] == wanted:
            prepared = self._prepared[3]
        else:
            prepared = self.model.prompt(conversation, self._config, self.date)
        own_limit = self.model.trained_context
        check_fits(prepared.tokens, self.model.name, self._config.n_ctx, own_limit)
        return prepared

    def _answer(self, sampler: GGUFSampler, context: GGUFContext) -> Iterator[Piece]:
        self.thought_marks, marks = thought_marks(self.model)
        text = GGUFText(self.model, self._config.stop, marks)
        reason = "length"
        try:
            for left in range(self._most_tokens(context) - 1, -1, -1):
                token = sampler.next()
                if self._ends(token):
                    reason = "stop"
                    break
                text.keep(token)
                if text.may_end or self.is_due():
                    yield from text.told()
                is_whole = sampler.choices is not None and sampler.choices.is_whole
                if text.found or is_whole or self.should_stop():
                    reason = "stop" if text.found or is_whole else "cancelled"
                    break
                if left:
                    context.read_one(token)
        except InferenceError:
            yield from text.told()
            raise
        yield from text.told()
        rest = text.rest()
        yield End("stop" if text.found else reason, rest)

    def _choices(self, model: GGUFModel) -> Choices | None:
        """Return what the answer may be, as tokens; None for anything."""
        end = int(model.llama.llama_vocab_eos(model.vocabulary))
        return choices_of(
            self.choices,
            lambda text: model.tokens(text, add_special=False, special=False),
            [end] if end >= 0 else [],
        )

    def _most_tokens(self, context: GGUFContext) -> int:
        return most_tokens(self._config, context.limit - context.used)

    def _ends(self, token: int) -> bool:
        return token == self._config.eos_token_id or bool(self.model.ends_answer(token))


def _gpu_layers(settings: ModelConfig) -> int:
    wanted = wanted_layers(settings.use_gpu, settings.n_gpu_layers)
    return ALL_LAYERS if wanted is None else int(wanted)


def _number_type(model: GGUFModel) -> str:
    """Return what most weights are kept as, such as ``Q8_0``: the recipe that the header declares.

    Where it declares none that is known it is llama.cpp's own word, which ends its description:
    "llama 256M Q8_0 (guessed)".
    """
    declared = model.metadata("general.file_type") or ""
    known = FILE_TYPES.get(int(declared)) if declared.isdecimal() else None
    return known or " ".join(model.description.split()[2:])


def _trained_context(model: GGUFModel) -> int | None:
    """Return the model's own limit; a file loaded without weights tells it in its metadata."""
    architecture = model.metadata("general.architecture")
    told = model.metadata(f"{architecture}.context_length") or ""
    return int(told) if told.isdigit() and int(told) > 0 else model.trained_context
