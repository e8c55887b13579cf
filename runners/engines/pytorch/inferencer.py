"""Transformers models on PyTorch: a loop of its own around the model's forward pass."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from comparator.core.config import ModelConfig
from comparator.core.conversation import Conversation, Prompt
from comparator.core.exceptions import InferenceError, ModelLoadError
from comparator.core.lora import adapter_of
from runners.base import (
    End,
    Piece,
    PromptSize,
    Refused,
    TokenInferencer,
    TokenText,
    as_conversation,
)
from runners.engines.chat_prompt import PreparedPrompt
from runners.engines.context_fit import check_fits, context_limit, most_tokens
from runners.engines.pytorch import (
    adapter,
    batch_forward,
    loading,
    lora,
    placement,
    several,
    ways,
)
from runners.engines.pytorch.cuda_graphs import pays
from runners.engines.pytorch.detokenizer import Detokenizer, thought_marks
from runners.engines.pytorch.forward import RecomputingStepper
from runners.engines.pytorch.prompt import (
    check_vocabulary,
    end_tokens,
    make_prompt,
    ordinary_tokens,
    unknown_ends,
)
from runners.engines.pytorch.sampling import TorchSampler, held_to
from runners.engines.pytorch.tokenizer_file import TokenizerFile
from runners.engines.sampling import seeded
from runners.engines.stop_strings import StopText
from runners.machine.cores import thread_count

if TYPE_CHECKING:
    import torch


class PyTorchInferencer(TokenInferencer):
    """Runs one transformers directory.

    Attributes:
        tokenizer: the tokenizer of transformers, None while nothing is loaded.
        device: where the model computes: CUDA, MPS or the CPU.
    """

    takes_conversations = True

    def __init__(self) -> None:
        super().__init__()
        self.tokenizer: Any = None
        self.device = self._get_device()
        self._config = ModelConfig()
        self._path = ""
        self._model_config: Any = None
        self._file: TokenizerFile | None = None
        self._prepared: tuple[Conversation, ModelConfig, PreparedPrompt] | None = None
        self._end_tokens: frozenset[int] = frozenset()
        self._dtype_words = ""
        self._threads = 0
        self._decoding = ways.Way(ways.RECOMPUTING)
        self._takes_several = False

    def _get_device(self) -> torch.device:
        """Return the best device of this machine."""
        import torch

        if torch.cuda.is_available():
            return torch.device("cuda")
        if torch.backends.mps.is_available():
            return torch.device("mps")
        return torch.device("cpu")

    def prepare(
        self, model_path: str, config: Mapping[str, Any] | ModelConfig, prompt: Prompt
    ) -> None:
        """Read configuration and tokenizer, and refuse a prompt that does not fit.

        Raises:
            PromptTooLongError: it does not fit the context.
            ModelLoadError: the directory is no causal language model.
        """
        settings = ModelConfig.of(config)
        loading.refuse_cache_type(settings)
        self._read_small_files(model_path, settings)
        self._prompt(as_conversation(prompt, settings.system_prompt), settings)

    def prompt_size(
        self, model_path: str, config: Mapping[str, Any] | ModelConfig, prompt: Prompt
    ) -> PromptSize:
        """Return how long a prompt is, by configuration and tokenizer alone.

        Raises:
            ModelLoadError: the directory is no causal language model.
            InferenceError: the chat template fails or loses a message.
        """
        settings = ModelConfig.of(config)
        self._read_small_files(model_path, settings)
        conversation = as_conversation(prompt, settings.system_prompt)
        prepared = make_prompt(self.tokenizer, conversation, settings, self.date)
        return PromptSize(len(prepared.tokens), loading.context_length(self._model_config))

    def load_model(self, model_path: str, config: Mapping[str, Any] | ModelConfig) -> None:
        """Load a directory with the fields of a ModelConfig.

        Raises:
            ModelLoadError: weights are missing or damaged, or no causal language model's.
        """
        import torch

        self.model, self.is_loaded = None, False
        self.way, self.fallbacks = "", []
        settings = self._config = ModelConfig.of(config)
        loading.refuse_cache_type(settings)
        self._read_small_files(model_path, settings)
        self._threads = thread_count(settings.n_threads or self._setting("threads"))
        torch.set_num_threads(self._threads)
        if self._setting("onednn") is False:
            torch.backends.mkldnn.enabled = False
        self.device = self._get_device() if settings.use_gpu else torch.device("cpu")
        self.report_progress("weights", 0, 1)
        self.model = loading.load_weights(
            model_path,
            self._model_config,
            device=self.device,
            dtype=self._dtype(settings.torch_dtype, getattr(self._model_config, "dtype", None)),
            trust_remote_code=settings.trust_remote_code,
            progress=self._tell_progress,
        )
        if self.model.device.type == "cuda":
            self.device = self.model.device  # which of several it went to
        self._settle_dtype()
        lora.merge(self.model, map(adapter_of, settings.lora))
        self._end_tokens = end_tokens(self.tokenizer, self.model, settings)
        self.fallbacks += unknown_ends(self.tokenizer, self._end_tokens)
        self.fallbacks += loading.slow_attention(self.model)
        self._settle_way()
        self.is_loaded = True

    def pieces(self, prompt: Prompt) -> Iterator[Piece]:
        """Yield the prompt's report, every token, and one End.

        Raises:
            PromptTooLongError: the prompt does not fit the context.
            InferenceError: nothing is loaded, or the generation failed.
        """
        if not self.is_loaded:
            raise InferenceError("Model not loaded. Call load_model first.")
        prepared = self._checked_prompt(prompt)
        yield prepared.told
        yield from self._answer(prepared.tokens)

    def pieces_of_all(
        self, prompts: Sequence[Prompt], seeds: Sequence[int] = (), most: int = 1
    ) -> Iterator[tuple[int, Piece | Refused]]:
        """Yield the pieces of several answers, written at once where the model computes that.

        Raises:
            InferenceError: nothing is loaded, or the generation failed.
        """
        is_changed = type(self).pieces is not PyTorchInferencer.pieces  # by a class derived from it
        if is_changed or not self.is_loaded or min(most, self.batch) < 2 or not self._takes_several:
            yield from super().pieces_of_all(prompts, seeds, most)
            return
        ready, refused = several.prepared(prompts, self._checked_prompt)
        yield from refused
        if not ready:
            return
        self.thought_marks, marks = thought_marks(self.tokenizer)
        at_once = several.Several(
            self.tokenizer, self.device, self._config, self._end_tokens, marks
        )
        at_once.should_stop, at_once.is_due = self.should_stop, self.is_due
        limit, wanted = self._context_length(), min(most, len(ready))
        yield from at_once.pieces(
            ready, seeds, limit, wanted, lambda longest: self._reader(wanted, longest)
        )
        for sentence in at_once.fallbacks:
            self._say(sentence)

    def unload_model(self) -> None:
        """Let go of the model and of its memory; harmless when nothing is loaded."""
        was_loaded, self.is_loaded = self.is_loaded, False
        self.model = self.tokenizer = self._model_config = self._prepared = None
        self._file = None
        self._path = ""
        if was_loaded and self.device.type == "cuda":
            import torch

            torch.cuda.empty_cache()

    def get_model_info(self) -> dict[str, Any]:
        """Return facts about the loaded model, empty when nothing is loaded."""
        if not self.is_loaded:
            return {}
        return {
            "model_type": "pytorch",
            "device": str(self.device),
            "dtype": self._dtype_words,
            "engine": loading.engine_version(),
            "threads": self._threads,
            "context_length": self._context_length(),
            "vocab_size": self._model_config.get_text_config(decoder=True).vocab_size,
            "model_size": sum(weight.numel() for weight in self.model.parameters()),
        }

    def device_memory_bytes(self) -> int:
        """Return the peak memory on the accelerators in bytes; 0 on a CPU."""
        return placement.peak_bytes(self.device)

    def _read_small_files(self, model_path: str, settings: ModelConfig) -> None:
        if self.tokenizer is not None and self._path == model_path:
            return
        trusted = settings.trust_remote_code
        self.report_progress("tokenizer", 0, 1)
        self._model_config = loading.load_config(model_path, trusted)
        self.tokenizer = loading.load_tokenizer(model_path, trusted)
        self._file = TokenizerFile(model_path, self.tokenizer)
        self._path, self._prepared = model_path, None

    def _tell_progress(self, step: str, done: float, total: float) -> None:
        if self.should_stop():
            raise ModelLoadError("The load was stopped.")
        self.report_progress(step, done, total)

    def _prompt(self, conversation: Conversation, settings: ModelConfig) -> PreparedPrompt:
        """Return the prompt as tokens; what ``prepare`` made of it is not made again."""
        if self._prepared is None or self._prepared[:2] != (conversation, settings):
            prepared = self._make_prompt(conversation, settings)
            self._prepared = (conversation, settings, prepared)
        return self._prepared[2]

    def _checked_prompt(self, prompt: Prompt) -> PreparedPrompt:
        """Return a prompt that the loaded model can be given, and say what it took."""
        conversation = as_conversation(prompt, self._config.system_prompt)
        prepared = self._prompt(conversation, self._config)
        for sentence in prepared.fallbacks:
            self._say(sentence)
        check_vocabulary(prepared.tokens, self.model)
        return prepared

    def _make_prompt(self, conversation: Conversation, settings: ModelConfig) -> PreparedPrompt:
        prepared = make_prompt(self.tokenizer, conversation, settings, self.date)
        if self._file is not None:
            notes = self._file.sentences(prepared.rendered.text)
            prepared = replace(prepared, notes=(*prepared.notes, *notes))
        own_limit = loading.context_length(self._model_config)
        check_fits(prepared.tokens, Path(self._path).name, settings.n_ctx, own_limit)
        return prepared

    def _context_length(self) -> int:
        return context_limit(self._config.n_ctx, loading.context_length(self._model_config))

    def _dtype(self, wanted: str, stored: Any) -> Any:
        """Choose the number format; ``auto`` takes the checkpoint's where the device has it."""
        import torch

        if wanted != "auto":
            self._dtype_words = wanted
            return getattr(torch, wanted)
        chosen = self._fitting_dtype(stored)
        self._dtype_words = ""
        if chosen is not stored:
            self._dtype_words = f"{_name(chosen)} (the file has {_name(stored)})"
        return chosen if isinstance(chosen, torch.dtype) else "auto"

    def _settle_dtype(self) -> None:
        """Convert a checkpoint whose format was only known after its load."""
        loaded = self.model.dtype
        if not self._dtype_words:
            fitting = self._fitting_dtype(loaded)
            spread = len(set((getattr(self.model, "hf_device_map", None) or {}).values())) > 1
            if fitting is not loaded and not spread:
                self.model = self.model.to(fitting)
                self._dtype_words = f"{_name(fitting)} (the file has {_name(loaded)})"
        self._dtype_words = self._dtype_words or _name(loaded)

    def _fitting_dtype(self, stored: Any) -> Any:
        """Return the format for the device, as measured on this machine where that was done.

        Without that float16 is computed with 32 bits on a CPU; old GPUs lack bfloat16.
        """
        import torch

        if self.device.type == "cpu" and isinstance(stored, torch.dtype):
            measured = (self._setting("auto_dtype") or {}).get(_name(stored))
            usual = "float32" if stored is torch.float16 else _name(stored)
            return getattr(torch, measured or usual)
        if stored is torch.bfloat16 and self.device.type == "cuda":
            return stored if torch.cuda.is_bf16_supported() else torch.float16
        return stored

    def _answer(self, prompt: list[int]) -> Iterator[Piece]:
        import torch

        most = self._most_tokens(len(prompt))
        stepper = self._stepper(len(prompt), most)
        with torch.inference_mode():
            scores = stepper.read(prompt, self.should_stop)
        if scores is None:
            yield End("cancelled")
            return
        choices = held_to(self.choices, self.tokenizer, self._end_tokens)
        settings = seeded(self._config, self.seed)
        sampler = TorchSampler(settings, prompt, self.device, choices)
        self.thought_marks, marks = thought_marks(self.tokenizer)
        detokenizer = Detokenizer(self.tokenizer, marks)
        stops = StopText(self._config.stop)
        reason = "length"
        for count in range(1, most + 1):
            with torch.inference_mode():
                token = sampler.next(scores)
            if token in self._end_tokens:
                reason = "stop"
                break
            yield TokenText(stops.feed(detokenizer.feed(token)))
            is_whole = choices is not None and choices.is_whole
            if stops.found or is_whole or self.should_stop():
                reason = "stop" if stops.found or is_whole else "cancelled"
                break
            if count < most:
                with torch.inference_mode():
                    scores = stepper.step(token)
        rest = stops.feed(detokenizer.rest()) + stops.rest()
        self._say(detokenizer.trouble)
        yield End("stop" if stops.found else reason, rest)

    def _settle_way(self) -> None:
        """Find how this model's tokens are decoded, or take what was found before."""
        engine = loading.engine_version()
        pays_off = pays(self.model, self.device, self._most_tokens(0))
        graph = pays_off and adapter.can_be_recorded(self.model)
        key = " ".join((engine, str(self.device.type), _name(self.model.dtype), f"graph={graph}"))
        known = self.verdict.get("learned")
        way = ways.remembered(known, key)
        if way is None:
            tokens = ordinary_tokens(self.tokenizer)
            way = ways.find(self.model, self.device, tokens, with_graph=graph)
        self.learned = {**(known if isinstance(known, dict) else {}), key: ways.to_remember(way)}
        self._decoding, self.way = way, way.kind
        self.fallbacks += way.sentences(engine)
        if self.batch > 1:
            self._settle_several(f"{key} several", engine)
        if pays_off and not adapter.knows_graphs():
            self.fallbacks.append(ways.no_graphs(engine))

    def _settle_several(self, key: str, engine: str) -> None:
        """Find whether several answers can be computed at once, or take what was found before."""
        trouble = self.learned.get(key)
        if not isinstance(trouble, str):
            tokens = ordinary_tokens(self.tokenizer)
            trouble = batch_forward.trouble_with(self.model, self.device, self._decoding, tokens)
        self.learned[key], self._takes_several = trouble, not trouble
        if trouble:
            self._say(several.alone(engine, trouble))

    def _reader(self, seats: int, longest: int) -> batch_forward.BatchReader:
        one_row = self._setting("one_row_onednn")
        return batch_forward.BatchReader(
            self.model, self.device, self._decoding, seats, longest, one_row
        )

    def _stepper(self, prompt_tokens: int, answer_tokens: int) -> RecomputingStepper:
        return self._decoding.stepper(
            self.model,
            self.device,
            one_row_onednn=self._setting("one_row_onednn"),
            length=prompt_tokens + answer_tokens,
        )

    def _say(self, sentence: str) -> None:
        """Tell what is off, once."""
        if sentence and sentence not in self.fallbacks:
            self.fallbacks.append(sentence)

    def _setting(self, name: str) -> Any:
        """Return what the trial of this machine chose; None where it chose nothing."""
        return (self.verdict.get("settings") or {}).get(name)

    def _most_tokens(self, prompt_tokens: int) -> int:
        return most_tokens(self._config, self._context_length() - prompt_tokens)


def _name(dtype: Any) -> str:
    return str(dtype).removeprefix("torch.")
