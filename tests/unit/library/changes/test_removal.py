"""What is removed is ours alone, is named beforehand, and is gone whole or not at all."""

from __future__ import annotations

import mmap
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from comparator.core.exceptions import ConfigurationError, MultiLLMError
from comparator.core.models import ModelInfo, ModelType
from comparator.library import discovery
from comparator.library.changes.removal import Removal, plan_removal, remove

BYTES = 5000


@pytest.fixture
def own(tmp_path: Path) -> Path:
    folder = tmp_path / "models"
    (folder / "gguf").mkdir(parents=True)
    (folder / "pytorch").mkdir()
    return folder


def gguf_at(path: Path, size: int = BYTES) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"GGUF".ljust(size, b"\0"))
    return path


def folder_at(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text('{"model_type": "llama"}')
    (folder / "model.safetensors").write_bytes(bytes(BYTES))
    for name in ("tokenizer.json", "vocab.txt", "chat_template.jinja", "README.md", "LICENSE"):
        (folder / name).write_text("{}")
    return folder


def found(folder: Path, name: str) -> ModelInfo:
    (model,) = [model for model in discovery.scan(folder).models if model.name == name]
    return model


def plan_of(folder: Path, name: str) -> Removal:
    return plan_removal(found(folder, name), folder)


def everything(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_a_file_is_named_and_counted_and_goes_alone(own: Path) -> None:
    gguf_at(own / "gguf" / "a.gguf")
    gguf_at(own / "gguf" / "b.gguf")
    plan = plan_of(own, "a")
    assert plan.paths == (own / "gguf" / "a.gguf",)
    assert plan.bytes_freed == BYTES
    assert plan.notes == ()
    remove(plan)
    assert everything(own) == ["gguf", "gguf/b.gguf", "pytorch"]


def test_all_shards_go_together(own: Path) -> None:
    for number in (1, 2, 3):
        gguf_at(own / "gguf" / f"big-{number:05d}-of-00003.gguf")
    gguf_at(own / "gguf" / "big.gguf")
    (model,) = [m for m in discovery.scan(own).models if m.location.shards > 1]
    plan = plan_removal(model, own)
    assert len(plan.paths) == 3
    assert plan.bytes_freed == 3 * BYTES
    remove(plan)
    assert everything(own / "gguf") == ["big.gguf"]


def test_what_is_left_of_an_incomplete_model_can_be_removed(own: Path) -> None:
    gguf_at(own / "gguf" / "big-00002-of-00003.gguf")
    plan = plan_of(own, "big")
    assert plan.model.problem is not None
    remove(plan)
    assert everything(own) == ["pytorch"]


def test_a_transformers_folder_goes_whole(own: Path) -> None:
    folder = folder_at(own / "pytorch" / "whole")
    (folder / "onnx").mkdir()
    (folder / "onnx" / "model.onnx").write_bytes(bytes(BYTES))
    plan = plan_of(own, "whole")
    assert plan.folder == folder
    assert {path.name for path in plan.paths} == {
        path.name for path in folder.rglob("*") if path.is_file()
    }
    assert plan.bytes_freed == sum(path.stat().st_size for path in plan.paths)
    remove(plan)
    assert everything(own) == ["gguf"]


def test_copies_that_no_load_reads_are_named(own: Path) -> None:
    folder = folder_at(own / "pytorch" / "twice")
    (folder / "original").mkdir()
    for name in ("pytorch_model.bin", "original/consolidated.00.pth"):
        (folder / name).write_bytes(bytes(BYTES))
    plan = plan_of(own, "twice")
    assert plan.model.size == BYTES
    assert plan.folder == folder
    (note,) = plan.notes
    assert "does not use pytorch_model.bin, original/consolidated.00.pth (10 kB)" in note


def test_a_checkpoint_stays_with_all_its_files(own: Path) -> None:
    folder = folder_at(own / "pytorch" / "out")
    inner = folder_at(folder / "checkpoint-500")
    (inner / "global_step500").mkdir()
    (inner / "global_step500" / "mp_rank_00_model_states.pt").write_bytes(bytes(BYTES))
    (folder / "lora").mkdir()
    (folder / "lora" / "adapter_config.json").write_text("{}")
    (folder / "lora" / "adapter_model.safetensors").write_bytes(bytes(BYTES))
    before = everything(inner)
    remove(plan_of(own, "out"))
    assert everything(inner) == before
    assert everything(folder / "lora") == ["adapter_config.json", "adapter_model.safetensors"]
    assert not (folder / "model.safetensors").exists()


def test_somebodys_own_files_in_a_models_folder_stay(own: Path) -> None:
    folder = folder_at(own / "pytorch" / "mixed")
    (folder / "thesis.docx").write_text("years of work")
    gguf_at(folder / "other.gguf")
    folder_at(folder / "checkpoint-500")
    plan = plan_of(own, "mixed")
    assert plan.folder is None
    (note,) = plan.notes
    assert "thesis.docx" in note
    assert "and 4 more" in note
    remove(plan)
    left = everything(folder)
    assert {"thesis.docx", "other.gguf", "checkpoint-500/model.safetensors"} <= set(left)
    assert "model.safetensors" not in left
    assert "config.json" not in left


def test_only_the_link_of_a_linked_file_goes(own: Path, tmp_path: Path) -> None:
    target = gguf_at(tmp_path / "elsewhere" / "a.gguf")
    (own / "gguf" / "link.gguf").symlink_to(target)
    plan = plan_of(own, "link")
    assert plan.paths == (own / "gguf" / "link.gguf",)
    assert plan.bytes_freed == 0
    (note,) = plan.notes
    assert note == f"link.gguf is a link; what it leads to stays: {target}."
    remove(plan)
    assert everything(own) == ["pytorch"]
    assert target.stat().st_size == BYTES


def test_only_the_link_of_a_linked_folder_goes(own: Path, tmp_path: Path) -> None:
    target = folder_at(tmp_path / "elsewhere" / "model")
    before = everything(target)
    (own / "pytorch" / "link").symlink_to(target)
    plan = plan_of(own, "link")
    assert plan.paths == (own / "pytorch" / "link",)
    assert plan.bytes_freed == 0
    remove(plan)
    assert everything(own) == ["gguf"]
    assert everything(target) == before


def test_linked_weights_in_a_models_folder_are_not_followed(own: Path, tmp_path: Path) -> None:
    folder = folder_at(own / "pytorch" / "whole")
    weights = tmp_path / "blob"
    weights.write_bytes(bytes(BYTES))
    (folder / "model.safetensors").unlink()
    (folder / "model.safetensors").symlink_to(weights)
    plan = plan_of(own, "whole")
    assert plan.bytes_freed < BYTES
    remove(plan)
    assert weights.exists()
    assert not folder.exists()


def test_a_linked_folder_in_a_models_folder_stays(own: Path, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "one.json").write_text("{}")
    folder = folder_at(own / "pytorch" / "whole")
    (folder / "photos").symlink_to(tmp_path / "photos")
    plan = plan_of(own, "whole")
    assert plan.kept == (folder / "photos",)
    remove(plan)
    assert (tmp_path / "photos" / "one.json").exists()


def test_a_file_in_a_linked_folder_is_not_ours(own: Path, tmp_path: Path) -> None:
    outside = tmp_path / "disk"
    gguf_at(outside / "a.gguf")
    (own / "more").symlink_to(outside)
    with pytest.raises(ConfigurationError, match="is not in your models folder"):
        plan_of(own, "a")
    assert (outside / "a.gguf").exists()


def test_a_models_folder_that_is_itself_a_link_is_ours(own: Path, tmp_path: Path) -> None:
    gguf_at(own / "gguf" / "a.gguf")
    by_link = tmp_path / "by link"
    by_link.symlink_to(own)
    plan = plan_of(by_link, "a")
    assert plan.bytes_freed == BYTES
    remove(plan)
    assert everything(own) == ["pytorch"]
    assert by_link.is_symlink()


def test_a_hard_link_frees_nothing_and_says_so(own: Path, tmp_path: Path) -> None:
    path = gguf_at(own / "gguf" / "a.gguf")
    os.link(path, tmp_path / "same")
    plan = plan_of(own, "a")
    assert plan.bytes_freed == 0
    assert "hard links" in plan.notes[0]
    remove(plan)
    assert (tmp_path / "same").stat().st_size == BYTES


def test_hard_links_that_all_go_are_counted_once(own: Path) -> None:
    folder = folder_at(own / "pytorch" / "whole")
    before = plan_of(own, "whole").bytes_freed
    os.link(folder / "model.safetensors", folder / "pytorch_model.bin")
    assert plan_of(own, "whole").bytes_freed == before


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("ollama", "belongs to Ollama"),
        ("huggingface", "belongs to the Hugging Face cache"),
        ("folder", "is not in your models folder"),
        (None, "is not in your models folder"),
    ],
)
def test_what_others_keep_is_left_alone_by_name(
    own: Path, tmp_path: Path, source: str | None, words: str
) -> None:
    path = gguf_at(tmp_path / "theirs" / "a.gguf")
    model = ModelInfo("", "a", str(path), ModelType.GGUF, BYTES, {"source": source})
    with pytest.raises(ConfigurationError, match=words):
        plan_removal(model, own)
    assert path.exists()


