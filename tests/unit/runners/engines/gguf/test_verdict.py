"""What the trial has found is what the engine runs with."""

from __future__ import annotations

import pytest
from wide_gguf import write_wide_gguf

from comparator.core.exceptions import EngineMissingError
from runners.engines.gguf import adapter, devices
from runners.engines.gguf import inferencer as module
from runners.engines.gguf.inferencer import GGUFInferencer
from runners.machine.cores import thread_count

pytest.importorskip("llama_cpp")


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return str(write_wide_gguf(tmp_path_factory.mktemp("models") / "wide.gguf"))


@pytest.fixture
def asked(monkeypatch):
    """What llama.cpp is asked for, by field."""
    found = {}
    model, context = adapter.model_parameters, adapter.context_parameters

    def model_parameters(llama, **values):
        found.update(values)
        return model(llama, **values)

    def context_parameters(llama, **values):
        found.update(values)
        return context(llama, **values)

    monkeypatch.setattr(adapter, "model_parameters", model_parameters)
    monkeypatch.setattr(adapter, "context_parameters", context_parameters)
    return found


def loaded(path, verdict, **config):
    engine = GGUFInferencer()
    engine.verdict = verdict
    engine.load_model(path, {"n_ctx": 256, "use_gpu": False, **config})
    engine.unload_model()
    return engine


def test_without_a_verdict_the_librarys_defaults_count(path, asked):
    engine = loaded(path, {})
    assert (asked["use_extra_bufts"], asked["flash_attention"]) == (True, "auto")
    assert asked["n_threads"] == thread_count()
    assert (engine.way, engine.fallbacks) == ("llama.cpp", [])


def test_the_settings_of_a_verdict_reach_llama_cpp(path, asked):
    settings = {"use_extra_bufts": False, "flash_attention": "off", "threads": 1}
    loaded(path, {"settings": settings})
    assert (asked["use_extra_bufts"], asked["flash_attention"]) == (False, "off")
    assert (asked["n_threads"], asked["n_threads_batch"]) == (1, 1)


def test_the_users_threads_are_more_than_the_verdicts(path, asked):
    settings = {"use_extra_bufts": True, "flash_attention": "auto", "threads": 1}
    loaded(path, {"settings": settings}, n_threads=2)
    assert asked["n_threads"] == 2


def test_unknown_devices_are_told(path, monkeypatch):
    monkeypatch.setattr(devices, "are_unknown", lambda _llama: True)
    assert loaded(path, {}).fallbacks == [module._UNKNOWN_DEVICES]


def test_a_penalty_that_only_llama_cpp_can_give_is_told_and_answers(path, monkeypatch):
    sampler = module.GGUFSampler
    monkeypatch.setattr(sampler, "_writing_counts", lambda _self: False)
    engine = GGUFInferencer()
    engine.load_model(
        path, {"n_ctx": 256, "max_tokens": 4, "n_threads": 1, "seed": 1, "repeat_penalty": 1.2}
    )
    assert list(engine.pieces("a"))
    assert engine.fallbacks == [module._SLOW_PENALTY]
    engine.unload_model()


def test_flash_attention_that_cannot_be_switched_off_is_refused(path):
    llama = module.library.library()
    changed = {name: number for name, number in llama.flash_attention.items() if name == "auto"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(llama.__dict__, "flash_attention", changed)
        with pytest.raises(EngineMissingError, match="cannot be set to 'off'"):
            loaded(path, {"settings": {"flash_attention": "off"}})
