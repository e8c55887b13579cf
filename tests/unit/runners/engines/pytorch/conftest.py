"""What the tests of this engine share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """Compute tiny models by one thread: more only wait for each other, the most beside others."""
    torch = pytest.importorskip("torch")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session", autouse=True)
def ninja_is_looked_for() -> None:
    """Let transformers start the program that it asks once, before tests that may start none."""
    utils = pytest.importorskip("transformers.utils")
    utils.is_ninja_available()