@pytest.mark.parametrize("way", ["..", "../models", "gguf/../../outside"])
def test_no_path_leads_out_of_our_folder(own: Path, way: str) -> None:
    outside = gguf_at(own.parent / "outside")
    model = ModelInfo("", "a", f"{own}/{way}", ModelType.GGUF, BYTES)
    with pytest.raises(ConfigurationError, match="is not in your models folder"):
        plan_removal(model, own)
    assert outside.exists()
    assert own.is_dir()


def test_of_two_places_ours_goes_and_the_other_stays(own: Path, tmp_path: Path) -> None:
    theirs = gguf_at(tmp_path / "theirs" / "blob")
    ours = gguf_at(own / "gguf" / "a.gguf")
    places = [{"source": "ollama", "path": str(theirs)}, {"source": "folder", "path": str(ours)}]
    config = {"source": "ollama", "places": places}
    plan = plan_removal(ModelInfo("", "a", str(theirs), ModelType.GGUF, BYTES, config), own)
    assert plan.paths == (ours,)
    assert plan.notes == (f"The same model stays at {theirs}.",)
    remove(plan)
    assert theirs.exists()
    assert not ours.exists()


def test_a_downloads_folders_and_notes_go_with_it(own: Path) -> None:
    folder = own / "gguf" / "ORG" / "NAME"
    notes = folder / ".cache" / "huggingface" / "download"
    for name in ("a.gguf", "b.gguf"):
        gguf_at(folder / name)
        notes.mkdir(parents=True, exist_ok=True)
        (notes / f"{name}.metadata").write_text("etag")
        (notes / f"{name}.lock").touch()
    remove(plan_of(own, "a"))
    assert sorted(path.name for path in notes.iterdir()) == ["b.gguf.lock", "b.gguf.metadata"]
    remove(plan_of(own, "b"))
    assert everything(own) == ["pytorch"]


