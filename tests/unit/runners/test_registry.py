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


class TestBuilds:
    @pytest.fixture
    def both(self, monkeypatch):
        monkeypatch.delenv(registry.CHOICE, raising=False)
        monkeypatch.setattr(registry, "_missing", lambda _engine: [])

    def test_the_one_to_be_used_comes_first(self, both):
        assert [b.library for b in registry.builds("gguf")] == ["llama_cpp", "xllamacpp"]
        assert [b.library for b in registry.builds("pytorch")] == ["torch"]

    def test_a_choice_leaves_one(self, both, monkeypatch):
        monkeypatch.setenv(registry.CHOICE, "xllamacpp")
        assert [build.library for build in registry.builds("gguf")] == ["xllamacpp"]

    def test_those_that_are_not_installed_are_none(self, monkeypatch):
        monkeypatch.delenv(registry.CHOICE, raising=False)
        monkeypatch.setattr(
            registry, "_missing", lambda e: list({"llama_cpp", "torch"} & {*e.requires})
        )
        assert [build.library for build in registry.builds("gguf")] == ["xllamacpp"]
        assert registry.builds("pytorch") == []

    def test_each_has_a_fork_server_of_its_own(self, both):
        assert registry.server_of("gguf") == "gguf"
        assert registry.server_of("gguf", "llama_cpp") == "gguf"
        assert registry.server_of("gguf", "xllamacpp") == "gguf/xllamacpp"
        assert registry.server_of("try_gguf", "xllamacpp") == "gguf/xllamacpp"
        assert registry.server_of("pytorch", "torch") == "pytorch"
        assert registry.server_of("custom") == "custom"
        assert registry.engine("gguf/xllamacpp").library == "xllamacpp"
        assert registry.is_known("gguf/xllamacpp")
        assert not registry.is_known("custom")

    def test_the_one_that_is_asked_for_is_made(self, both):
        made = registry.create_inferencer("gguf", "xllamacpp")
        assert type(made).__name__ == "XllamacppInferencer"

    @pytest.mark.parametrize("kind", ["gguf", "pytorch"])
    def test_levels_of_one_engine_have_the_same_keys(self, kind):
        levels = registry.ENGINES[kind].trial
        assert len(levels) == 3
        assert all(level.keys() == levels[0].keys() for level in levels)
