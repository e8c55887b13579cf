"""The same bad models through the command line and through what the page is served from."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from bad_models import CASES, Case, Workshop
from cases import slow

from comparator.hosting.host import Host
from comparator.hosting.options import ServerOptions
from comparator.hosting.requests import RequestDraft, SlotDraft

WHAT = (
    "a GGUF one byte short",
    "GGUF: a pointer",
    "block_count 600",
    "an unknown architecture in GGUF",
    "one layer is missing",
    "a bomb in an archive",
    "code of its own",
    "NaN in GGUF",
    "gguf template: 10^10 characters",
)
CHOSEN = [next(case for case in CASES if case.what == what) for what in WHAT]


def made(shop: Workshop, cases: list[Case]) -> list[Path]:
    """Make each bad model in a folder of its own below the models folder."""
    paths = []
    for number, case in enumerate(cases):
        place = shop.place / str(number)
        place.mkdir()
        path = case.make(Workshop(place, shop.whole_folder, shop.whole_gguf))
        paths.append(path.rename(path.with_name(f"bad{number}{path.suffix}")))
    (shop.place / "healthy.echo.json").write_text("{}")
    return paths


@pytest.mark.parametrize("first", [0, 6, slow(3)])
def test_the_command_line_says_it_in_the_record_and_goes_on(shop: Workshop, first: int) -> None:
    cases = CHOSEN[first : first + 3]
    chosen = [word for path in made(shop, cases) for word in ("-m", str(path))]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "comparator", "run", *chosen, "-m", "healthy"),
            *("-p", "aaab", "--max-tokens", "2", "-o", "jsonl", "--models-dir", str(shop.place)),
        ],
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    *records, healthy = (json.loads(line) for line in done.stdout.splitlines())
    assert (healthy["content"], healthy["error"]) == ("aaab", None)
    for case, record in zip(cases, records, strict=True):
        assert re.search(case.says, record["error"]), record["error"]
        assert re.fullmatch(case.kind, record["error_kind"])
        assert record["error"].split(".")[0] in done.stderr
    assert not any(path.name == "marker" for path in shop.place.rglob("marker"))


@pytest.mark.parametrize("first", [3, slow(0), slow(6)])
def test_the_pages_host_says_it_in_the_column_and_takes_the_next(
    shop: Workshop, first: int
) -> None:
    cases = CHOSEN[first : first + 3]
    made(shop, cases)
    host = Host(ServerOptions(models_dir=shop.place))
    try:
        names = [f"bad{number}" for number in range(3)] + ["healthy"]
        shelf = {model.name: model for model in host.shelf().offered}
        assert set(names) <= set(shelf)
        *records, healthy = asked(host, names)
        assert (healthy["content"], healthy["error"]) == ("aaab", None)
        for case, record in zip(cases, records, strict=True):
            assert re.search(case.says, record["error"]), record["error"]
            assert record["model"]["path"] is None
        (again,) = asked(host, ["healthy"])
        assert again["content"] == "aaab"
    finally:
        host.close()


def asked(host: Host, names: list[str]) -> list[dict[str, Any]]:
    draft = RequestDraft(
        "aaab", [SlotDraft(name) for name in names], settings={"max_tokens": 2, "n_threads": 1}
    )
    sitting = host.begin("one", draft, lambda: None)
    end = time.monotonic() + 60
    while not sitting.is_complete and time.monotonic() < end:
        sitting.comparison.drain(0.1)
    assert sitting.join(60)
    while host.current("one") is not None and time.monotonic() < end:
        time.sleep(0.01)
    return host.records(sitting.comparison)


def test_what_cannot_be_a_model_is_listed_with_the_reason(shop: Workshop) -> None:
    (shop.place / "empty.gguf").touch()
    (shop.place / "m-00001-of-00002.gguf").write_bytes(shop.whole_gguf.read_bytes())
    folder = shop.folder()
    (folder / "config.json").unlink()
    host = Host(ServerOptions(models_dir=shop.place))
    problems = {model.name: model.problem for model in host.shelf().unusable}
    assert problems == {
        "empty": "The file is empty (0 bytes). Download it again.",
        "m": "Shard 2 of 2 is missing. Download the missing files again.",
        "model.safetensors": problems["model.safetensors"],
    }
    assert "config.json and the tokenizer files are missing" in problems["model.safetensors"]
    host.close()
