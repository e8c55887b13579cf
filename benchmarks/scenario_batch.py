"""Several answers at once beside one by one, of each engine, in turn (docs/batching.md)."""

from __future__ import annotations

from collections.abc import Callable

from . import batch
from .batch import Speed
from .company import Company

AT_ONCE = 8
ONE_BY_ONE, TOGETHER = "one by one", f"{AT_ONCE} answers at once"
LABELS = ("GGUF Q8_0", "PyTorch")
Ask = Callable[[str, int, int], Speed]


def scenario(company: Company) -> None:
    """Tokens of all answers a second, one by one and at once.

    Raises:
        PeerError: a model did not answer.
    """
    models = {label: batch.model_at(company.path(label)) for label in LABELS}

    def ask(label: str, size: int, tokens: int) -> Speed:
        answers = company.amounts.batch_answers
        speed, said = batch.asked(models[label], size, answers, tokens)
        for sentence in said:
            company.record.note(f"batch: {label}: {sentence}")
        return speed

    measure(company, ask)


def measure(company: Company, ask: Ask) -> None:
    """Ask every model in both ways, round after round; each round begins with the other way.

    Args:
        company: whose record it goes to.
        ask: given a label, how many at once, and the tokens of each answer.
    """
    amounts = company.amounts
    company.record.note(
        f"batch: {amounts.batch_answers} answers of {amounts.batch_tokens} tokens each."
    )
    for label in LABELS:
        ask(label, AT_ONCE, amounts.short_tokens)  # file cache, fork server
        for number in range(amounts.repeats):
            company.tell(f"batch, {label}: round {number + 1} of {amounts.repeats}")
            ways = [(ONE_BY_ONE, 1), (TOGETHER, AT_ONCE)]
            for name, size in ways[:: -1 if number % 2 else 1]:
                speed = ask(label, size, amounts.batch_tokens)
                company.record.add("batch", "decode_of_all", name, speed.decode, label)
                company.record.add("batch", "speed_of_all", name, speed.all, label)
