"""Compares the estimate of a run's memory with its measured peak, over many models.

``python -m benchmarks.memory_estimate`` makes small models of many architectures for both
engines, runs them and the starter models, prints a table and writes
``results/memory_estimate.json``. What is compared is private memory (USS) of the model's
process: pages of libraries and files that another process maps at the same time do not count in
it, so nothing else of these engines should run meanwhile; how much did is noted. A process is
looked at four times a second: where numbers are converted, the peak lies in the load, and a
load that is shorter than that shows less of it. So that case is measured with the largest model.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import psutil

from comparator.core.config import ModelConfig
from comparator.core.models import ModelInfo, ModelType
from comparator.library.changes import starter
from comparator.services.inference_engine import InferenceEngine
from comparator.services.memory_manager import MemoryManager
from runners.supervision.fork_server import fork_servers

from . import machine, memory_models

RESULTS = Path(__file__).parent / "results" / "memory_estimate.json"
WITHIN = 0.15
SENTENCE = "The keeper wrote down the wind, the tide and the ships that passed. "
LIBRARIES = ("libtorch_cpu", "libllama")


@dataclass(frozen=True)
class Case:
    """One run: a model with its context and answer in tokens, and its prompt in sentences."""

    path: Path
    context: int = 2048
    answer: int = 64
    sentences: int = 2
    settings: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Row:
    """What was expected of a run and what it showed; sizes in bytes, lengths in tokens."""

    model: str
    engine: str
    size: int
    context: int
    prompt_tokens: int
    answer_tokens: int
    settings: dict[str, Any]
    estimated: int
    measured: int
    ratio: float


def cases(models: Path, starters: Path) -> Iterator[Case]:
    """Yield every run: all models at their shortest, and some of them at full length."""
    made = [models / f"{memory_models.name_of(shape)}.gguf" for shape in memory_models.GGUF]
    made += [models / memory_models.name_of(shape) for shape in memory_models.FOLDERS]
    given = [starters / place for place in starter.PLACES.values()]
    for path in (*given, *made):
        yield Case(path)
    for path in (given[0], given[-1], made[0], made[4], made[6], made[10], made[12], made[14]):
        yield Case(path, context=512, answer=16, sentences=1)
        yield Case(path, context=8192, answer=64, sentences=60)
    yield Case(given[-1], context=8192, answer=512)
    yield Case(made[10], context=8192, answer=512)
    yield Case(given[-1], settings={"torch_dtype": "float32"})


def measure(engine: InferenceEngine, case: Case) -> Row:
    """Run one case and return what was expected and what was measured.

    Raises:
        RuntimeError: the run failed, with its reason.
    """
    model = _model(case.path)
    config = ModelConfig(
        n_ctx=case.context,
        max_tokens=case.answer,
        temperature=0,
        prompt_format="plain",
        **case.settings,
    )
    prompt = SENTENCE * case.sentences
    *_, results = engine.run_inference(prompt, [model], {model.id: config})
    result = results[model.id]
    if result.error:
        raise RuntimeError(f"{model.name}: {result.error}")
    estimated, measured = result.receipt["estimated_bytes"], result.receipt["peak_bytes"]
    return Row(
        model.name,
        model.model_type.value,
        model.size,
        case.context,
        result.stats.prompt_tokens or 0,
        result.stats.token_count,
        case.settings,
        estimated,
        measured,
        round(estimated / measured, 3),
    )


def _model(path: Path) -> ModelInfo:
    if path.is_dir():
        size = sum(file.stat().st_size for file in path.glob("*.safetensors"))
        return ModelInfo("", path.name, str(path), ModelType.PYTORCH, size)
    return ModelInfo("", path.stem, str(path), ModelType.GGUF, path.stat().st_size)


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = [
        "| model | engine | context | prompt | answer | estimate, MB | measured, MB | ratio |",
        "|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for row in rows:
        settings = "".join(f", {value}" for value in row.settings.values())
        lines.append(
            f"| {row.model}{settings} | {row.engine} | {row.context} | {row.prompt_tokens} "
            f"| {row.answer_tokens} | {row.estimated / 1e6:.0f} | {row.measured / 1e6:.0f} "
            f"| {row.ratio:.2f} |"
        )
    return "\n".join(lines)


def users_of_libraries() -> int:
    """Return how many other programs have mapped an engine, whose pages are shared with them."""
    own = {psutil.Process().pid, *fork_servers.pids()}
    count = 0
    for process in psutil.process_iter():
        try:
            mapped = Path(f"/proc/{process.pid}/maps").read_text()
        except OSError:
            continue
        count += process.pid not in own and any(name in mapped for name in LIBRARIES)
    return count


def run() -> list[Row]:
    """Make the models in a process of their own, measure all cases, and leave nothing."""
    engine = InferenceEngine(MemoryManager(enforce=False))
    rows = []
    with tempfile.TemporaryDirectory(prefix="memory-") as name:
        models, starters = Path(name) / "made", Path(name) / "starter"
        models.mkdir()
        subprocess.run(
            [sys.executable, "-m", "benchmarks.memory_models", str(models)],
            check=True,
            stderr=subprocess.DEVNULL,
        )
        _copy_starters(starters)
        for case in cases(models, starters):
            rows.append(measure(engine, case))
            print(table(rows[-1:]).splitlines()[-1], file=sys.stderr)
    engine.cleanup_resources()
    return rows


def _copy_starters(directory: Path) -> None:
    """Copy them, so that no other program maps the same files."""
    source = Path(__file__).parent.parent / "models"
    starter.install(source, lambda _progress: None)
    for place in starter.PLACES.values():
        target = directory / place
        target.parent.mkdir(parents=True, exist_ok=True)
        copy = shutil.copytree if (source / place).is_dir() else shutil.copy
        copy(source / place, target)


def main() -> int:
    """Measure, print the table, write the results; 1 where an estimate is too far away."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", type=Path, default=RESULTS, help="where to write the results")
    arguments = parser.parse_args()
    others = users_of_libraries()
    rows = run()
    far = [row for row in rows if not 1 - WITHIN <= row.ratio <= 1 + WITHIN]
    print(table(rows))
    print(f"\n{len(rows) - len(far)} of {len(rows)} within {WITHIN:.0%}.")
    result = {
        "machine": machine.machine(),
        "versions": machine.versions(),
        "other_programs_with_these_libraries": others,
        "within": WITHIN,
        "rows": [asdict(row) for row in rows],
    }
    arguments.write.parent.mkdir(parents=True, exist_ok=True)
    arguments.write.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 1 if far else 0


if __name__ == "__main__":
    sys.exit(main())
