"""The page on what stands in for a ZeroGPU Space, and two visitors: ``zero_gpu_page.py MODEL``.

Each visitor's requests carry the header that Hugging Face gives them, by which GPU time is
counted. Prints one JSON object: what the scheduler was asked, and what the visitors were told.
"""

from __future__ import annotations

import base64
import json
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zero_gpu_space import asked, begin, leave_cuda_out

ANNA, BERTA = "anna", "berta"


def token_of(name: str) -> str:
    """Return a token as Hugging Face makes them: a signed object, here without a signature."""
    parts = [json.dumps(part).encode() for part in ({"alg": "none"}, {"user": name})]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in parts) + ".x"


class Visitor:
    """A browser: the page's own events, over its queue."""

    def __init__(self, url: str, name: str) -> None:
        import httpx

        headers = {"X-IP-Token": token_of(name)}
        self._http = httpx.Client(base_url=f"{url}gradio_api/", headers=headers, timeout=120)
        self._session = f"the session of {name}"
        config = httpx.get(f"{url}config").json()
        self._events = {event["api_name"]: event for event in config["dependencies"]}
        self._fields = {field["id"]: field["props"] for field in config["components"]}
        opened = {"data": [None], "session_hash": self._session}
        self._http.post("run/page_load", json=opened).raise_for_status()

    def run(self, prompt: str, models: list[str], tokens: int) -> list[Any]:
        """Press Run with the page's fields as they are but for these; wait until it is over."""
        event, values = self._events["page_run"], []
        left = [*models, *[""] * 4]
        for field in (self._fields[number] for number in event["inputs"]):
            name = str(field.get("elem_id"))
            own = {"prompt": prompt, "max-tokens": tokens, "threads": "1"}.get(name)
            model = left.pop(0) if name.startswith("model-") else None
            values.append(next((v for v in (own, model) if v is not None), field.get("value")))
        return self._follow(event["id"], values, None)

    def retry(self, column: int) -> list[Any]:
        """Press Retry in a column; wait until it is over."""
        return self._follow(self._events["page_retry"]["id"], [], {"slot": column})

    def close(self) -> None:
        """Leave."""
        self._http.close()

    def _follow(self, number: int, data: list[Any], carried: Any) -> list[Any]:
        asked = {
            "data": data,
            "fn_index": number,
            "event_data": carried,
            "session_hash": self._session,
        }
        self._http.post("queue/join", json=asked).raise_for_status()
        told = []
        with self._http.stream(
            "GET", "queue/data", params={"session_hash": self._session}
        ) as stream:
            for line in stream.iter_lines():
                message = json.loads(line.removeprefix("data:") or "null") if line else None
                if message and message["msg"] == "process_completed":
                    told.append(message["success"])
        return told


def both(*visits: Callable[[], Any]) -> list[Any]:
    """Let visits begin one shortly after the other and return what each was told."""
    told: list[Any] = [None] * len(visits)

    def live(number: int) -> None:
        told[number] = visits[number]()

    threads = [threading.Thread(target=live, args=(number,)) for number in range(len(visits))]
    for thread in threads:
        thread.start()
        time.sleep(0.5)
    for thread in threads:
        thread.join()
    return told


def main(path: str) -> None:
    """Serve the page, and let two visitors ask by their browsers and one by the endpoint."""
    begin()
    leave_cuda_out()
    from gradio_client import Client

    from comparator.hosting.host import Host
    from comparator.hosting.options import ServerOptions
    from comparator.ui.page import build_page
    from comparator.ui.server import launch

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = ServerOptions(Path(path).parent, server_port=port, sources=())
    host = Host(settings)
    host.warm_up()
    page = build_page(host)
    url = launch(page, settings)
    model = next(entry["id"] for entry in host.model_records() if entry["model_type"] == "pytorch")
    anna, berta = Visitor(url, ANNA), Visitor(url, BERTA)
    told = both(lambda: anna.run("Hello", [model, model], 4), lambda: berta.run("Hi", [model], 200))
    told.append(anna.retry(1))
    client = Client(url, verbose=False, headers={"X-IP-Token": token_of(BERTA)})
    settings_sent = {"max_tokens": 300, "n_threads": 1}
    (record,) = client.predict("Hi", [model], "", settings_sent, api_name="/compare")
    client.close()
    nobody = Client(url, verbose=False)
    settings_sent = {"max_tokens": 400, "n_threads": 1}
    (other,) = nobody.predict("Hi", [model], "", settings_sent, api_name="/compare")
    nobody.close()
    anna.close()
    berta.close()
    host.close()
    page.close(verbose=False)
    seen = {
        "asked": [one for one in asked if one["to"] == "/schedule"],
        "told": told,
        "errors": [record["error"], other["error"]],
        "tokens": {name: token_of(name) for name in (ANNA, BERTA)},
    }
    sys.stdout.write("\nSEEN " + json.dumps(seen) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
