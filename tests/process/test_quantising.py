"""A ladder is planned by true sizes, made whole or not at all, and says what it was made from."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from bounds import Bounds
from filelock import FileLock
from wide_gguf import write_wide_gguf, write_wide_shards

from comparator.core.config import ModelConfig
from comparator.core.exceptions import ConfigurationError, EngineMissingError, ModelLoadError
from comparator.core.models import ModelInfo, ModelType
from comparator.formats import gguf_header
from comparator.library import discovery
from comparator.library.changes import child_jobs, quantising
from comparator.library.facts.lookup import facts_of
from comparator.library.families import families
from comparator.services.inference_engine import InferenceEngine
from runners import registry

pytest.importorskip("llama_cpp")
REPOSITORY = Path(__file__).resolve().parents[2]
SLOW = "IQ4_NL"  # takes seconds of a small model, so that it can be interrupted


def model_at(path: str | Path) -> ModelInfo:
    found = discovery.inspect(Path(path))
    assert found is not None
    return found


@pytest.fixture
def wide(tmp_path: Path) -> ModelInfo:
    source = tmp_path / "elsewhere" / "wide.F32.gguf"
    source.parent.mkdir()
    return model_at(write_wide_gguf(source))


@pytest.fixture
def own(tmp_path: Path) -> Path:
    return tmp_path / "models"


def made_by(ladder: quantising.Ladder) -> list[ModelInfo]:
    return [step.model for step in quantising.make(ladder) if step.model is not None]


def files_below(folder: Path) -> list[str]:
    return sorted(
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and path.name != ".quantise.lock"
    )


def test_without_the_quantiser_it_is_refused_before_a_child_is_started(
    wide: ModelInfo, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "has_quantiser", lambda: False)
    monkeypatch.setattr(child_jobs, "messages", lambda *_: pytest.fail("a child was started"))
    with pytest.raises(EngineMissingError, match="llama-cpp-python"):
        quantising.plan(wide, ["Q8_0"], own)


def test_a_ladder_is_made_from_the_top_and_its_progress_never_falls(
    wide: ModelInfo, own: Path
) -> None:
    ladder = quantising.plan(wide, ["Q2_K", "Q8_0", "Q4_K_M"], own)
    assert [rung.quantisation for rung in ladder.rungs] == ["Q8_0", "Q4_K_M", "Q2_K"]
    assert ladder.warnings == ()
    bits = [rung.bits_per_weight for rung in ladder.rungs]
    assert bits == sorted(bits, reverse=True)
    assert bits[0] == pytest.approx(8.5, abs=0.1)
    assert not own.exists(), "a plan writes nothing"

    steps = list(quantising.make(ladder))
    shares = [step.share for step in steps]
    assert shares == sorted(shares)
    assert shares[-1] == 1.0
    assert [step.step for step in steps if step.rung is None] == ["read"]
    made = [step.model for step in steps if step.model is not None]
    assert [model.path for model in made] == [str(rung.path) for rung in ladder.rungs]
    listed = discovery.scan(own).models
    assert sorted(model.path for model in made) == [model.path for model in listed]
    for rung in ladder.rungs:
        assert rung.path.stat().st_size == pytest.approx(rung.expected_bytes, abs=100_000)
        assert rung.path.name == f"wide.{rung.quantisation}.gguf"
    assert files_below(own) == [f"gguf/wide.{name}.gguf" for name in ("Q2_K", "Q4_K_M", "Q8_0")]


def test_a_quantisation_of_the_starter_model_answers_and_says_what_it_is_made_from(
    starter_models: dict[str, str], own: Path
) -> None:
    path = Path(starter_models["gguf_q4_1"])
    source = model_at(path)
    ladder = quantising.plan(source, ["Q3_K_M"], own)
    requantised, substituted = ladder.warnings
    assert "is itself quantised (Q4_1)" in requantised
    assert substituted.startswith("Q3_K_M: ")
    (rung,) = ladder.rungs
    assert rung.substituted > 0
    (made,) = made_by(ladder)
    assert made.size == pytest.approx(rung.expected_bytes, rel=0.01)

    metadata = gguf_header.read_metadata(made.path)
    assert metadata["quantize.source.file"] == path.name
    assert metadata["quantize.source.bytes"] == str(path.stat().st_size)
    assert metadata["quantize.source.sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert metadata["quantize.source.type"] == "Q4_1"
    assert metadata["quantize.engine"].startswith("llama.cpp (llama-cpp-python ")
    assert metadata["general.file_type"] == 12
    before = gguf_header.read_metadata(path)
    changed = {key for key in before if before[key] != metadata.get(key)}
    assert changed == {"general.file_type"}, "all else is as in the source"

    greedy = {made.id: ModelConfig(do_sample=False, max_tokens=60)}
    *_, results = InferenceEngine().run_inference("Write: The capital of France is", [made], greedy)
    (result,) = results.values()
    assert result.error is None
    assert "Paris" in result.content


def test_the_shards_of_a_model_become_one_file(tmp_path: Path, own: Path) -> None:
    folder = tmp_path / "split"
    folder.mkdir()
    shards = write_wide_shards(folder)
    assert len(shards) > 1
    source = model_at(shards[0])
    ladder = quantising.plan(source, ["Q4_0"], own)
    (made,) = made_by(ladder)
    assert Path(made.path).name == "wide.Q4_0.gguf"
    gguf_header.check_complete(made.path)
    metadata = gguf_header.read_metadata(made.path)
    assert metadata["quantize.source.bytes"] == str(source.size)
    assert metadata.get("split.count", 1) <= 1
    assert made.size == pytest.approx(ladder.rungs[0].expected_bytes, abs=100_000)


def test_a_source_behind_a_link_and_without_a_suffix_is_read(tmp_path: Path, own: Path) -> None:
    """So are the files of the Hugging Face cache and of Ollama."""
    blob = write_wide_gguf(tmp_path / "sha256-0123")
    link = tmp_path / "snapshot" / "linked.gguf"
    link.parent.mkdir()
    link.symlink_to(blob)
    for path, name in ((blob, "llama3:latest"), (link, "linked")):
        source = ModelInfo("", name, str(path), ModelType.GGUF, blob.stat().st_size)
        (made,) = made_by(quantising.plan(source, ["Q8_0"], own))
        assert gguf_header.read_metadata(made.path)["quantize.source.file"] == path.name
    assert files_below(own) == ["gguf/linked.Q8_0.gguf", "gguf/llama3-latest.Q8_0.gguf"]


def test_a_missing_shard_is_named(tmp_path: Path, own: Path) -> None:
    shards = write_wide_shards(tmp_path)
    shards[1].unlink()
    with pytest.raises(ModelLoadError, match="Shard 2 of"):
        quantising.plan(model_at(shards[0]), ["Q4_0"], own)


# ---- what is refused ----


def test_what_the_source_is_already_is_refused(wide: ModelInfo, own: Path) -> None:
    made = quantising.plan(wide, ["Q8_0"], own)
    (again,) = made_by(made)
    with pytest.raises(ConfigurationError, match="is Q8_0 already"):
        quantising.plan(again, ["Q8_0", "Q4_0"], own)
    with pytest.raises(ConfigurationError, match=r"is there already.*comparator remove wide\.Q8_0"):
        quantising.plan(wide, ["Q8_0"], own)


def test_a_name_that_leads_nowhere_is_taken_too(wide: ModelInfo, own: Path) -> None:
    (own / "gguf").mkdir(parents=True)
    (own / "gguf" / "wide.Q8_0.gguf").symlink_to(own / "nowhere")
    with pytest.raises(ConfigurationError, match="is there already"):
        quantising.plan(wide, ["Q8_0"], own)


@pytest.mark.parametrize(
    ("kind", "reason"),
    [(ModelType.PYTORCH, "convert_hf_to_gguf"), (ModelType.ECHO, "not a GGUF model")],
)
def test_other_kinds_of_models_are_refused(
    tmp_path: Path, own: Path, kind: ModelType, reason: str
) -> None:
    source = ModelInfo("", "other", str(tmp_path), kind, 1)
    with pytest.raises(ConfigurationError, match=reason):
        quantising.plan(source, ["Q8_0"], own)


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1000)


def empty(path: Path) -> None:
    os.truncate(path, 0)


def replace_by_text(path: Path) -> None:
    path.write_text("<html>not found</html>")


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (cut, "is incomplete"),
        (empty, "is empty|incomplete"),
        (replace_by_text, "not a GGUF file"),
        (Path.unlink, "Cannot read"),
    ],
)
def test_a_damaged_source_is_a_sentence(
    wide: ModelInfo, own: Path, damage: Callable[[Path], None], reason: str
) -> None:
    damage(Path(wide.path))
    with pytest.raises(ModelLoadError, match=reason):
        quantising.plan(wide, ["Q8_0"], own)
    assert not own.exists()


def test_a_source_that_goes_between_plan_and_making_is_a_sentence(
    wide: ModelInfo, own: Path
) -> None:
    ladder = quantising.plan(wide, ["Q8_0"], own)
    Path(wide.path).unlink()
    with pytest.raises(ModelLoadError, match=r"cannot be read: No such file.*moved or deleted"):
        made_by(ladder)
    assert files_below(own) == []


def test_a_source_of_an_unknown_architecture_is_llama_cpps_sentence(
    tmp_path: Path, own: Path
) -> None:
    path = write_wide_gguf(tmp_path / "new.gguf", architecture="unheard")
    with pytest.raises(ModelLoadError, match="unheard"):
        quantising.plan(model_at(path), ["Q8_0"], own)


def test_a_file_that_appears_meanwhile_is_left_alone(wide: ModelInfo, own: Path) -> None:
    ladder = quantising.plan(wide, ["Q8_0"], own)
    taken = ladder.rungs[0].path
    steps = quantising.make(ladder)
    for step in steps:
        if step.step == "quantise":
            break
    taken.write_text("someone's own")
    with pytest.raises(ConfigurationError, match="is there already"):
        list(steps)
    assert taken.read_text() == "someone's own"
    assert files_below(own) == ["gguf/wide.Q8_0.gguf"]


def test_too_little_space_is_said_with_numbers_before_anything_is_written(
    wide: ModelInfo, own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage("/")._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    with pytest.raises(ModelLoadError, match=r"need 1 MB; 1 MB are free|need \d MB; 1 MB are free"):
        quantising.plan(wide, ["Q8_0", "Q6_K"], own)
    assert not own.exists()


def test_a_folder_that_cannot_be_written_is_a_sentence(wide: ModelInfo, own: Path) -> None:
    ladder = quantising.plan(wide, ["Q8_0"], own)
    own.mkdir()
    own.chmod(0o500)
    if os.access(own, os.W_OK):
        pytest.skip("root may write everywhere")
    with pytest.raises(ModelLoadError, match="--models-dir"):
        made_by(ladder)


def test_a_file_in_the_folders_place_is_a_sentence(wide: ModelInfo, own: Path) -> None:
    own.mkdir()
    (own / "gguf").write_text("a file where the folder should be")
    with pytest.raises(ModelLoadError, match="--models-dir"):
        made_by(quantising.plan(wide, ["Q8_0"], own))


@pytest.mark.parametrize(
    ("name", "made"),
    [
        ("llama3.2:3b-instruct-q4_K_M", "llama3.2-3b-instruct.Q8_0.gguf"),
        ("hf.co/ORG/Name-GGUF", "hf.co-ORG-Name-GGUF.Q8_0.gguf"),
        ("../../escape", "-..-escape.Q8_0.gguf"),
        ("two\nlines", "two-lines.Q8_0.gguf"),
        ("🦙" * 70, "🦙" * 61 + ".Q8_0.gguf"),
        ("..", "model.Q8_0.gguf"),
    ],
)
def test_a_models_name_is_made_fit_for_a_file(
    wide: ModelInfo, own: Path, name: str, made: str
) -> None:
    ladder = quantising.plan(replace(wide, name=name), ["Q8_0"], own)
    assert ladder.rungs[0].path == own / "gguf" / made
    (model,) = made_by(ladder)
    assert Path(model.path).name == made


# ---- what is interrupted ----


@pytest.fixture
def slow(starter_models: dict[str, str], own: Path) -> quantising.Ladder:
    """A ladder whose second file takes long enough to be interrupted."""
    return quantising.plan(model_at(starter_models["gguf_q4_1"]), ["Q8_0", SLOW], own)


def is_underway(step: quantising.QuantisingProgress) -> bool:
    """Whether the second file is being written."""
    return (
        step.step == "quantise"
        and step.rung is not None
        and step.rung.quantisation == SLOW
        and step.done > 0
    )


def test_a_stop_keeps_what_is_whole_and_nothing_half(
    slow: quantising.Ladder, own: Path, bounds: Bounds
) -> None:
    asked = threading.Event()
    for step in quantising.make(slow, asked.is_set):
        if is_underway(step) and not asked.is_set():
            assert list((own / "gguf").glob(".quantise-*/whole.gguf"))
            asked.set()
            since = time.monotonic()
    assert bounds.under(time.monotonic() - since, 3)
    assert files_below(own) == ["gguf/SmolLM2-135M-Instruct.Q8_0.gguf"]
    assert not list((own / "gguf").glob(".*"))


def test_a_generator_that_is_closed_by_another_thread_ends_its_child(
    slow: quantising.Ladder, own: Path
) -> None:
    steps = quantising.make(slow)
    for step in steps:
        if is_underway(step):
            break
    closer = threading.Thread(target=steps.close)
    closer.start()
    closer.join()
    assert files_below(own) == ["gguf/SmolLM2-135M-Instruct.Q8_0.gguf"]
    with FileLock(own / ".quantise.lock", timeout=0):
        pass  # it was given back, though another thread had taken it


def test_a_second_program_waits_for_the_first(wide: ModelInfo, own: Path) -> None:
    ladder = quantising.plan(wide, ["Q8_0"], own)
    own.mkdir()
    steps = quantising.make(ladder)
    with FileLock(own / ".quantise.lock"):
        assert next(steps).step == "wait"
        assert next(steps).step == "wait"
    assert [step.model.name for step in steps if step.model] == ["wide.Q8_0"]


def test_one_who_waits_can_be_stopped(wide: ModelInfo, own: Path) -> None:
    ladder = quantising.plan(wide, ["Q8_0"], own)
    own.mkdir()
    asked = threading.Event()
    with FileLock(own / ".quantise.lock"):
        steps = quantising.make(ladder, asked.is_set)
        assert next(steps).step == "wait"
        asked.set()
        assert list(steps) == []
    assert files_below(own) == []


FULL = """
import sys
from dataclasses import replace
from pathlib import Path
from comparator.core.exceptions import ModelLoadError
from comparator.library import discovery
from comparator.library.changes import quantising

