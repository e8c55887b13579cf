"""The peer that most people would write: one process, models loaded and deleted in turn.

Usage: python benchmarks/peers/by_hand.py, then one JSON line on standard input for each round:
{"models": [paths], "prompt": text, "tokens": number}; one JSON line comes back for each.

transformers with TextIteratorStreamer and a second thread, llama-cpp-python's own stream, and
``del`` with ``gc.collect()`` behind each. The libraries are imported before the first round.
"""

from __future__ import annotations

import gc
import json
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psutil


def ask_transformers(path: str, prompt: str, tokens: int) -> dict[str, float]:
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
    return _figures(began, loaded, first or ended, ended, written)


def _generate(model: Any, settings: dict[str, Any], counted: list[int]) -> None:
    counted.append(model.generate(**settings).shape[1])


def ask_llama(path: str, prompt: str, tokens: int) -> dict[str, float]:
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
    return _figures(began, loaded, first or ended, ended, written)


def _figures(
    began: float, loaded: float, first: float, ended: float, tokens: int
) -> dict[str, float]:
    writing = ended - first
    return {
        "load_seconds": loaded - began,
        "first_token_seconds": first - began,
        "seconds": ended - began,
        "tokens": tokens,
        "tokens_per_second": (tokens - 1) / writing if writing > 0 else 0.0,
    }


def ask(path: str, prompt: str, tokens: int) -> dict[str, float]:
    """Ask one model in this process."""
    one = ask_llama if path.endswith(".gguf") else ask_transformers
    return one(path, prompt, tokens)


def serve() -> None:
    """Answer one round for each line of standard input."""
    import llama_cpp
    import torch
    import transformers

    torch.set_num_threads(psutil.cpu_count(logical=False) or 1)
    versions = {m.__name__: m.__version__ for m in (llama_cpp, torch, transformers)}
    print(json.dumps(versions), flush=True)
    own = psutil.Process()
    for line in sys.stdin:
        request = json.loads(line)
        before, began = own.memory_full_info().uss, time.perf_counter()
        models = {
            Path(path).name: ask(path, request["prompt"], request["tokens"])
            for path in request["models"]
        }
        seconds = time.perf_counter() - began
        time.sleep(1)
        held = own.memory_full_info().uss - before
        print(json.dumps({"seconds": seconds, "held_bytes": held, "models": models}), flush=True)


if __name__ == "__main__":
    serve()
