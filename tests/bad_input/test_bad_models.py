"""Rows 1 to 37 of reliability.md section 4: a bad model is a sentence in its own column."""

from __future__ import annotations

import re

import model_files
import pytest
from bad_models import CASES, Case


@pytest.mark.parametrize("case", [pytest.param(case, id=case.id) for case in CASES])
def test_a_bad_model_is_a_sentence(shop, ask, sentence, case: Case):
    prompt = "a" * 40 + "b" if case.row == 32 else "aaab cd"
    result = ask(model_files.as_model(case.make(shop)), prompt, **case.settings)
    said = sentence(result)
    assert re.search(case.says, said), f"{result.error_kind}: {said}"
    assert re.fullmatch(case.kind, result.error_kind), f"{result.error_kind}: {said}"
    assert not shop.marker.exists(), "code of the model ran"
