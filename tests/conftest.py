"""Fixtures that every test shares: the starter models, and nothing left behind."""

from __future__ import annotations

import gc
import importlib.util
import json
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from bounds import Bounds
from leftovers import none_may_be_left

from comparator.core.models import ModelInfo, ModelType
from runners.machine import cores, memory
from runners.supervision.fork_server import fork_servers

TESTS = Path(__file__).resolve().parent
REPOSITORY = TESTS.parent
WORKER_BYTES = 3_000_000_000
# A made-up case may take as long as it likes: how long that is, the machine decides.
hypothesis.settings.register_profile("gate", deadline=None)
hypothesis.settings.load_profile("gate")
# The folders in the order in which they run, and the marker of each. What takes long comes first,
# so that several workers end at about the same time; the many short ones fill the gaps.
FOLDERS = {
    "soak": "soak",
    "package": "package",
    "space": "space",
    "ui": "ui",
    "process": "process",
    "cli": "process",
    "bad_input": "process",
    "contract": "process",
    "truth": "process",
    "scripts": "process",
    "api": "process",
    "unit": "",
}
FIXTURES = {  # and the marker of each test that asks for one of these
    "starter_models": "model",
    "starter_models_dir": "model",
    "bounds": "bounds",
}


@pytest.fixture(scope="session", autouse=True)
def own_places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep what the tests find out apart from the user's own places, and the user's models."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("COMPARATOR_CACHE_DIR", "COMPARATOR_DATA_DIR", "HF_HOME"):
            patch.setenv(name, str(tmp_path_factory.mktemp("places")))
        patch.setenv("COMPARATOR_SOURCES", "none")
        yield


@pytest.fixture
def bounds(request: pytest.FixtureRequest) -> Bounds:
    """Whether a figure in seconds or bytes is small enough, where such figures count."""
    return Bounds(bool(request.config.getoption("--bounds")))


@pytest.fixture(scope="session")
def starter_models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with the four starter models, made once and kept in the checkout's cache."""
    from comparator.library.changes import starter

    directory = REPOSITORY / "models"
    starter.install(directory, lambda progress: None)
    return directory


@pytest.fixture(scope="session")
def starter_models(starter_models_dir: Path) -> dict[str, str]:
    """The starter models' paths by what they are."""
    from comparator.library.changes import starter

    places = starter.PLACES.items()
    found = {key: starter_models_dir / place for key, place in places}
    return StarterModels({key: str(path) for key, path in found.items() if path.exists()})


class StarterModels(dict[str, str]):
    """The starter models that could be made; a test that asks for another one is skipped."""

    def __missing__(self, key: str) -> str:
        pytest.skip(f"the starter model {key} is made by llama-cpp-python, which is not installed")


def _processors() -> int:
    """Return how many processors the tests may use: those allowed, as far as a quota pays."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return math.ceil(min(allowed or 1, cores.quota_cores() or math.inf))


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option with which `make soak` holds the promises in seconds and bytes."""
    parser.addoption("--bounds", action="store_true", help="hold promises in seconds and bytes")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """Return how many tests run at once by ``-n auto``: two more than there are cores.

    Tests wait nearly half of their time, for a page to open or a child to end: with one more worker
    than cores a quarter of the processors' time was left. A worker needs its room: libraries, fork
    servers, a page and a browser.
    """
    return max(1, min(_processors() + 2, memory.total_bytes() // WORKER_BYTES))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test by its folder and its fixtures, before -m chooses; order the folders."""
    for item in items:
        asked = getattr(item, "fixturenames", ())
        markers = {FOLDERS.get(_folder(item)), *(FIXTURES.get(name) for name in asked)}
        for marker in sorted(filter(None, markers)):
            item.add_marker(marker)
    places = {folder: place for place, folder in enumerate(FOLDERS)}
    items.sort(key=lambda item: places.get(_folder(item), len(places)))


def pytest_collection_finish() -> None:
    """Leave what is there now out of the garbage collector's sight.

    The tests themselves and the libraries that they import are millions of objects, which stay to
    the end; each page and each engine that is closed has all that is there looked through.
    """
    gc.collect()
    gc.freeze()


def _folder(item: pytest.Item) -> str:
    return item.path.relative_to(TESTS).parts[0]


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs llama-cpp-python where the prebuilt engine is in its place."""
    if item.get_closest_marker("native") and importlib.util.find_spec("llama_cpp") is None:
        pytest.skip("needs llama-cpp-python, which is not installed")


@pytest.fixture
def echo_model(tmp_path: Path) -> Callable[..., ModelInfo]:
    """Make an echo model from the keys of its script."""

    def make(name: str = "echo", **script: Any) -> ModelInfo:
        path = tmp_path / f"{name}.echo.json"
        path.write_text(json.dumps(script))
        return ModelInfo("", name, str(path), ModelType.ECHO, path.stat().st_size)

    return make


@pytest.fixture(autouse=True)
def nothing_left_behind() -> Iterator[None]:
    """Fail a test that leaves a process behind."""
    with none_may_be_left():
        yield


@pytest.fixture(scope="session", autouse=True)
def close_fork_servers() -> Iterator[None]:
    """End the fork servers after the last test."""
    yield
    fork_servers.close()
