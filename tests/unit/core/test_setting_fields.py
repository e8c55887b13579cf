"""The bounds of the form's fields are those of the settings themselves."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from comparator.core.config import ModelConfig
from comparator.core.exceptions import ConfigurationError
from comparator.core.setting_fields import (
    CHOICE,
    FIELDS,
    LINES,
    NUMBER,
    OBJECT,
    SWITCH,
    TEXT,
    WHOLE,
    WITHOUT_A_FIELD,
    SettingField,
)

NUMBERS = [field for field in FIELDS if field.kind in (NUMBER, WHOLE)]
SAMPLES: dict[str, Any] = {SWITCH: False, TEXT: "low", LINES: ["a"], OBJECT: {"a": [1]}}


def _takes(name: str, value: Any) -> bool:
    try:
        ModelConfig.from_dict({name: value})
    except ConfigurationError:
        return False
    return True


def test_every_setting_has_a_field_or_a_reason_to_have_none() -> None:
    names = [field.name for field in FIELDS]
    assert sorted([*names, *WITHOUT_A_FIELD]) == sorted(f.name for f in fields(ModelConfig))


@pytest.mark.parametrize("field", NUMBERS, ids=lambda field: field.name)
def test_a_number_is_taken_to_its_bounds_and_not_beyond(field: SettingField) -> None:
    assert field.low is not None
    assert field.high is not None
    beyond = 1 if field.kind == WHOLE else 0.011
    assert _takes(field.name, field.low)
    assert _takes(field.name, field.high)
    assert not _takes(field.name, field.low - beyond)
    assert not _takes(field.name, field.high + beyond)


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_a_field_takes_what_its_kind_says(field: SettingField) -> None:
    assert _takes(field.name, None) is field.may_be_none
    for value in field.choices or [SAMPLES.get(field.kind, field.high)]:
        assert _takes(field.name, value)
    assert bool(field.choices) is (field.kind == CHOICE)
