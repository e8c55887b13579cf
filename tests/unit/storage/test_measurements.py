"""What runs have shown is kept, by model, for several programs at once."""

from __future__ import annotations

import logging
import subprocess
import sys
import time

import pytest

from comparator.core.models import InferenceResult, InferenceStats, ModelInfo, ModelType
from comparator.storage import database
from comparator.storage.measurements import FEWEST_TOKENS_FOR_SPEED, Measurements


@pytest.fixture
def store(tmp_path):
    measurements = Measurements(tmp_path / "measurements.sqlite3")
    yield measurements
    measurements.close()


def model(path="/models/a.gguf", size=7) -> ModelInfo:
    return ModelInfo("", "a", path, ModelType.GGUF, size)


def result(of=None, *, tokens=100, speed=20.0, peak=500, error=None) -> InferenceResult:
    stats = InferenceStats(0.0, 1.0, token_count=tokens, tokens_per_second=speed, memory_usage=peak)
    of = of or model()
    return InferenceResult(of.id, "", True, error, stats, model=of)


def test_a_model_that_never_ran_has_none(store):
    assert store.of(model()) is None
    assert store.of_all([model(), model("/b")]) == {}


def test_the_last_run_and_the_best_speed(store):
    begun = time.time()
    store.add(result(speed=20.0, peak=500), 450)
    store.add(result(speed=30.0, peak=600), 550)
    store.add(result(speed=10.0, peak=700), 650)
    measured = store.of(model())
    assert (measured.runs, measured.peak_bytes, measured.estimated_bytes) == (3, 700, 650)
    assert measured.best_tokens_per_second == 30.0
    assert begun <= measured.last_used <= time.time()


def test_a_path_that_is_no_text_is_known_again(store):
    odd = model("/models/b\udcffd.gguf")
    store.add(result(odd), 450)
    assert store.of(odd).runs == 1


def test_a_short_answer_and_a_failure_tell_no_speed(store):
    store.add(result(tokens=FEWEST_TOKENS_FOR_SPEED - 1, speed=999.0), 1)
    assert store.of(model()).best_tokens_per_second is None
    store.add(result(error="It crashed.", speed=999.0), 1)
    assert store.of(model()).best_tokens_per_second is None
    store.add(result(speed=5.0), 1)
    store.add(result(tokens=1, speed=999.0), 1)
    assert store.of(model()).best_tokens_per_second == 5.0


def test_a_disturbed_run_tells_no_speed(store):
    disturbed = result(speed=999.0)
    disturbed.stats.disturbed = ["decode"]
    store.add(disturbed, 1)
    assert store.of(model()).best_tokens_per_second is None
    loaded = result(speed=5.0)
    loaded.stats.disturbed = ["load"]
    store.add(loaded, 1)
    assert store.of(model()).best_tokens_per_second == 5.0


def test_a_run_that_held_nothing_is_none(store):
    store.add(result(peak=0), 1)
    store.add(result(peak=None), 1)
    assert store.of(model()) is None


def test_another_file_in_its_place_begins_anew(store):
    store.add(result(model(size=7)), 1)
    assert store.of(model(size=8)) is None


def test_the_same_model_twice_in_a_comparison_is_one(store):
    twin = model()
    twin.id += "#2"
    store.add(result(twin), 1)
    assert store.of(model()).runs == 1


def test_many_at_once(store):
    models = [model(f"/m/{number}") for number in range(300)]
    for one in models[::2]:
        store.add(result(one), 1)
    found = store.of_all(models)
    assert found.keys() == {one.id for one in models[::2]}


ADD = """
import sys
from pathlib import Path
from comparator.core.models import InferenceResult, InferenceStats, ModelInfo, ModelType
from comparator.storage.measurements import Measurements
store = Measurements(Path(sys.argv[1]))
model = ModelInfo("", "a", "/models/a.gguf", ModelType.GGUF, 7)
stats = InferenceStats(0.0, 1.0, token_count=100, tokens_per_second=1.0, memory_usage=5)
for _ in range(50):
    store.add(InferenceResult(model.id, "", True, None, stats, model=model), 4)
"""


@pytest.mark.process
def test_two_programs_lose_nothing(store, tmp_path):
    command = [sys.executable, "-c", ADD, str(tmp_path / "measurements.sqlite3")]
    others = [subprocess.Popen(command) for _ in range(2)]
    for _ in range(50):
        store.add(result(), 1)
    assert [other.wait(60) for other in others] == [0, 0]
    assert store.of(model()).runs == 150


def test_it_is_there_in_the_next_program(store, tmp_path):
    store.add(result(), 1)
    store.close()
    other = Measurements(tmp_path / "measurements.sqlite3")
    assert other.of(model()).runs == 1
    other.close()


def _no_disk(*_arguments):
    raise OSError(5, "Input/output error")


def test_a_store_that_fails_is_said_and_fails_no_run(store, caplog, monkeypatch):
    store.add(result(), 1)
    with monkeypatch.context() as patch, caplog.at_level(logging.WARNING):
        patch.setattr(database, "opened", _no_disk)
        store._store._connection.close()  # as a disk that went away
        store.add(result(), 1)
        assert store.of(model()) is None
    assert "Measurements are not kept" in caplog.text
    store.add(result(), 1)
    assert store.of(model()).runs == 2
