"""The least that llama.cpp can be asked with: decode and greedy choice, in one process.

No text is made of the tokens and nobody is told of them: what is left is the library's own
speed. Each answer is written by a process of its own, whose start is not counted: a process is
up to 2 % faster or slower than its equals for all its life (docs/speed.md), so that one for a
whole run would be compared with by its luck. See ``lines.py`` for the lines.
"""

from __future__ import annotations

import ctypes
import os
import time
from typing import Any

import lines
import llama_cpp as llama
import psutil
from llama_cpp.llama_chat_format import Jinja2ChatFormatter

CONTEXT_TOKENS = 2048
METADATA_BYTES = 65_536


def ask(path: str, prompt: str, tokens: int) -> lines.Figures:
    """Load a GGUF file, write greedily and free it."""
    llama.llama_backend_init()
    began = time.perf_counter()
    model = llama.llama_model_load_from_file(os.fsencode(path), llama.llama_model_default_params())
    context = llama.llama_init_from_model(model, _context_parameters())
    loaded = time.perf_counter()
    sampler = llama.llama_sampler_chain_init(llama.llama_sampler_chain_default_params())
    llama.llama_sampler_chain_add(sampler, llama.llama_sampler_init_greedy())
    array = _prompt_tokens(model, prompt)
    llama.llama_decode(context, llama.llama_batch_get_one(array, len(array)))
    first, written = _write(context, sampler, llama.llama_model_get_vocab(model), tokens)
    ended = time.perf_counter()
    llama.llama_sampler_free(sampler)
    llama.llama_free(context)
    llama.llama_model_free(model)
    return lines.figures(began, loaded, first, ended, written)


def _context_parameters() -> Any:
    parameters = llama.llama_context_default_params()
    parameters.n_ctx = parameters.n_batch = CONTEXT_TOKENS
    parameters.n_threads = parameters.n_threads_batch = psutil.cpu_count(logical=False) or 1
    return parameters


def _write(context: Any, sampler: Any, vocabulary: Any, tokens: int) -> tuple[float, int]:
    """Return the time of the first token and how many were written."""
    single = (llama.llama_token * 1)()
    batch = llama.llama_batch_get_one(single, 1)
    first = 0.0
    for count in range(1, tokens + 1):
        token = llama.llama_sampler_sample(sampler, context, -1)
        first = first or time.perf_counter()
        if llama.llama_vocab_is_eog(vocabulary, token):
            return first, count - 1
        if count < tokens:
            single[0] = token
            llama.llama_decode(context, batch)
    return first, tokens


def _prompt_tokens(model: Any, prompt: str) -> Any:
    """Return the tokens of the prompt in the file's own chat template."""
    vocabulary = llama.llama_model_get_vocab(model)
    template = ctypes.create_string_buffer(METADATA_BYTES)
    key = b"tokenizer.chat_template"
    llama.llama_model_meta_val_str(model, key, template, METADATA_BYTES)
    format_chat = Jinja2ChatFormatter(template.value.decode(), "", "")
    text = format_chat(messages=[{"role": "user", "content": prompt}]).prompt.encode()
    room = len(text) + 8
    array = (llama.llama_token * room)()
    count = llama.llama_tokenize(vocabulary, text, len(text), array, room, False, True)
    return (llama.llama_token * count)(*array[:count])


def ask_afresh(path: str, prompt: str, tokens: int) -> lines.Figures:
    """Let a fresh process answer."""
    return lines.in_own_process(ask, path, prompt, tokens)


if __name__ == "__main__":
    lines.serve(lines.one_after_another(ask_afresh), {"llama_cpp": llama.__version__})
