"""What a fork server has imported is all that a model's child would import for itself."""

from __future__ import annotations

import subprocess
import sys

from runners.registry import ENGINES

FEW = 20  # where the server has not imported what it should, they are hundreds
FAMILY = "transformers.models.llama.modeling_llama"


def test_the_code_of_a_model_brings_hardly_more_than_transformers_own_modules() -> None:
    warm = ENGINES["pytorch"].warm_modules
    code = (
        "import importlib, sys\n"
        f"for name in {warm!r}: importlib.import_module(name)\n"
        "before = set(sys.modules)\n"
        f"importlib.import_module({FAMILY!r})\n"
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    brought = done.stdout.split()
    assert done.returncode == 0, done.stderr
    assert FAMILY in brought
    foreign = [name for name in brought if not name.startswith("transformers.")]
    assert len(foreign) < FEW, foreign
