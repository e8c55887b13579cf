"""Whether a model fits: the worse of two counts, and a device has what its engine can use of it."""

from __future__ import annotations

import pytest

from comparator.core.models import ModelInfo, ModelType
from comparator.memory import fit
from comparator.memory.fit import Fit
from comparator.memory.need import MemoryNeed

GIGABYTE = 10**9
NEED = MemoryNeed(weights=2 * GIGABYTE, key_value_cache=0, engine=0, device=2 * GIGABYTE)


@pytest.mark.parametrize(
    ("host", "device", "told"),
    [
        ("fits", "cannot", "cannot: device"),
        ("cannot", "fits", "cannot: host"),
        ("tight", "fits", "tight: host"),
        ("fits", "fits", "fits: host device"),
    ],
)
def test_the_worse_of_two_counts_and_equal_ones_are_both_told(host, device, told):
    worse = fit.worse_of(Fit(host, "host", NEED), Fit(device, "device", NEED))
    assert f"{worse.name}: {worse.sentence}" == told


@pytest.mark.parametrize("has_accelerate", [True, False])
@pytest.mark.parametrize("kind", [ModelType.GGUF, ModelType.PYTORCH])
def test_a_model_that_is_not_spread_has_the_emptiest_device(monkeypatch, kind, has_accelerate):
    monkeypatch.setattr(fit, "can_spread", lambda: has_accelerate)
    model = ModelInfo("", "m", "/m", kind, 2 * GIGABYTE)
    told = fit.on_device(model, NEED, [int(1.4 * GIGABYTE), int(1.9 * GIGABYTE)], 0)
    spreads = kind is ModelType.GGUF or has_accelerate
    assert told.name == ("fits" if spreads else "cannot")
    assert ("3.30 GB is free" if spreads else "1.90 GB is free") in told.sentence
    assert fit.on_device(model, NEED, [], 0).name == "cannot"
