"""One GGUF model in llama.cpp: its weights, vocabulary, and context."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from comparator.core.config import ModelConfig
from comparator.core.conversation import Conversation
from comparator.core.exceptions import InferenceError, ModelLoadError
from comparator.core.limits import CONTEXT_STEP
from comparator.formats.checks import check_gguf_file
from runners.engines.chat_prompt import PreparedPrompt, Template
from runners.engines.gguf import adapter, library
from runners.engines.gguf.load_progress import Progress, ProgressListener
from runners.engines.gguf.mixed_batch import MixedBatch, Part
from runners.engines.gguf.prompt import chat_template, make_prompt

BATCH_TOKENS = 512
_FIRST_PIECE_BYTES = 64
_LARGEST_METADATA_BYTES = 16 * 1024 * 1024


class GGUFModel:
    """A loaded file, or only its vocabulary.

    Attributes:
        name: what a person calls it.
        llama: the library that holds it, see ``library``.
        pointer: llama.cpp's model.
        vocabulary: llama.cpp's vocabulary.
    """

    def __init__(self, path: str, pointer: Any, llama: Any) -> None:
        self.name = os.path.basename(path).removesuffix(".gguf")
        self.pointer = pointer
        self.llama = self._llama = llama
        self.vocabulary = llama.llama_model_get_vocab(pointer)
        self._piece = ctypes.create_string_buffer(_FIRST_PIECE_BYTES)
        self._template: tuple[Template | None] | None = None

    @classmethod
    def load(
        cls,
        path: str,
        *,
        gpu_layers: int = 0,
        vocabulary_only: bool = False,
        progress: Progress | None = None,
        llama: Any = None,
        use_extra_bufts: bool = True,
    ) -> GGUFModel:
        """Load a file; of a split model the first one.

        Args:
            path: the file.
            gpu_layers: layers on the accelerator, negative for all.
            vocabulary_only: leave out the weights.
            progress: called with the share done (0 to 1); False stops the load.
            llama: the library to load it with; None for llama-cpp-python.
            use_extra_bufts: let weights be kept in the order that suits the processor.

        Raises:
            ModelLoadError: llama.cpp refuses the file, with its reason; or it was stopped.
        """
        check_gguf_file(Path(path))
        llama = llama or library.library()
        listener = ProgressListener(llama, progress)
        parameters = adapter.model_parameters(
            llama,
            n_gpu_layers=gpu_layers,
            vocab_only=vocabulary_only,
            progress_callback=listener.callback,
            use_extra_bufts=use_extra_bufts,
        )
        library.forget_errors()
        llama.llama_backend_init()
        pointer = llama.llama_model_load_from_file(os.fsencode(path), parameters)
        listener.raise_what_happened()
        if not pointer:
            raise library.load_failure(os.path.basename(path), llama)
        return cls(path, pointer, llama)

    def close(self) -> None:
        """Free the memory; harmless when it is free already."""
        if self.pointer is not None:
            self._llama.llama_model_free(self.pointer)
            self.pointer = self.vocabulary = None

    @property
    def trained_context(self) -> int | None:
        """The longest context the model was trained for, in tokens; None where it is not told."""
        return self._llama.llama_model_n_ctx_train(self.pointer) or None

    @property
    def vocabulary_size(self) -> int:
        """Number of tokens in the vocabulary."""
        return int(self._llama.llama_vocab_n_tokens(self.vocabulary))

    @property
    def layer_count(self) -> int:
        """Number of layers, without the output."""
        return int(self._llama.llama_model_n_layer(self.pointer))

    @property
    def parameter_count(self) -> int:
        """Number of weights."""
        return int(self._llama.llama_model_n_params(self.pointer))

    @property
    def description(self) -> str:
        """Architecture, size and quantisation in llama.cpp's words."""
        buffer = ctypes.create_string_buffer(256)
        self._llama.llama_model_desc(self.pointer, buffer, len(buffer))
        return buffer.value.decode("utf-8", "replace")

    def check_generates(self) -> None:
        """Refuse models that do not continue a text.

        Raises:
            ModelLoadError: an embedding, encoder-decoder or diffusion model.
        """
        llama = self._llama
        kinds = (
            (llama.llama_model_has_encoder(self.pointer), "has an encoder"),
            (not llama.llama_model_has_decoder(self.pointer), "has no decoder"),
            (llama.llama_model_is_diffusion(self.pointer), "is a diffusion model"),
        )
        for is_so, words in kinds:
            if is_so:
                raise ModelLoadError(
                    f"{self.name} {words}; only causal language models can be compared here. "
                    "Choose a model made for chat or for text completion."
                )

    def metadata(self, key: str) -> str | None:
        """Return a value of the file's metadata as text, None where there is none."""
        size = 4096
        while size <= _LARGEST_METADATA_BYTES:
            buffer = ctypes.create_string_buffer(size)
            length = self._llama.llama_model_meta_val_str(self.pointer, key.encode(), buffer, size)
            if length < size:
                return buffer.value.decode("utf-8", "replace") if length >= 0 else None
            size = length + 1
        return None

    def template(self) -> Template | None:
        """Return the file's chat template as a function, None where it has none."""
        if self._template is None:
            self._template = (chat_template(self),)
        return self._template[0]

    def token_text(self, token: int) -> str:
        """Return a token as the vocabulary writes it."""
        text: bytes | None = self._llama.llama_vocab_get_text(self.vocabulary, token)
        return (text or b"").decode("utf-8", "replace")

    def prompt(
        self, conversation: Conversation, settings: ModelConfig, date: str | None = None
    ) -> PreparedPrompt:
        """Render and tokenise a conversation, as ``make_prompt`` does.

        Raises:
            InferenceError: the chat template fails or loses a message, or the text cannot be
                tokenised.
            ConfigurationError: the chat template does not know what the settings tell it.
        """
        return make_prompt(self, conversation, settings, date)

    def tokens(self, text: str, *, add_special: bool, special: bool) -> list[int]:
        """Return the token ids of a text.

        Args:
            text: what to tokenise.
            add_special: add BOS and EOS as the file's metadata say.
            special: read special tokens that are written in the text.

        Raises:
            InferenceError: llama.cpp cannot tokenise it.
        """
        data = text.encode("utf-8", "replace")
        room = len(data) + 8
        for _ in range(2):
            ids = (self._llama.llama_token * room)()
            count = self._llama.llama_tokenize(
                self.vocabulary, data, len(data), ids, room, add_special, special
            )
            if count >= 0:
                return list(ids[:count])
            room = -count
        raise InferenceError(f"The tokenizer of {self.name} failed on this text.")

    def ends_answer(self, token: int) -> bool:
        """Tell whether a token ends the generation; all such tokens of the file count."""
        return bool(self._llama.llama_vocab_is_eog(self.vocabulary, token))

    def piece(self, token: int) -> bytes:
        """Return the bytes of a token, often part of a character; special tokens have none."""
        buffer = self._piece
        length = self._llama.llama_token_to_piece(
            self.vocabulary, token, buffer, len(buffer), 0, False
        )
        if length < 0:
            self._piece = ctypes.create_string_buffer(-length)
            return self.piece(token)
        return buffer.raw[:length]


