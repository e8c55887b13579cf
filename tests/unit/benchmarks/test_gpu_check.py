"""The program for a GPU as far as a CPU shows it: what it goes on after, makes and tells."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy
import pytest
from gguf import GGMLQuantizationType, GGUFReader, quants

from benchmarks.gpu import build, contract, models, servers, steps
from benchmarks.gpu.scene import Scene
from benchmarks.gpu.steps import Outcome, Row
from benchmarks.targets import GPU_TARGETS


def test_the_table_tells_values_promises_and_troubles() -> None:
    rows = [Row("stop", 0.25, "s", True, "at most 0.5 s"), Row("kept | left", 80.0, "MB", False)]
    told = steps.table([Outcome("stop", 1.0, rows), Outcome("batch", trouble="It died.")])
    assert "| stop | stop | 0.25 s | at most 0.5 s | ok |" in told
    assert "| stop | kept / left | 80 MB |  | **no** |" in told
    assert "| batch | It died. | | | **failed** |" in told
    assert not steps.is_right([Outcome("stop", 1.0, rows)])


def test_steps_are_chosen_by_name_and_each_is_there() -> None:
    assert [step.name for step in steps.chosen(["stop", "models"])] == ["models", "stop"]
    with pytest.raises(SystemExit, match=r"There is no step stops\. There are: models, "):
        steps.chosen(["stops"])
    for step in steps.STEPS:
        module, _, function = step.place.partition(":")
        source = Path(steps.__file__).with_name(f"{module}.py").read_text("utf-8")
        assert f"def {function}(scene: Scene) -> None:" in source


def test_rows_that_were_cut_off_are_left_out(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    steps.write_row(file, Row("whole", 1.0))
    with open(file, "a", encoding="utf-8") as output:
        output.write('{"what": "cu')
    assert [row.what for row in steps.read_rows(file)] == ["whole"]


def test_random_blocks_are_weights_of_the_size_of_trained_ones() -> None:
    blocks = models.random_blocks(numpy.random.default_rng(0), (3, 64))
    weights = quants.dequantize(blocks, GGMLQuantizationType.Q8_0)
    assert weights.shape == (3, 64)
    assert 0.01 < float(weights.std()) < 0.2


def test_a_model_takes_the_fields_of_a_header_and_not_its_tensors(tmp_path: Path) -> None:
    source, header, copy = (tmp_path / name for name in ("a.gguf", "header.gguf", "b.gguf"))
    models.memory_models.write_gguf(
        source, replace(models.TINY, number="Q8_0"), models.random_blocks
    )
    models.write_header(source, header)
    assert len(GGUFReader(header).tensors) == 0
    models._with_header(copy, models.TINY, header)
    made, given = GGUFReader(copy), GGUFReader(source)
    assert {name: made.fields[name].contents() for name in made.fields if "." in name[3:]} == {
        name: given.fields[name].contents() for name in given.fields if "." in name[3:]
    } | {"GGUF.tensor_count": len(given.tensors) - 1}
    assert {one.name for one in given.tensors} - {one.name for one in made.tensors} == {
        "output.weight"
    }


def test_failed_tests_are_named(tmp_path: Path) -> None:
    report = tmp_path / "report.xml"
    report.write_text(
        "<testsuites><testsuite><testcase name='good'/><testcase name='bad'><failure/></testcase>"
        "<testcase name='worse'><error/></testcase><testcase name='not'><skipped/></testcase>"
        "</testsuite></testsuites>"
    )
    assert contract.outcome_of(report) == (1, ["bad", "worse"])
    assert contract.outcome_of(tmp_path / "none.xml") == (0, [])


def test_llama_cpp_is_compiled_for_this_gpu_alone_and_leaves_cores_to_what_is_measured() -> None:
    variables = build.environment({"PATH": "/bin"}, 16)
    assert "-DGGML_CUDA=ON" in variables["CMAKE_ARGS"]
    assert "-DCMAKE_CUDA_ARCHITECTURES=native" in variables["CMAKE_ARGS"]
    assert variables["CMAKE_BUILD_PARALLEL_LEVEL"] == "12"
    assert build.environment({}, 1)["CMAKE_BUILD_PARALLEL_LEVEL"] == "1"
    assert "--no-index" in build.command(Path("source.tar.gz"), Path("site"))


def test_without_sources_the_build_says_so(tmp_path: Path) -> None:
    with pytest.raises(SystemExit, match="no source of llama-cpp-python"):
        build.Build(tmp_path, tmp_path / "site", tmp_path / "log")


def test_device_files_of_a_process_are_found() -> None:
    assert servers.device_files(os.getpid()) == []


class _Device:
    name, kind = "one", "cpu"

    def __init__(self, is_real: bool) -> None:
        self.is_real = is_real

    def used_bytes(self) -> int:
        return 0

    def free_bytes(self) -> int:
        return 0


@pytest.mark.parametrize(("value", "expected"), [(0.4, True), (0.6, False)])
def test_promises_are_judged_on_a_gpu_and_not_on_its_stand_in(
    value: float, expected: bool, tmp_path: Path
) -> None:
    told: list[Row] = []
    for is_real in (True, False):
        scene = Scene(_Device(is_real), tmp_path, None, told.append)
        scene.promised("stop until memory is back", "stop", value, "s")
    assert [row.is_right for row in told] == [expected, None]
    assert told[0].promised == "at most 0.5 s"


def test_a_promise_at_least_is_met_by_more() -> None:
    target = GPU_TARGETS["8 GGUF answers to one by one"]
    assert (target.is_met(3.0), target.is_met(2.0)) == (True, False)
    assert target.in_words("") == "at least 2.5"
