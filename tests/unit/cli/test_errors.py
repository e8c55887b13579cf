"""By which sentence and exit code a command ends."""

from __future__ import annotations

from typing import Any

import pytest

from comparator.cli.errors import outcome
from comparator.core.exceptions import ConfigurationError, ModelNotFoundError


def _ends_by(error: BaseException) -> Any:
    def program() -> int:
        raise error

    return program


@pytest.mark.parametrize(("returned", "code"), [(None, 0), (0, 0), (3, 3)])
def test_a_program_says_its_own_code(returned: int | None, code: int) -> None:
    assert outcome(lambda: returned, {}) == code


@pytest.mark.parametrize(
    ("error", "code"), [(ConfigurationError("Wrong."), 2), (ModelNotFoundError("Wrong."), 1)]
)
def test_an_error_is_one_sentence(
    error: Exception, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert outcome(_ends_by(error), {}) == code
    assert capsys.readouterr() == ("", "comparator: Wrong.\n")


def test_an_interrupt_is_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert outcome(_ends_by(KeyboardInterrupt()), {}) == 130
    assert capsys.readouterr() == ("", "")
