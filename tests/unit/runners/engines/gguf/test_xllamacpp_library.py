"""llama.h in xllamacpp's binary: found, bound, and refused where it is laid out otherwise."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import pytest

from comparator.core.exceptions import EngineMissingError
from runners.engines.gguf import xllamacpp_library

pytest.importorskip("xllamacpp")
REPOSITORY = Path(__file__).resolve().parents[5]


@pytest.fixture(scope="module")
def bound():
    return xllamacpp_library.bind()


def test_defaults_lie_where_llama_h_has_them(bound):
    context = bound.llama_context_default_params()
    assert (context.n_ctx, context.n_batch, context.type_v) == (512, 2048, 1)
    assert bound.llama_model_default_params().n_gpu_layers == -1
    assert bound.__version__ == version("xllamacpp")


@pytest.mark.parametrize(
    ("structure", "marks"),
    [
        (xllamacpp_library._ModelParameters, xllamacpp_library._MODEL_MARKS),
        (xllamacpp_library._ContextParameters, xllamacpp_library._CONTEXT_MARKS),
    ],
)
def test_any_field_that_is_added_or_taken_away_shows(bound, structure, marks):
    """Each field of the true defaults is left out and doubled: neither may pass the check."""
    import ctypes

    kind = "model" if structure is xllamacpp_library._ModelParameters else "context"
    true = bytes(getattr(bound, f"llama_{kind}_default_params")())
    unseen = set()
    for name, *_ in structure._fields_[:-1]:
        place = getattr(structure, name)
        field = true[place.offset : place.offset + place.size]
        before, after = true[: place.offset], true[place.offset + place.size :]
        for other in (before + after + field, before + field + b"\x55" * place.size + after):
            moved = structure.from_buffer_copy(other[: ctypes.sizeof(structure)])
            try:
                xllamacpp_library.check_layout(moved, marks)
            except EngineMissingError:
                continue
            unseen.add(name)
    # After these nothing that is set or read here follows.
    assert unseen <= {
        "load_mtp", "no_alloc", "no_host", "kv_unified", "samplers", "n_samplers", "ctx_other",
    }  # fmt: skip


def test_another_layout_is_refused_with_a_version_that_works(bound):
    parameters = bound.llama_context_default_params()
    parameters.n_batch = 7
    with pytest.raises(
        EngineMissingError, match=r"n_batch is 7, not 2048.*pip install xllamacpp==20"
    ):
        xllamacpp_library.check_layout(parameters, xllamacpp_library._CONTEXT_MARKS)


def test_the_version_that_is_named_is_the_tested_one():
    pins = (REPOSITORY / "constraints.txt").read_text("utf-8").splitlines()
    assert f"xllamacpp=={xllamacpp_library.TESTED_VERSION}" in pins


def test_without_the_package_the_command_is_named(monkeypatch):
    monkeypatch.setattr(xllamacpp_library, "PACKAGE", "no_such_package")
    with pytest.raises(EngineMissingError, match="pip install xllamacpp"):
        xllamacpp_library.bind()
