"""The table of engines: resolved by name, late, and helpful about what is missing."""

from __future__ import annotations

import importlib.util
from dataclasses import replace

import pytest

from comparator.core.exceptions import ConfigurationError, EngineMissingError, ModelLoadError
from runners import registry
from runners.base import BaseInferencer
from runners.engines.echo_inferencer import EchoInferencer


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


@pytest.mark.parametrize(
    ("installed", "package"),
    [("llama_cpp", ""), ("xllamacpp", "xllamacpp_"), ("", "")],
)
def test_gguf_models_run_on_what_is_installed(monkeypatch, installed, package):
    monkeypatch.delenv(registry.CHOICE, raising=False)
    found = importlib.util.find_spec
    libraries = {"llama_cpp", "xllamacpp"} - {installed}
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in libraries else found(name)
    )
    module = registry.engine("gguf").inferencer.partition(":")[0]
    assert module == f"runners.engines.gguf.{package}inferencer"
    if not installed:
        with pytest.raises(EngineMissingError, match=r"llama-cpp.*without a compiler: .*xllamacpp"):
            registry.check_installed("gguf")


@pytest.mark.parametrize("library", ["llama_cpp", "xllamacpp"])
def test_the_library_of_gguf_models_can_be_chosen(monkeypatch, library):
    monkeypatch.setenv(registry.CHOICE, library)
    assert registry.engine("gguf").requires == (library,)
    assert registry.engine("pytorch").requires == ("torch", "transformers")


def test_an_unknown_choice_is_answered_with_those_there_are(monkeypatch):
    monkeypatch.setenv(registry.CHOICE, "ollama")
    with pytest.raises(ConfigurationError, match="'ollama'; it takes llama_cpp or xllamacpp"):
        registry.engine("gguf")


def test_only_llama_cpp_python_has_the_quantiser(monkeypatch):
    found = importlib.util.find_spec
    missing = {"llama_cpp"}
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in missing else found(name)
    )
    with pytest.raises(EngineMissingError, match=r"xllamacpp.*none.*with: pip install \"llama-cpp"):
        registry.check_quantiser()
    assert not registry.has_quantiser()


def test_a_missing_library_is_said_with_the_command(monkeypatch):
    missing = replace(registry.ENGINES["echo"], requires=("json", "no_such_lib"), install="pip it")
    monkeypatch.setitem(registry.ENGINES, "echo", missing)
    assert registry.missing_requirements("echo") == ["no_such_lib"]
    with pytest.raises(EngineMissingError, match=r"echo engine needs no_such_lib.*with: pip it"):
        registry.create_inferencer("echo")
