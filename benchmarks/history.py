"""How long the history takes to list and to search: ``python -m benchmarks.history``.

Comparisons of four models each, in English and Chinese, are kept in a file of their own. What is
timed is what the page asks for: the first fifty, and searches for words that many, few and none
have.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from comparator.storage.history import History, Retention
from comparator.storage.kept_comparison import KeptComparison
from comparator.storage.names import new_id

ENGLISH = (
    "capital",
    "country",
    "river",
    "mountain",
    "language",
    "model",
    "answer",
    "question",
    "because",
    "however",
    "between",
    "system",
    "memory",
    "water",
    "energy",
    "history",
    "people",
    "number",
    "write",
    "explain",
    "short",
    "example",
    "light",
)
CHINESE = (
    "的一是不了人我在有他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学"
)
RARE, NOWHERE = "zanzibar", "qwertzuiop"
MODELS = ("SmolLM2-135M-Instruct-Q8_0", "SmolLM2-135M-Instruct-Q2_K", "Qwen3-0.6B", "gemma-3-270m")
PAGE = 51  # what the page asks for: one more than it shows


def main() -> None:
    """Fill a history, and print how large it is and how long each question takes."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--comparisons", type=int, default=10_000)
    arguments.add_argument("--words", type=int, default=180, help="of each answer")
    arguments.add_argument("--repeat", type=int, default=9)
    asked = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "history.sqlite3"
        history = History(path, Retention(most=0))
        took = _fill(history, asked.comparisons, asked.words)
        size = sum(file.stat().st_size for file in path.parent.iterdir())
        print(f"{asked.comparisons} comparisons, {size / 1e6:.0f} MB")
        print(f"{'keeping one':<34}{1000 * took / asked.comparisons:8.1f} ms")
        history.close()
        for name, question in _questions(path).items():
            seconds = _seconds(question, asked.repeat)
            print(f"{name:<34}{1000 * seconds[0]:8.1f} ms, at the most {1000 * seconds[1]:.1f} ms")


def _questions(path: Path) -> dict[str, Callable[[], Any]]:
    history = History(path, Retention(most=0))
    last = history.find(most=PAGE)[-1].place
    searched = {
        "a word that all have": "capital",
        "a name that all have": "smollm2 q8_0",
        "a word that one has": RARE,
        "a word that none has": NOWHERE,
        "two Chinese characters, all": "国家",
        "two Chinese characters, none": "苹果",
        "four Chinese characters, none": "苹果水果",
        "a letter": "e",
        "several words": "river mountain energy",
    }

    def opened() -> Any:
        fresh = History(path, Retention(most=0))
        found = fresh.find(most=PAGE)
        fresh.close()
        return found

    def search(words: str) -> Callable[[], Any]:
        return lambda: history.find(words, most=PAGE)

    return {
        "opening the file and the list": opened,
        "the list": lambda: history.find(most=PAGE),
        "its second part": lambda: history.find(most=PAGE, before=last),
        **{f"search: {name}": search(words) for name, words in searched.items()},
        "one comparison whole": lambda: history.get("last"),
    }


def _seconds(question: Callable[[], Any], repeat: int) -> tuple[float, float]:
    """Return the median and the most of several times."""
    times = []
    for _ in range(repeat):
        began = time.perf_counter()
        question()
        times.append(time.perf_counter() - began)
    return statistics.median(times), max(times)


def _fill(history: History, comparisons: int, words: int) -> float:
    chance = random.Random(1)
    began = time.perf_counter()
    for number in range(comparisons):
        rare = RARE if number == comparisons // 3 else ""
        history.add(_comparison(chance, float(number), words, rare))
    return time.perf_counter() - began


def _comparison(
    chance: random.Random, created: float, words: int, rare: str = ""
) -> KeptComparison:
    question = f"{_text(chance, 12)} {rare}".strip()
    records = [_record(chance, name, question, words) for name in MODELS]
    return KeptComparison(id=new_id(), created=created, records=records)


def _record(chance: random.Random, name: str, question: str, words: int) -> dict[str, Any]:
    messages = [{"role": "user", "content": question}]
    return {
        "model": {"id": name, "name": name, "model_type": "gguf", "path": f"/m/{name}", "size": 1},
        "content": _text(chance, words),
        "state": "done",
        "stats": {name: chance.random() for name in ("start_time", "duration", "load_seconds")},
        "config": {"temperature": 0.7, "seed": chance.randrange(2**31), "max_tokens": 512},
        "prompt": {"rendered": f"<|im_start|>user\n{question}<|im_end|>", "messages": messages},
        "log_tail": "llama_model_loader: loaded meta data\n" * 20,
    }


def _text(chance: random.Random, words: int) -> str:
    """Return a text of so many words: a third of it Chinese."""
    english = chance.choices(ENGLISH, k=words - words // 3)
    chinese = "".join(chance.choices(CHINESE, k=words // 3 * 2))
    return f"{' '.join(english)}。{chinese}"


if __name__ == "__main__":
    main()