def test_a_download_that_is_under_way_beside_it_is_left_alone(own: Path) -> None:
    folder = own / "gguf" / "ORG" / "NAME"
    gguf_at(folder / "a.gguf")
    half = gguf_at(folder / ".cache" / "huggingface" / "download" / "b.gguf.123.incomplete")
    remove(plan_of(own, "a"))
    assert half.exists()


def test_the_models_folder_itself_stays(own: Path) -> None:
    gguf_at(own / "a.gguf")
    (own / "gguf").rmdir()
    (own / "pytorch").rmdir()
    remove(plan_of(own, "a"))
    assert own.is_dir()


def test_a_model_that_is_gone_already_is_a_sentence(own: Path) -> None:
    gguf_at(own / "gguf" / "a.gguf")
    model = found(own, "a")
    plan = plan_removal(model, own)
    remove(plan)
    with pytest.raises(MultiLLMError, match="no such file any more"):
        plan_removal(model, own)
    with pytest.raises(MultiLLMError, match="no such file any more"):
        remove(plan)


def test_what_was_put_there_after_the_question_is_not_removed(own: Path) -> None:
    folder = folder_at(own / "pytorch" / "whole")
    plan = plan_of(own, "whole")
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(ConfigurationError, match="has changed since"):
        remove(plan)
    (folder / "notes.txt").unlink()
    (folder / "more.json").write_text("{}")
    with pytest.raises(ConfigurationError, match="has changed since"):
        remove(plan)
    assert (folder / "model.safetensors").exists()


