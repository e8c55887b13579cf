"""A crowd of visitors in one process, each with a ``gradio_client`` of its own.

Usage: ``python visiting_crowd.py URL SECONDS VISITORS NAME REAL_MODEL [ECHO_MODEL]``. Each asks the
echo model again and again, at least once, now and then the real one unless that is ``-``, and
checks that the answer is its own. One line of JSON at the end of the time; a crowd named
``vanishing`` goes on asking until it is killed.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any

from gradio_client import Client

ECHO = "Echo"
REAL_EVERY = 7


class Visitor:
    def __init__(self, url: str, name: str, real_model: str, echo_model: str) -> None:
        self.url, self.name = url, name
        self.real_model, self.echo_model = real_model, echo_model
        self.answers = self.real_answers = self.most_waiting = 0
        self.wrong: list[str] = []

    def stay(self, until: float, vanishes: bool) -> None:
        client = Client(self.url, verbose=False)
        number = 0
        while vanishes or not number or time.monotonic() < until:
            number += 1
            try:
                self._ask(client, number)
            except Exception as error:
                self.wrong.append(f"{type(error).__name__}: {error}"[:300])
                time.sleep(1)
        client.close()

    def _ask(self, client: Any, number: int) -> None:
        is_real = self.real_model != "-" and number % REAL_EVERY == 0
        model = self.real_model if is_real else self.echo_model
        question = f"{self.name} asks {number}"
        job = client.submit(question, [model], "", {"max_tokens": 8}, api_name="/compare")
        (record,) = job.result(timeout=120)
        for snapshot in job.outputs():
            self.most_waiting = max(self.most_waiting, snapshot[0]["position"])
        if record["error"] or question not in record["prompt"]["rendered"]:
            self.wrong.append(f"{question}: {record['error']} {record['prompt']['rendered']}"[:300])
        elif not is_real and record["content"].strip() != question:
            self.wrong.append(f"{question}: got {record['content']!r}"[:300])
        self.answers += 1
        self.real_answers += is_real


def main() -> None:
    url, seconds, count, name, real_model, *others = sys.argv[1:]
    echo_model = others[0] if others else ECHO
    until = time.monotonic() + float(seconds)
    visitors = [
        Visitor(url, f"{name} {number}", real_model, echo_model) for number in range(int(count))
    ]
    vanishes = name == "vanishing"
    threads = [
        threading.Thread(target=visitor.stay, args=(until, vanishes), daemon=True)
        for visitor in visitors
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()) + (0 if vanishes else 120))
    report = {
        "answers": [visitor.answers for visitor in visitors],
        "real_answers": sum(visitor.real_answers for visitor in visitors),
        "most_waiting": max(visitor.most_waiting for visitor in visitors),
        "wrong": [wrong for visitor in visitors for wrong in visitor.wrong],
    }
    print(json.dumps(report), flush=True)
    while vanishes:
        time.sleep(1)


if __name__ == "__main__":
    main()
