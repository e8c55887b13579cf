"""The peer that most people would write: one process, models loaded and deleted in turn.

transformers with TextIteratorStreamer and a second thread, llama-cpp-python's own stream, and
``del`` with ``gc.collect()`` behind each. The libraries are imported before the first round.
The streamer holds a word back until it is whole, so its first text comes after more than one
token; its speed is counted from there, in this peer's favour. See ``lines.py`` for the lines.
"""

from __future__ import annotations

import gc
import threading
import time
from typing import Any

import lines
import psutil


def ask_transformers(path: str, prompt: str, tokens: int) -> lines.Figures:
    """Load a transformers folder, stream an answer and let go of it."""
    from transformers import AutoModelForCausalLM, AutoTokenizer, TextIteratorStreamer

    began = time.perf_counter()
    tokenizer = AutoTokenizer.from_pretrained(path)
    model = AutoModelForCausalLM.from_pretrained(path, dtype="auto")
    loaded = time.perf_counter()
    messages = [{"role": "user", "content": prompt}]
    inputs = tokenizer.apply_chat_template(
        messages, add_generation_prompt=True, return_tensors="pt", return_dict=True
    )
    streamer = TextIteratorStreamer(tokenizer, skip_prompt=True, skip_special_tokens=True)
    settings = dict(inputs, streamer=streamer, max_new_tokens=tokens, do_sample=False)
    counted: list[int] = []
    thread = threading.Thread(target=_generate, args=(model, settings, counted))
    thread.start()
    first = None
    for text in streamer:
        if text and first is None:
            first = time.perf_counter()
    thread.join()
    ended = time.perf_counter()
    written = counted[0] - inputs["input_ids"].shape[1]
    del model, thread, tokenizer, inputs, streamer, settings
    gc.collect()
    return lines.figures(began, loaded, first or ended, ended, written)


def _generate(model: Any, settings: dict[str, Any], counted: list[int]) -> None:
    counted.append(model.generate(**settings).shape[1])


def ask_llama(path: str, prompt: str, tokens: int) -> lines.Figures:
    """Load a GGUF file, stream an answer and let go of it."""
    from llama_cpp import Llama

    began = time.perf_counter()
    model = Llama(path, n_ctx=2048, n_threads=psutil.cpu_count(logical=False), verbose=False)
    loaded = time.perf_counter()
    messages: Any = [{"role": "user", "content": prompt}]
    first, written = None, 0
    for part in model.create_chat_completion(
        messages, max_tokens=tokens, temperature=0.0, repeat_penalty=1.0, stream=True
    ):
        if part["choices"][0]["delta"].get("content"):
            first = first or time.perf_counter()
            written += 1
    ended = time.perf_counter()
    model.close()
    del model
    gc.collect()
    return lines.figures(began, loaded, first or ended, ended, written)


def ask(path: str, prompt: str, tokens: int) -> lines.Figures:
    """Ask one model in this process."""
    one = ask_llama if path.endswith(".gguf") else ask_transformers
    return one(path, prompt, tokens)


def import_libraries(path: str) -> None:
    """Import what asking this model needs, for who counts that time."""
    if path.endswith(".gguf"):
        import llama_cpp  # noqa: F401
    else:
        from transformers import (  # noqa: F401
            AutoModelForCausalLM,
            AutoTokenizer,
            TextIteratorStreamer,
        )


def main() -> None:
    """Import the libraries, say so, and answer rounds."""
    import llama_cpp
    import torch
    import transformers

    torch.set_num_threads(psutil.cpu_count(logical=False) or 1)
    modules = (llama_cpp, torch, transformers)
    lines.serve(lines.one_after_another(ask), {m.__name__: m.__version__ for m in modules})


if __name__ == "__main__":
    main()