def test_a_folder_that_cannot_be_written_is_a_sentence(own: Path) -> None:
    gguf_at(own / "gguf" / "a.gguf")
    plan = plan_of(own, "a")
    (own / "gguf").chmod(0o500)
    if os.access(own / "gguf", os.W_OK):
        pytest.skip("root may write everywhere")
    try:
        with pytest.raises(MultiLLMError, match="Permission denied"):
            remove(plan)
    finally:
        (own / "gguf").chmod(0o700)


@pytest.mark.parametrize("name", ["two\nlines", "🦙", "ü" * 120, "-rf", "  blank  "])
def test_odd_names_are_no_hindrance(own: Path, name: str) -> None:
    gguf_at(own / "gguf" / f"{name}.gguf")
    remove(plan_of(own, name))
    assert everything(own) == ["pytorch"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="read from /proc")
def test_a_model_that_is_being_read_can_go_and_it_is_said(own: Path) -> None:
    path = gguf_at(own / "gguf" / "a.gguf")
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
        plan = plan_of(own, "a")
        assert any("A running model reads it" in note for note in plan.notes)
        remove(plan)
        assert mapped[:4] == b"GGUF"
    assert not path.exists()


SLOW_REMOVAL = """
import shutil, sys, time
from pathlib import Path
from comparator.library import discovery
from comparator.library.changes import removal

own = Path(sys.argv[1])
delete = shutil.rmtree
def slowly(path, **options):
    if "removed" in str(path):
        print("hidden", flush=True)
        time.sleep(60)
    delete(path, **options)
shutil.rmtree = slowly
(model,) = discovery.scan(own).models
removal.remove(removal.plan_removal(model, own))
"""


@pytest.mark.process
def test_a_removal_that_is_killed_leaves_no_half_and_the_next_one_clears_up(own: Path) -> None:
    folder_at(own / "pytorch" / "whole")
    command = [sys.executable, "-c", SLOW_REMOVAL, str(own)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "hidden\n"
        process.send_signal(signal.SIGKILL)
    assert discovery.scan(own).models == []
    assert len(list((own / "pytorch").glob(".removed-*"))) == 1
    gguf_at(own / "gguf" / "a.gguf")
    remove(plan_of(own, "a"))
    assert not list(own.rglob(".removed-*"))


@pytest.mark.process
def test_what_another_program_is_just_removing_is_left_to_it(own: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as other:
        try:
            theirs = own / "gguf" / f".removed-{other.pid}-abc"
            theirs.mkdir()
            gguf_at(own / "gguf" / "a.gguf")
            remove(plan_of(own, "a"))
            assert theirs.is_dir()
        finally:
            other.kill()
    gguf_at(own / "gguf" / "a.gguf")
    remove(plan_of(own, "a"))
    assert not theirs.exists()
