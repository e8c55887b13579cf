"""The table of engines: resolved by name, late, and helpful about what is missing."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import pytest

from comparator.core.exceptions import EngineMissingError, ModelLoadError
from runners import registry
from runners.base import BaseInferencer
from runners.echo_inferencer import EchoInferencer


def test_the_table_is_sorted_and_every_reference_leads_to_a_module():
    assert list(registry.ENGINES) == sorted(registry.ENGINES)
    references = [engine.inferencer for engine in registry.ENGINES.values()]
    for reference in [*references, *registry.JOBS.values()]:
        module, _, name = reference.partition(":")
        assert name
        assert importlib.util.find_spec(module) is not None
    assert set(registry.JOB_ENGINES) == set(registry.JOBS)
    assert set(registry.JOB_ENGINES.values()) <= set(registry.ENGINES)


@pytest.mark.parametrize("kind", registry.ENGINES)
def test_every_engine_is_an_inferencer(kind):
    assert issubclass(registry.resolve(registry.ENGINES[kind].inferencer), BaseInferencer)


@pytest.mark.parametrize("kind", ["gguf", "pytorch"])
def test_an_engine_with_libraries_names_the_command(kind):
    assert registry.ENGINES[kind].requires
    assert registry.ENGINES[kind].install.startswith("pip install ")


def test_an_instance_is_made():
    assert isinstance(registry.create_inferencer("echo"), EchoInferencer)
    assert registry.create_inferencer("echo") is not registry.create_inferencer("echo")


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(ModelLoadError, match=r"Unknown engine 'ggfu'. Did you mean gguf\?"):
        registry.create_inferencer("ggfu")
    with pytest.raises(ModelLoadError, match="There are: echo, gguf, pytorch"):
        registry.engine("zzz")


def test_a_missing_library_is_said_with_the_command(monkeypatch):
    missing = replace(registry.ENGINES["echo"], requires=("json", "no_such_lib"), install="pip it")
    monkeypatch.setitem(registry.ENGINES, "echo", missing)
    assert registry.missing_requirements("echo") == ["no_such_lib"]
    with pytest.raises(EngineMissingError, match=r"echo engine needs no_such_lib.*with: pip it"):
        registry.create_inferencer("echo")
