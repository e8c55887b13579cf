"""What is a model on disk, what is none, and what is passed over with a reason."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from comparator.core.models import ModelType
from comparator.library import discovery


def put(path: Path, size: int = 4, content: bytes | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size if content is None else content)
    return path


def transformer(folder: Path, **files: int) -> Path:
    put(folder / "config.json", content=b'{"model_type": "llama"}')
    for name, size in files.items():
        put(folder / name.replace("__", "."), size)
    return folder


def index(folder: Path, *named: str) -> None:
    table = {f"w{number}": name for number, name in enumerate(named)}
    text = json.dumps({"weight_map": table})
    put(folder / "model.safetensors.index.json", content=text.encode())


def names(scan: discovery.Scan) -> list[str]:
    return [model.name for model in scan.models]


class TestTransformersDirectories:
    def test_a_directory_is_one_model(self, tmp_path):
        folder = transformer(tmp_path / "pytorch" / "llama", model__safetensors=100)
        put(folder / "tokenizer.json", 50)
        (model,) = discovery.scan(tmp_path).models
        assert (model.name, model.path) == ("llama", str(folder))
        assert (model.model_type, model.size, model.problem) == (ModelType.PYTORCH, 100, None)

    def test_its_size_is_the_sum_of_its_weight_files(self, tmp_path):
        transformer(tmp_path / "m", **{"a-1__safetensors": 100, "a-2__safetensors": 30})
        assert discovery.scan(tmp_path).models[0].size == 130

    def test_weights_in_two_formats_count_once(self, tmp_path):
        transformer(tmp_path / "m", model__safetensors=100, pytorch_model__bin=90)
        assert discovery.scan(tmp_path).models[0].size == 100

    @pytest.mark.parametrize("suffix", ["safetensors", "bin", "pt", "pth"])
    def test_every_kind_of_weights(self, tmp_path, suffix):
        transformer(tmp_path / "m", **{f"model__{suffix}": 7})
        assert discovery.scan(tmp_path).models[0].size == 7

    def test_checkpoints_inside_a_model_are_models_too(self, tmp_path):
        out = transformer(tmp_path / "out", model__safetensors=1, optimizer__pt=9)
        inner = transformer(out / "checkpoint-500", model__safetensors=2, optimizer__pt=9)
        put(inner / "global_step500" / "mp_rank_00_model_states.pt")
        scan = discovery.scan(tmp_path)
        assert [(m.name, m.path, m.size, m.problem) for m in scan.models] == [
            ("out", str(out), 1, None),
            ("checkpoint-500", str(inner), 2, None),
        ]
        assert scan.skipped == []

    def test_the_index_decides_which_files_are_the_model(self, tmp_path):
        shards = {f"model-0000{n}-of-00002__safetensors": 10 for n in (1, 2)}
        left = {"consolidated__safetensors": 20, "pytorch_model__bin": 20}
        old = {f"model-0000{n}-of-00003__safetensors": 7 for n in (1, 2, 3)}
        folder = transformer(tmp_path / "m", **shards, **left, **old)
        put(folder / "original" / "consolidated.00.pth", 20)
        put(folder / "original" / "params.json")
        index(folder, "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
        scan = discovery.scan(tmp_path)
        assert [(m.name, m.size, m.problem) for m in scan.models] == [("m", 20, None)]
        assert scan.skipped == []

    def test_an_index_that_names_what_is_not_there_is_a_problem(self, tmp_path):
        folder = transformer(tmp_path / "m", **{"model-1__safetensors": 10})
        index(folder, "model-1.safetensors", "model-2.safetensors")
        (model,) = discovery.scan(tmp_path).models
        assert model.size == 10
        assert model.problem.startswith("model-2.safetensors is missing (1 of 2 shards)")
        assert "model.safetensors.index.json" in model.problem

    def test_an_index_without_any_of_its_files_is_a_problem(self, tmp_path):
        folder = transformer(tmp_path / "m")
        index(folder, "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
        (model,) = discovery.scan(tmp_path).models
        assert (model.name, model.size) == ("m", 0)
        assert "model-00001-of-00002.safetensors is missing (2 of 2 shards)" in model.problem

    def test_an_index_that_names_files_outside_is_a_problem(self, tmp_path):
        put(tmp_path / "secret.safetensors", 99)
        folder = transformer(tmp_path / "deep" / "m", **{"model-1__safetensors": 10})
        index(folder, "model-1.safetensors", "../../secret.safetensors")
        (model,) = discovery.scan(tmp_path / "deep").models
        assert model.size == 10
        assert "leaves the folder; refused" in model.problem

    def test_a_training_state_is_no_weights(self, tmp_path):
        put(tmp_path / "optimizer.pt")
        put(tmp_path / "training_args.bin")
        assert discovery.scan(tmp_path).models == []

    def test_an_adapter_is_none_and_said(self, tmp_path):
        put(tmp_path / "lora" / "adapter_config.json", content=b"{}")
        put(tmp_path / "lora" / "adapter_model.safetensors")
        scan = discovery.scan(tmp_path)
        assert scan.models == []
        assert [Path(s.path).name for s in scan.skipped] == ["lora"]
        assert "LoRA adapter" in scan.skipped[0].reason

    @pytest.mark.parametrize("name", ["a.safetensors", "a.bin", "a.pt", "a.pth"])
    def test_loose_weights_are_listed_with_the_reason(self, tmp_path, name):
        put(tmp_path / name, 9)
        (model,) = discovery.scan(tmp_path).models
        assert (model.name, model.size) == (name, 9)
        assert model.problem.startswith("Weights only: config.json")


class TestGguf:
    def test_a_file_is_one_model(self, tmp_path):
        path = put(tmp_path / "gguf" / "deep" / "Q4.GGUF", 12)
        (model,) = discovery.scan(tmp_path).models
        assert (model.name, model.path, model.size) == ("Q4", str(path), 12)
        assert model.model_type is ModelType.GGUF

    def test_shards_are_one_model(self, tmp_path):
        for number in (1, 2, 3):
            put(tmp_path / f"big-0000{number}-of-00003.gguf", 10 * number)
        (model,) = discovery.scan(tmp_path).models
        assert (model.name, model.size, model.problem) == ("big", 60, None)
        assert model.path.endswith("big-00001-of-00003.gguf")

    @pytest.mark.parametrize("missing", [1, 2, 3])
    def test_a_missing_shard_is_a_problem(self, tmp_path, missing):
        for number in {1, 2, 3} - {missing}:
            put(tmp_path / f"big-0000{number}-of-00003.gguf")
        (model,) = discovery.scan(tmp_path).models
        assert model.problem.startswith(f"Shard {missing} of 3 is missing.")

    def test_two_sets_of_shards_are_two_models(self, tmp_path):
        for name in ("a-00001-of-00001", "b-00001-of-00001"):
            put(tmp_path / f"{name}.gguf")
        assert names(discovery.scan(tmp_path)) == ["a", "b"]

    @pytest.mark.parametrize(
        "name",
        [
            "mmproj-model-f16.gguf",
            "model.mmproj.gguf",
            "model.gguf.part",
            "model.gguf.incomplete",
            "model.gguf.crdownload",
            "model.gguf.partial",
            "model.gguf.aria2",
            ".model.gguf",
            "model.txt",
        ],
    )
    def test_projectors_and_half_downloads_are_none(self, tmp_path, name):
        put(tmp_path / name)
        assert discovery.scan(tmp_path).models == []

    def test_gguf_files_beside_a_transformers_model_are_models_too(self, tmp_path):
        folder = transformer(tmp_path / "m", model__safetensors=1)
        put(folder / "q8.gguf")
        assert sorted(names(discovery.scan(tmp_path))) == ["m", "q8"]


class TestOtherFormats:
    @pytest.mark.parametrize(
        ("files", "folder", "words"),
        [
            (["model_index.json", "unet/model.safetensors"], "", "diffusers"),
            (["config.json", "diffusion_pytorch_model.safetensors"], "", "part of a pipeline"),
            (["modules.json", "config.json", "model.safetensors"], "", "sentence-transformers"),
            (["config.json", "rank0.engine"], "", "TensorRT-LLM"),
            (["config.json", "model.bin", "vocabulary.json"], "", "CTranslate2"),
            (["config.json", "openvino_model.xml", "openvino_model.bin"], "", "OpenVINO"),
            (["config.json", "model.onnx"], "model.onnx", "ONNX Runtime"),
            (["genai_config.json", "model.onnx"], "", "ONNX Runtime GenAI"),
            (["Model.mlpackage/Data/weights/weight.bin"], "Model.mlpackage", "Core ML"),
            (["mlc-chat-config.json", "params_shard_0.bin"], "", "MLC LLM"),
            (["config.json", "tf_model.h5"], "tf_model.h5", "TensorFlow"),
            (["config.json", "flax_model.msgpack"], "flax_model.msgpack", "Flax"),
            (["llm.nemo"], "llm.nemo", "NeMo"),
            (["model.pt", "dict.txt"], "", "fairseq"),
            (["params.json", "consolidated.00.pth"], "", "original format"),
            (["params.json", "consolidated.safetensors", "tekken.json"], "", "original format"),
            (["weights.00.npz", "config.json"], "weights.00.npz", "MLX"),
            (["ggml-base.en.bin"], "ggml-base.en.bin", "whisper.cpp"),
            (["ggml-model-q4_0.bin"], "ggml-model-q4_0.bin", "before GGUF"),
            (["zero_to_fp32.py"], "", "DeepSpeed"),
        ],
    )
    def test_they_say_what_they_are_and_what_runs_them(self, tmp_path, files, folder, words):
        for name in files:
            put(tmp_path / "m" / name)
        scan = discovery.scan(tmp_path)
        assert scan.models == []
        told = {entry.path: entry.reason for entry in scan.skipped}
        assert list(told) == [str(tmp_path / "m" / folder).rstrip("/")]
        assert words in told[str(tmp_path / "m" / folder).rstrip("/")]

    def test_what_a_training_was_joined_into_is_listed_beside_its_pieces(self, tmp_path):
        put(tmp_path / "out" / "zero_to_fp32.py")
        transformer(tmp_path / "out" / "joined", model__safetensors=1)
        assert [model.name for model in discovery.scan(tmp_path).models] == ["joined"]

    def test_beside_weights_of_transformers_they_are_copies_of_the_model(self, tmp_path):
        folder = transformer(tmp_path / "m", model__safetensors=1, tf_model__h5=1)
        for name in ("model.onnx", "openvino_model.xml", "flax_model.msgpack", "params.json"):
            put(folder / name)
        put(folder / "onnx" / "model.onnx")
        put(folder / "openvino" / "openvino_model.xml")
        scan = discovery.scan(tmp_path)
        assert (names(scan), scan.skipped) == (["m"], [])

    def test_models_beside_a_file_in_another_format_are_found(self, tmp_path):
        stray = ("X.mlpackage", "a.onnx", "ggml-tiny.bin", "x.engine")
        for name in ("X.mlpackage/weight.bin", *stray[1:], "b.gguf", "loose.safetensors"):
            put(tmp_path / name)
        transformer(tmp_path / "m", model__safetensors=1)
        scan = discovery.scan(tmp_path)
        assert sorted(names(scan)) == ["b", "loose.safetensors", "m"]
        assert {Path(entry.path).name for entry in scan.skipped} == set(stray)

    def test_adapters_of_a_training_are_told_each(self, tmp_path):
        for folder in (tmp_path / "lora", tmp_path / "lora" / "checkpoint-10"):
            put(folder / "adapter_config.json", content=b"{}")
            put(folder / "adapter_model.safetensors")
        scan = discovery.scan(tmp_path)
        assert scan.models == []
        assert [Path(entry.path).name for entry in scan.skipped] == ["lora", "checkpoint-10"]


class TestOddEntries:
    def test_an_empty_file_and_a_pipe_are_listed_with_their_problem(self, tmp_path):
        put(tmp_path / "empty.gguf", 0)
        os.mkfifo(tmp_path / "pipe.gguf")
        problems = {model.name: model.problem for model in discovery.scan(tmp_path).models}
        assert problems == {
            "empty": "The file is empty (0 bytes). Download it again.",
            "pipe": "Not a regular file.",
        }

    def test_loops_of_links_end(self, tmp_path):
        put(tmp_path / "a" / "m.gguf")
        (tmp_path / "a" / "up").symlink_to(tmp_path)
        (tmp_path / "a" / "self").symlink_to(tmp_path / "a")
        assert names(discovery.scan(tmp_path)) == ["m"]

    def test_a_link_to_a_model_elsewhere_is_followed(self, tmp_path):
        put(tmp_path / "store" / "m.gguf", 5)
        (tmp_path / "models").mkdir()
        (tmp_path / "models" / "link.gguf").symlink_to(tmp_path / "store" / "m.gguf")
        (model,) = discovery.scan(tmp_path / "models").models
        assert (model.name, model.size) == ("link", 5)

    def test_one_file_under_two_links_is_one_model(self, tmp_path):
        put(tmp_path / "m.gguf")
        (tmp_path / "z.gguf").symlink_to(tmp_path / "m.gguf")
        (tmp_path / "y.gguf").hardlink_to(tmp_path / "m.gguf")
        assert names(discovery.scan(tmp_path)) == ["m"]

    def test_one_folder_under_two_links_is_one_model(self, tmp_path):
        transformer(tmp_path / "m", model__safetensors=1)
        (tmp_path / "n").symlink_to(tmp_path / "m")
        assert names(discovery.scan(tmp_path)) == ["m"]

    def test_what_cannot_be_read_is_reported_and_skipped(self, tmp_path):
        put(tmp_path / "good.gguf")
        (tmp_path / "round.gguf").symlink_to("round.gguf")
        (tmp_path / "gone.gguf").symlink_to("nowhere")
        (tmp_path / "loop").symlink_to("loop")
        scan = discovery.scan(tmp_path)
        assert names(scan) == ["good"]
        reasons = {Path(entry.path).name: entry.reason for entry in scan.skipped}
        assert {"round.gguf", "gone.gguf"} <= set(reasons)
        assert "Too many levels of symbolic links" in reasons["round.gguf"]
        assert "No such file" in reasons["gone.gguf"]
        assert all(reason.startswith("Cannot be read: ") for reason in reasons.values())

    @pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
    def test_a_forbidden_folder_is_reported(self, tmp_path):
        put(tmp_path / "good.gguf")
        (tmp_path / "locked").mkdir(mode=0)
        scan = discovery.scan(tmp_path)
        assert names(scan) == ["good"]
        assert "Permission denied" in scan.skipped[0].reason

    @pytest.mark.parametrize("name", ["line\nbreak", "🙂 模型", "x" * 250, "a'b\"c", "\udcff"])
    def test_odd_names_are_names(self, tmp_path, name):
        put(tmp_path / f"{name}.gguf")
        (model,) = discovery.scan(tmp_path).models
        assert model.name == name
        assert len(model.id) == 8

    def test_folders_below_folders(self, tmp_path):
        deep = tmp_path.joinpath(*["d"] * 20)
        put(deep / "m.gguf")
        assert names(discovery.scan(tmp_path)) == ["m"]

    def test_models_with_a_problem_come_last(self, tmp_path):
        put(tmp_path / "a.gguf", 0)
        put(tmp_path / "b.gguf", 1)
        assert names(discovery.scan(tmp_path)) == ["b", "a"]


class TestStability:
    def test_ids_do_not_depend_on_the_way_a_folder_is_named(self, tmp_path, monkeypatch):
        put(tmp_path / "models" / "m.gguf")
        transformer(tmp_path / "models" / "t", model__safetensors=1)
        monkeypatch.chdir(tmp_path)
        ways = [tmp_path / "models", Path("models"), Path("models/../models"), Path("./models/")]
        found = [[(m.id, m.path) for m in discovery.scan(way).models] for way in ways]
        assert found.count(found[0]) == len(ways)

    def test_ten_thousand_files_in_a_moment(self, tmp_path, bounds):
        for number in range(100):
            folder = tmp_path / f"f{number}"
            folder.mkdir()
            for other in range(100):
                (folder / f"{other}.gguf").touch()
        begun = time.process_time()  # not the wall clock: the machine is shared
        found = discovery.scan(tmp_path)
        assert bounds.under(time.process_time() - begun, 1)
        assert len(found.models) == 10_000


class TestInspect:
    def test_a_file_or_a_folder_by_its_path(self, tmp_path):
        path = put(tmp_path / "m.gguf")
        folder = transformer(tmp_path / "t", model__safetensors=1)
        assert discovery.inspect(path).id == discovery.scan(tmp_path).models[0].id
        assert discovery.inspect(folder).name == "t"

    def test_what_is_no_model(self, tmp_path):
        assert discovery.inspect(put(tmp_path / "notes.txt")) is None
        assert discovery.inspect(tmp_path) is None
        assert discovery.inspect(tmp_path / "nowhere") is None
