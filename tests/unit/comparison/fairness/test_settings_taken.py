"""What a column took for what it was asked to take."""

from __future__ import annotations

from typing import Any

import pytest
from panel_records import record

from comparator.comparison.fairness.settings_taken import Setting, settings_taken


def taken(name: str, kind: str = "gguf", **changes: Any) -> tuple[str, str, Any]:
    found = {one.name: one for one in settings_taken(record(kind, **changes))}
    setting: Setting = found[name]
    return setting.state, setting.why, setting.taken


def given(**settings: Any) -> dict[str, Any]:
    made: dict[str, Any] = {f"config__{name}": value for name, value in settings.items()}
    return {**made, "config_sources": dict.fromkeys(settings, "given")}


@pytest.mark.parametrize(
    ("name", "expected", "changes"),
    [
        ("n_ctx", ("asked", "", None), given(n_ctx=2048)),
        ("n_ctx", ("changed", "own_limit", 2048), given(n_ctx=16384)),
        ("n_ctx", ("changed", "rounded", 2048), given(n_ctx=2000)),
        ("n_ctx", ("settled", "fits", 2048), given(n_ctx=None)),
        ("n_threads", ("settled", "automatic", 2), {}),
        ("n_threads", ("settled", "shared", 2), {"sent": {"n_threads": 2}}),
        ("n_threads", ("changed", "engine_took", 2), given(n_threads=8)),
        ("n_gpu_layers", ("asked", "", None), {}),
        ("n_gpu_layers", ("changed", "no_device", 0), given(n_gpu_layers=9)),
        (
            "n_gpu_layers",
            ("settled", "fits", 7),
            {"sent": {"n_gpu_layers": 7}, "engine__device": "GPU"},
        ),
        ("seed", ("settled", "drawn", 1), {"config_sources": {"seed": "drawn"}}),
        ("seed", ("asked", "", None), given(seed=1)),
        ("max_tokens", ("asked", "", None), {}),
        ("max_tokens", ("changed", "no_room", 48), {"stats__prompt_tokens": 2000}),
        ("max_tokens", ("settled", "until_full", 2040), given(max_tokens=None)),
        ("prompt_format", ("changed", "no_template", "plain"), {"prompt__template_source": "none"}),
        (
            "prompt_format",
            ("changed", "general_template", None),
            {**given(prompt_format="chat"), "prompt__template_source": "fallback"},
        ),
        ("torch_dtype", ("unused", "engine", None), given(torch_dtype="float16")),
        ("torch_dtype", ("asked", "", None), {}),
        ("temperature", ("unused", "greedy", None), given(temperature=1.0, do_sample=False)),
        ("temperature", ("asked", "", None), given(temperature=1.0)),
    ],
)
def test_what_became_of_a_setting(name, expected, changes):
    assert taken(name, **changes) == expected


def test_a_transformers_model_tells_its_number_type():
    assert taken("torch_dtype", "pytorch") == ("settled", "automatic", "bfloat16")
    asked = given(torch_dtype="float16")
    assert taken("torch_dtype", "pytorch", **asked) == ("changed", "engine_took", "bfloat16")
    assert taken("n_gpu_layers", "pytorch", **given(n_gpu_layers=3))[:2] == ("unused", "engine")


def test_what_was_not_taken_as_asked_comes_first_and_defaults_last():
    settings = settings_taken(record(**given(n_ctx=16384, top_k=3)))
    assert (settings[0].name, settings[0].state) == ("n_ctx", "changed")
    assert [one.name for one in settings if one.source == "given"] == ["n_ctx", "top_k"]
    assert (settings[-1].state, settings[-1].source) == ("asked", "default")


def test_a_run_that_loaded_nothing_took_nothing():
    nothing = record(engine={}, **given(n_ctx=16384))
    assert {one.state for one in settings_taken(nothing)} == {"asked"}


def test_adapters_are_told_by_their_names_alone():
    (lora,) = [
        one for one in settings_taken(record(**given(lora=["/home/me/a.gguf:0.5"])))
        if one.name == "lora"
    ]  # fmt: skip
    assert lora.asked == ["a.gguf:0.5"]