class Scores:
    """Where the scores of a conversation's next token stand.

    Attributes:
        llama: the library of its model.
        pointer: llama.cpp's context.
        vocabulary_size: number of tokens that there are to choose from.
        output: the place among the tokens that were read last; -1 for the last of them.
    """

    output = -1

    def __init__(self, llama: Any, pointer: Any, vocabulary_size: int) -> None:
        self.llama, self.pointer, self.vocabulary_size = llama, pointer, vocabulary_size

    def logits(self) -> Any:
        """Return a pointer to the scores of the next token; writing to it changes the choice.

        Raises:
            InferenceError: llama.cpp has none.
        """
        scores = self.llama.llama_get_logits_ith(self.pointer, self.output)
        if not scores:
            raise InferenceError("llama.cpp computed no scores for the next token.")
        return scores


class GGUFContext(Scores):
    """The memory of one conversation, or of several, and the computation.

    Attributes:
        limit: tokens of prompt and answer together, of one conversation.
        sequences: how many conversations there is room for.
        used: tokens read or written so far.
    """

    def __init__(
        self,
        model: GGUFModel,
        limit: int,
        threads: int,
        flash_attention: str = "auto",
        cache_type: str = "f16",
        sequences: int = 1,
    ) -> None:
        """Allocate the context.

        Args:
            model: the model.
            limit: tokens of prompt and answer together, of one conversation.
            threads: to compute with.
            flash_attention: ``auto``, ``on`` or ``off``.
            cache_type: the number format of the KV cache; of its values only with flash attention.
            sequences: how many conversations are to have room at once.

        Raises:
            ModelLoadError: llama.cpp cannot, most likely for want of memory.
            EngineMissingError: this llama.cpp keeps one conversation alone.
        """
        llama = self.llama = self._llama = model.llama
        self.limit, self.sequences = limit, sequences
        self.vocabulary_size = model.vocabulary_size
        self.used = 0
        parameters = adapter.context_parameters(
            llama,
            flash_attention=flash_attention,
            n_ctx=-(-limit // CONTEXT_STEP) * CONTEXT_STEP * sequences,
            n_batch=BATCH_TOKENS,
            n_outputs_max=sequences,  # of each conversation only the last token
            n_threads=threads,
            n_threads_batch=threads,
            swa_full=False,  # the past is never rewritten here
            no_perf=False,  # llama.cpp's own counters are what tests hold our speeds against
        )
        if sequences > 1:
            # A cache of its own for each: in a common one every token looks through those of all.
            adapter.with_fields(parameters, n_seq_max=sequences, kv_unified=False)
        if cache_type != "f16":
            number = adapter.cache_type(llama, cache_type)
            adapter.with_fields(parameters, type_k=number)
            if flash_attention != "off":
                adapter.with_fields(parameters, type_v=number)
        library.forget_errors()
        self.pointer = llama.llama_init_from_model(model.pointer, parameters)
        if not self.pointer:
            if cache_type != "f16":
                raise library.cache_failure(model.name, cache_type)
            raise library.context_failure(model.name, limit)
        self._single = adapter.batch(llama, [0])

    def close(self) -> None:
        """Free the memory; harmless when it is free already."""
        if self.pointer is not None:
            self._llama.llama_free(self.pointer)
            self.pointer = None

    def clear(self) -> None:
        """Forget the conversation."""
        if self.used:
            self._llama.llama_memory_clear(self._memory, True)
            self._llama.llama_perf_context_reset(self.pointer)
            self.used = 0

    def read(self, tokens: list[int], should_stop: Callable[[], bool]) -> bool:
        """Read a prompt in batches; return False when it was stopped between two of them.

        Raises:
            InferenceError: llama.cpp cannot compute it.
        """
        for start in range(0, len(tokens), BATCH_TOKENS):
            if should_stop():
                return False
            part = adapter.batch(self._llama, tokens[start : start + BATCH_TOKENS])
            self._decode(part.structure, len(part.tokens))
        return True

    def read_one(self, token: int) -> None:
        """Read the token that was generated last.

        Raises:
            InferenceError: llama.cpp cannot compute it.
        """
        self._single.tokens[0] = token
        self._decode(self._single.structure, 1)

    def read_mixed(self, batch: MixedBatch, parts: list[Part]) -> list[int]:
        """Read tokens of several conversations; return for each where its scores are, if any.

        Raises:
            InferenceError: llama.cpp cannot compute it.
        """
        places = batch.fill(parts)
        self._decode(batch.structure, sum(len(part.tokens) for part in parts))
        return places

    def forget(self, sequence: int) -> None:
        """Forget one conversation of several."""
        self._llama.llama_memory_seq_rm(self._memory, sequence, -1, -1)

    @property
    def can_copy(self) -> bool:
        """Whether what was read of a conversation can be had in another sequence as well."""
        names = ("llama_memory_seq_cp", "llama_memory_seq_pos_min")
        return all(getattr(self._llama, name, None) is not None for name in names)

    def move(self, sequence: int, target: int) -> None:
        """Move one conversation to a sequence that is free (llama.h: llama_memory_seq_cp).

        Each has a cache of its own, which is copied whole before the next step.
        """
        self._llama.llama_memory_seq_cp(self._memory, sequence, target, -1, -1)
        self.forget(sequence)

    def copy_beginning(self, sequence: int, target: int, count: int) -> bool:
        """Give a sequence that is empty the first tokens of another; return whether it has them.

        It has not where of the other one not all is kept: the latest tokens alone (a sliding
        window), or a state that has gone on.
        """
        if self._llama.llama_memory_seq_pos_min(self._memory, sequence) != 0:
            return False
        self._llama.llama_memory_seq_cp(self._memory, sequence, target, -1, -1)
        if self._llama.llama_memory_seq_rm(self._memory, target, count, -1):
            return True
        self.forget(target)
        return False

    @property
    def _memory(self) -> Any:
        return self._llama.llama_get_memory(self.pointer)

    def _decode(self, batch: Any, count: int) -> None:
        code = self._llama.llama_decode(self.pointer, batch)
        if code != 0:
            raise InferenceError(_decode_failure(code))
        self.used += count


def _decode_failure(code: int) -> str:
    if code == 1:
        return "llama.cpp found no room in the context. Raise n_ctx or shorten the prompt."
    return (
        f"llama.cpp failed to compute the next token (code {code}). "
        "Most likely memory ran out: choose a smaller context (n_ctx) or model."
    )
