"""Where the time of a token goes: ``perf`` on a model's process while it writes.

Usage: ``python -m benchmarks.profile_decode [MODELS_DIR]``; needs Linux and ``perf``. Writes
``results/profile.json`` and the tables of ``docs/speed.md``, which also hold the last full run
of ``comparator bench``.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from comparator.comparison.comparison import Comparison
from comparator.core.config import ModelConfig
from comparator.core.models import ModelInfo
from comparator.library.discovery import inspect
from comparator.services.inference_engine import InferenceEngine

from . import machine
from .company import MODELS, PROMPT

RESULTS = Path(__file__).parent / "results" / "profile.json"
SECONDS = 1.5  # shorter than any answer: perf fails where the process ends before
FREQUENCY_HERTZ = 999
LEAST_SHARE = 0.01
WRITING_TOKENS = 16  # then it writes steadily


def main() -> None:
    """Profile each starter model and write the result."""
    if shutil.which("perf") is None:
        raise SystemExit("perf is not here. Install it (Debian: linux-perf) and run this again.")
    models_dir = Path(sys.argv[1] if len(sys.argv) > 1 else "models")
    engine = InferenceEngine()
    try:
        profiles = {label: profile(engine, models_dir / place) for label, place in MODELS.items()}
    finally:
        engine.cleanup_resources()
    result = {"machine": machine.machine(), "versions": machine.versions(), "models": profiles}
    RESULTS.write_text(json.dumps(result, indent=1) + "\n", "utf-8")


def profile(engine: InferenceEngine, path: Path) -> dict[str, float]:
    """Return the share of samples of each library and function, while a model writes."""
    model = inspect(path)
    assert model is not None, f"no model at {path}"
    comparison = _writing(engine, model)
    try:
        with tempfile.TemporaryDirectory() as folder:
            return _shares(Path(folder) / "perf.data", comparison.pids()[0])
    finally:
        engine.finish(comparison)


def _writing(engine: InferenceEngine, model: ModelInfo) -> Comparison:
    config = ModelConfig(max_tokens=1500, do_sample=False)
    comparison = engine.compare(engine.request(PROMPT, [model], {model.id: config}))
    while comparison.result(0).stats.token_count < WRITING_TOKENS:
        comparison.drain(0.1)
        assert not comparison.is_complete, comparison.result(0).error
    return comparison


def _shares(data: Path, pid: int) -> dict[str, float]:
    record = ["perf", "record", "-q", "-F", str(FREQUENCY_HERTZ), "-p", str(pid), "-o", str(data)]
    subprocess.run([*record, "--", "sleep", str(SECONDS)], check=True, capture_output=True)
    report = ["perf", "report", "-i", str(data), "--stdio", "--sort", "dso,symbol", "-t", ";"]
    text = subprocess.run(report, check=True, capture_output=True, text=True).stdout
    return shares_of(text)


def shares_of(report: str) -> dict[str, float]:
    """Return what a report of ``perf`` says, small shares added up by library.

    Args:
        report: lines of a share in per cent, a library, and a function, between semicolons.
    """
    shares: dict[str, float] = {}
    for line in report.splitlines():
        cells = [cell.strip() for cell in line.split(";")]
        if len(cells) < 3 or not cells[0].endswith("%"):
            continue
        share, library = float(cells[0][:-1]) / 100, cells[1]
        function = cells[2][4:].partition("<")[0]  # without the arguments of a template
        named = share >= LEAST_SHARE and not function.startswith("0x")
        key = f"{library}: {function}" if named else library
        shares[key] = shares.get(key, 0.0) + share
    kept = {key: round(value, 4) for key, value in shares.items() if value >= LEAST_SHARE}
    return dict(sorted(kept.items(), key=lambda pair: -pair[1]))


if __name__ == "__main__":
    main()