own, source = Path(sys.argv[1]), Path(sys.argv[2])
ladder = quantising.plan(discovery.inspect(source), ["F16"], own.parent)
small = replace(ladder.rungs[0], path=own / "gguf" / "x.gguf", expected_bytes=1000)
try:
    list(quantising.make(replace(ladder, models_dir=own, rungs=(small,))))
except ModelLoadError as error:
    print(error)
print(sorted(str(path.relative_to(own)) for path in own.rglob("*")))
"""


def test_a_disk_that_fills_up_meanwhile_is_said_and_nothing_is_left(
    wide: ModelInfo, tmp_path: Path
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mount = 'mount -t tmpfs -o size=1m none "$1" && exec "$2" -c "$3" "$1" "$4"'
    command = ["unshare", "-Urm", "sh", "-c", mount, "sh", str(small), sys.executable, FULL]
    if not shutil.which("unshare") or subprocess.run(["unshare", "-Urm", "true"]).returncode:
        pytest.skip("no file system of its own can be mounted here without being root")
    done = subprocess.run(
        [*command, wide.path], capture_output=True, text=True, cwd=REPOSITORY, timeout=120
    )
    assert done.stderr == ""
    told, left = done.stdout.splitlines()
    assert told.startswith("The disk became full while F16 of wide.F32.gguf was made.")
    assert left == "['.quantise.lock', 'gguf']"


def test_what_a_killed_program_left_goes_with_the_next_run(wide: ModelInfo, own: Path) -> None:
    left = own / "gguf" / ".quantise-1"
    left.mkdir(parents=True)
    (left / "whole.gguf").write_bytes(b"GGUF" + bytes(1000))
    assert discovery.scan(own).models == []
    made_by(quantising.plan(wide, ["Q8_0"], own))
    assert files_below(own) == ["gguf/wide.Q8_0.gguf"]


def test_what_was_made_has_the_facts_of_its_source_and_is_of_its_family(
    wide: ModelInfo, own: Path
) -> None:
    made = made_by(quantising.plan(wide, ["Q2_K", "Q5_K_M", "Q8_0"], own))
    before = facts_of(wide)
    for model in made:
        after = facts_of(model)
        assert after.architecture == before.architecture
        assert after.context_length == before.context_length
        assert after.layers == before.layers
    (family,) = families([made[1], wide, *made[2:], made[0]])
    assert [model.name for model in family.members] == [
        "wide.F32",
        "wide.Q8_0",
        "wide.Q5_K_M",
        "wide.Q2_K",
    ]
