"""What llama.cpp does not promise and we rest on, held against whatever versions are installed."""

from __future__ import annotations

import ctypes
import json
import math
import os
from dataclasses import replace
from types import SimpleNamespace

import pytest
from wide_gguf import write_wide_gguf

from comparator.core.config import ModelConfig
from comparator.core.exceptions import EngineMissingError, ModelLoadError
from runners.engines.gguf import adapter, library, quantize, sampling, xllamacpp_library
from runners.engines.gguf.model import GGUFContext, GGUFModel

NAMES = ("llama_cpp", "xllamacpp")


@pytest.fixture(params=NAMES)
def llama(request):
    pytest.importorskip(request.param)
    return library.of_name(request.param)


@pytest.fixture(scope="module")
def model_path(tmp_path_factory):
    return write_wide_gguf(tmp_path_factory.mktemp("models") / "wide.gguf")


@pytest.fixture
def context(llama, model_path):
    model = GGUFModel.load(str(model_path), llama=llama)
    made = GGUFContext(model, 256, 1)
    yield made
    made.close()
    model.close()


def test_every_function_is_there_with_as_many_arguments(llama):
    for name, (_, *takes) in xllamacpp_library.FUNCTIONS.items():
        declared = getattr(getattr(llama, name), "argtypes", None)
        assert declared is None or len(declared) == len(takes), name


def test_defaults_can_be_defaults_and_have_room_behind(llama):
    for name in ("model", "context"):
        defaults = getattr(llama, f"llama_{name}_default_params")()
        adapter.check_plausible(defaults)
        assert ctypes.sizeof(defaults.unknown_end) >= adapter.ROOM_BYTES


def test_a_field_that_is_not_there_is_refused(llama):
    with pytest.raises(EngineMissingError, match="no field use_extra_buffers"):
        adapter.model_parameters(llama, use_extra_buffers=False)
    with pytest.raises(EngineMissingError, match="no field n_threads_of_batch"):
        adapter.context_parameters(llama, n_threads_of_batch=1)


def test_a_batch_of_ours_equals_one_of_the_librarys(llama):
    ours = adapter.batch(llama, [5, 6, 7])
    assert adapter.is_batch_of(ours.structure, ours.tokens, 3)
    theirs = getattr(llama, "module", llama).llama_batch_get_one(ours.tokens, 3)
    assert adapter.is_batch_of(theirs, ours.tokens, 3)


def test_flash_attention_has_the_numbers_that_the_library_names(llama):
    names = {"off": b"disabled", "on": b"enabled", "auto": b"auto"}
    for setting, number in llama.flash_attention.items():
        assert llama.llama_flash_attn_type_name(number) == names[setting]
    assert llama.flash_attention.keys() == names.keys()


def test_the_processor_is_found_among_the_devices(llama):
    (processor,) = adapter.devices(llama, (adapter.PROCESSOR,))
    assert processor.name == "CPU"
    assert 0 < processor.free <= processor.total


def test_writing_into_the_scores_decides_what_is_drawn(context):
    context.read([1, 2, 3], lambda: False)
    config = ModelConfig(temperature=1.0, top_k=40, repeat_penalty=1.3, seed=1)
    sampler = sampling.GGUFSampler(context, config, [1, 2, 3])
    assert not sampler.penalises_itself
    sampler.close()


def test_llama_cpps_own_penalty_takes_over_where_writing_has_no_effect(context, monkeypatch):
    """Both ways choose the same: with top_k 1 the draw is the likeliest token after penalties."""
    config = ModelConfig(temperature=1.0, top_k=1, repeat_penalty=1.9, seed=1)
    ours, theirs = [], []
    for chosen, counts in ((ours, True), (theirs, False)):
        monkeypatch.setattr(sampling.GGUFSampler, "_writing_counts", lambda _self, c=counts: c)
        context.clear()
        context.read([1, 2, 3], lambda: False)
        sampler = sampling.GGUFSampler(context, config, [1, 2, 3])
        assert sampler.penalises_itself is not counts
        for _ in range(12):
            chosen.append(sampler.next())
            context.read_one(chosen[-1])
        sampler.close()
    assert ours == theirs
    plain = sampling.GGUFSampler(context, replace(config, repeat_penalty=1.0), [])
    plain.close()
    assert len(set(ours)) > 6, "the penalty has no effect at all"


