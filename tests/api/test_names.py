"""Every name of the API document is there, is our own object, and has the documented shape."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from enum import Enum

import pytest

import comparator

# documented module -> (our module, names)
PLACES = {
    "core.models": (
        "comparator.core.models",
        ("ModelInfo", "ModelType", "InferenceResult", "InferenceStats", "ModelConfig"),
    ),
    "core.config": ("comparator.core.config", ("ModelConfig", "ConfigManager")),
    "core.exceptions": (
        "comparator.core.exceptions",
        (
            *("MultiLLMError", "ModelNotFoundError", "ModelLoadError", "InferenceError"),
            "ConfigurationError",
        ),
    ),
    "services.model_manager": ("comparator.services.model_manager", ("ModelManager",)),
    "services.inference_engine": ("comparator.services.inference_engine", ("InferenceEngine",)),
    "services.memory_manager": ("comparator.services.memory_manager", ("MemoryManager",)),
    "inferencers.base": ("runners.base", ("BaseInferencer",)),
    "inferencers.pytorch_inferencer": (
        "runners.engines.pytorch.inferencer",
        ("PyTorchInferencer",),
    ),
    "inferencers.gguf_inferencer": ("runners.engines.gguf.inferencer", ("GGUFInferencer",)),
}
NAMES = [(place, name) for place, (_, names) in PLACES.items() for name in names]


def documented(place: str, name: str):
    return getattr(importlib.import_module(f"multi_llm_comparator.{place}"), name)


@pytest.mark.parametrize(("place", "name"), NAMES)
def test_a_documented_name_is_our_object(place, name):
    ours = getattr(importlib.import_module(PLACES[place][0]), name)
    assert documented(place, name) is ours
    assert inspect.getdoc(ours)


def test_the_packages_public_names_are_the_same_objects():
    by_name = {name: documented(place, name) for place, name in NAMES}
    for name in comparator.__all__:
        assert getattr(comparator, name) is by_name[name]
    assert len(set(comparator.__all__)) == len(comparator.__all__)
    assert set(by_name) - {"PyTorchInferencer", "GGUFInferencer"} <= set(comparator.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'Nothing'"):
        _ = comparator.Nothing


# The documented fields, in their order; ours follow them and have defaults.
FIELDS = {
    ("core.models", "ModelInfo"): "id name path model_type size config",
    ("core.models", "InferenceResult"): "model_id content is_complete error stats",
    ("core.models", "InferenceStats"): (
        "start_time end_time token_count tokens_per_second memory_usage"
    ),
    ("core.config", "ModelConfig"): (
        "temperature max_tokens top_p do_sample pad_token_id eos_token_id top_k repeat_penalty "
        "n_ctx n_threads use_gpu low_cpu_mem_usage torch_dtype"
    ),
}
DEFAULTS = {
    "temperature": 0.7,
    "max_tokens": 512,
    "top_p": 0.9,
    "do_sample": True,
    "pad_token_id": None,
    "eos_token_id": None,
    "top_k": 40,
    "repeat_penalty": 1.1,
    "n_ctx": 2048,
    "n_threads": None,
    "use_gpu": True,
    "low_cpu_mem_usage": True,
    "torch_dtype": "auto",
}


@pytest.mark.parametrize(("place", "name"), FIELDS)
def test_documented_fields_come_first_and_in_order(place, name):
    expected = FIELDS[place, name].split()
    fields = dataclasses.fields(documented(place, name))
    assert [field.name for field in fields][: len(expected)] == expected
    for field in fields[len(expected) :]:
        defaults = {field.default, field.default_factory} - {dataclasses.MISSING}
        assert defaults, f"{field.name} is ours and has no default"


def test_documented_defaults():
    config = documented("core.config", "ModelConfig")()
    assert {name: getattr(config, name) for name in DEFAULTS} == DEFAULTS


def test_documented_construction_by_position():
    kinds = documented("core.models", "ModelType")
    model = documented("core.models", "ModelInfo")("", "n", "/p", kinds.GGUF, 5, {"a": 1})
    assert (model.size, model.config, len(model.id)) == (5, {"a": 1}, 8)
    stats = documented("core.models", "InferenceStats")(1.0, 3.0, 7, 2.5, 100)
    assert (stats.duration, stats.memory_usage) == (2.0, 100)
    result = documented("core.models", "InferenceResult")("id", "text", True, None, stats)
    assert (result.content, result.is_complete, result.error) == ("text", True, None)


def test_model_types():
    kinds = documented("core.models", "ModelType")
    assert issubclass(kinds, Enum)
    assert (kinds.PYTORCH.value, kinds.GGUF.value) == ("pytorch", "gguf")
    assert kinds.CUSTOM


# class -> method -> documented parameters, in their order
METHODS = {
    ("core.models", "ModelInfo"): {"generate_id": "self"},
    ("core.config", "ModelConfig"): {"validate": "self"},
    ("core.config", "ConfigManager"): {
        "__init__": "self config_path",
        "load_config": "self",
        "save_config": "self configs",
    },
    ("services.model_manager", "ModelManager"): {
        "__init__": "self models_dir",
        "scan_models": "self directory",
        "select_models": "self model_ids",
        "get_model_by_id": "self model_id",
        "get_available_models": "self",
        "get_selected_models": "self",
    },
    ("services.inference_engine", "InferenceEngine"): {
        "__init__": "self memory_manager",
        "run_inference": "self prompt models configs",
        "create_inferencer": "self model_info",
        "cleanup_resources": "self",
        "register_inferencer_factory": "self factory",
    },
    ("services.memory_manager", "MemoryManager"): {
        "__init__": "self max_memory_gb",
        "cleanup": "self",
    },
    ("inferencers.base", "BaseInferencer"): {
        "__init__": "self",
        "load_model": "self model_path config",
        "generate_stream": "self prompt",
        "unload_model": "self",
        "get_model_info": "self",
        "is_model_loaded": "self",
    },
    ("inferencers.pytorch_inferencer", "PyTorchInferencer"): {
        "__init__": "self",
        "load_model": "self model_path config",
        "generate_stream": "self prompt",
        "unload_model": "self",
        "get_model_info": "self",
    },
    ("inferencers.gguf_inferencer", "GGUFInferencer"): {
        "__init__": "self",
        "load_model": "self model_path config",
        "generate_stream": "self prompt",
        "unload_model": "self",
        "get_model_info": "self",
    },
}


@pytest.mark.parametrize(
    ("place", "name", "method"),
    [(*key, method) for key, value in METHODS.items() for method in value],
)
def test_documented_parameters_come_first_and_in_order(place, name, method):
    expected = METHODS[place, name][method].split()
    parameters = list(
        inspect.signature(getattr(documented(place, name), method)).parameters.values()
    )
    assert [parameter.name for parameter in parameters[: len(expected)]] == expected
    for parameter in parameters[len(expected) :]:
        assert parameter.default is not inspect.Parameter.empty, f"{parameter.name} is ours"


def test_documented_attributes():
    manager = documented("services.model_manager", "ModelManager")()
    assert str(manager.models_dir) == "models"
    assert (manager.available_models, manager.selected_models) == ([], [])
    assert manager.max_models == 4
    engine = documented("services.inference_engine", "InferenceEngine")()
    assert isinstance(engine.memory_manager, documented("services.memory_manager", "MemoryManager"))
    assert engine.active_inferencers == {}
    path = documented("core.config", "ConfigManager")().config_path
    assert path.parts[-2:] == (".multi_llm_comparator", "config.json")


def test_the_base_class_is_abstract_in_its_four_methods():
    base = documented("inferencers.base", "BaseInferencer")
    assert base.__abstractmethods__ == {
        *("load_model", "generate_stream", "unload_model", "get_model_info")
    }
    with pytest.raises(TypeError):
        base()