def test_the_reason_of_a_refused_load_is_found_in_the_log(llama, tmp_path, model_path):
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(model_path.read_bytes()[:200_000])
    with pytest.raises(ModelLoadError) as caught:
        GGUFModel.load(str(cut), llama=llama)
    assert "no reason was given" not in str(caught.value)
    unknown = write_wide_gguf(tmp_path / "unknown.gguf", architecture="nosuch")
    with pytest.raises(
        ModelLoadError, match=r"architecture 'nosuch' of unknown\.gguf is not known"
    ):
        GGUFModel.load(str(unknown), llama=llama)


def test_the_log_says_which_weights_lie_in_memory_of_their_own(llama, model_path):
    with library.log_kept(quiet=True) as log:
        GGUFModel.load(str(model_path), llama=llama).close()
    text = "".join(log)
    assert "_Mapped model buffer size" in text
    assert not adapter.UNMAPPED_MEBIBYTES.findall(text)  # float32 is never kept in another order
    repacked = "load_tensors:  CPU_REPACK model buffer size =    12.34 MiB\n"
    assert adapter.UNMAPPED_MEBIBYTES.findall(text + repacked) == ["12.34"]


def test_what_quantising_logs_is_understood(tmp_path, model_path):
    pytest.importorskip("llama_cpp")
    arguments = {"source": str(model_path), "types": ["Q8_0", "Q4_K_M"]}
    (first, second) = json.loads(quantize.measure(arguments, lambda *_: None, lambda: False))
    assert first["bits_per_weight"] == pytest.approx(8.5, abs=0.5)
    assert second["bits_per_weight"] < first["bits_per_weight"]


def test_a_dry_run_writes_nothing(tmp_path, model_path, monkeypatch):
    pytest.importorskip("llama_cpp")
    monkeypatch.chdir(tmp_path)
    arguments = {"source": str(model_path), "types": ["Q8_0"]}
    quantize.measure(arguments, lambda *_: None, lambda: False)
    assert not list(tmp_path.iterdir())
    assert not os.path.exists(quantize.NOWHERE)


class _Grown(ctypes.Structure):
    _fields_ = (("n_tokens", ctypes.c_int32), ("flag", ctypes.c_bool), ("part", ctypes.c_float))


@pytest.mark.parametrize(
    ("name", "value"), [("part", math.nan), ("part", 1e-30), ("n_tokens", -(1 << 30))]
)
def test_defaults_that_lie_elsewhere_are_refused(name, value):
    made = adapter.with_fields(_Grown(), **{name: value})
    with pytest.raises(EngineMissingError, match=f"default of {name}"):
        adapter.check_plausible(made)


def test_a_boolean_that_is_none_is_refused():
    made = _Grown.from_buffer_copy(b"\0\0\0\0\x7f" + bytes(7))
    with pytest.raises(EngineMissingError, match="default of flag"):
        adapter.check_plausible(made)


def changed_module(**changes):
    llama_cpp = pytest.importorskip("llama_cpp")
    parts = {name: getattr(llama_cpp, name) for name in dir(llama_cpp)}
    kept = {name: part for name, part in {**parts, **changes}.items() if part is not None}
    kept["__name__"] = "llama_cpp"
    return SimpleNamespace(**kept)


def of_module(module):
    return adapter.Llama(module, xllamacpp_library.FUNCTIONS)


def test_a_function_that_is_gone_is_named():
    with pytest.raises(EngineMissingError, match="no function llama_decode"):
        of_module(changed_module(llama_decode=None))


def test_a_function_that_takes_more_is_named():
    llama_cpp = pytest.importorskip("llama_cpp")
    more = SimpleNamespace(
        argtypes=[*llama_cpp.llama_sampler_init_penalties.argtypes, ctypes.c_int]
    )
    with pytest.raises(EngineMissingError, match="llama_sampler_init_penalties takes 6 arguments"):
        of_module(changed_module(llama_sampler_init_penalties=more))


def test_a_structure_without_a_field_is_named():
    smaller = type("llama_batch", (ctypes.Structure,), {"_fields_": [("n_tokens", ctypes.c_int32)]})
    with pytest.raises(EngineMissingError, match="llama_batch has no field embd"):
        of_module(changed_module(llama_batch=smaller))


def test_without_the_function_that_makes_batches_ours_are_used():
    module = changed_module()
    del module.llama_batch_get_one
    assert adapter.batch(of_module(module), [1, 2]).structure.n_tokens == 2


def test_without_ggmls_functions_the_devices_are_unknown(monkeypatch):
    pytest.importorskip("llama_cpp")
    monkeypatch.setattr(adapter, "_candidates", lambda _llama: [SimpleNamespace()])
    assert adapter.devices(library.library()) is None
