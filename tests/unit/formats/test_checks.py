"""The bad inputs of reliability.md section 4 that are refused before any process starts."""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from comparator.core.config import ModelConfig
from comparator.core.exceptions import ModelLoadError
from comparator.core.models import ModelInfo, ModelType, RunState
from comparator.formats import checks
from comparator.library import discovery
from comparator.services.inference_engine import InferenceEngine

REPOSITORY = Path(__file__).resolve().parents[3]
CONFIG = {
    "model_type": "llama",
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "hidden_size": 64,
    "intermediate_size": 128,
    "vocab_size": 300,
}


def safetensors(promised: int = 8, written: int | None = None) -> bytes:
    tensor = {"dtype": "F32", "shape": [promised // 4], "data_offsets": [0, promised]}
    header = json.dumps({"__metadata__": {"format": "pt"}, "w": tensor}).encode()
    data = bytes(promised if written is None else written)
    return struct.pack("<Q", len(header)) + header + data


GOOD_GGUF = b"GGUF" + struct.pack("<IQQ", 3, 0, 0)


@pytest.fixture
def folder(tmp_path):
    """A folder that passes; each test spoils one thing."""
    path = tmp_path / "model"
    path.mkdir()
    (path / "config.json").write_text(json.dumps(CONFIG))
    (path / "model.safetensors").write_bytes(safetensors())
    return path


def refused(path, kind=None, config=None) -> str:
    """Return the sentence with which a path is refused."""
    if kind is None:
        kind = ModelType.PYTORCH if path.is_dir() else ModelType.GGUF
    model = ModelInfo("", path.name, str(path), kind, 1)
    with pytest.raises(ModelLoadError) as caught:
        checks.check(model, config or ModelConfig())
    sentence = str(caught.value)
    assert sentence.endswith((".", "?"))
    assert "Traceback" not in sentence
    return sentence


def passes(path, kind, config=None):
    checks.check(ModelInfo("", "m", str(path), kind, 1), config or ModelConfig())


def test_good_models_pass(folder, tmp_path, echo_model):
    passes(folder, ModelType.PYTORCH)
    (tmp_path / "m.gguf").write_bytes(GOOD_GGUF)
    passes(tmp_path / "m.gguf", ModelType.GGUF)
    passes(echo_model().path, ModelType.ECHO)
    passes("/nowhere", ModelType.CUSTOM)


@pytest.mark.parametrize("kind", [ModelType.PYTORCH, ModelType.GGUF, ModelType.ECHO])
def test_a_path_that_does_not_exist_is_named(tmp_path, kind):
    assert refused(tmp_path / "x", kind).startswith(f"No file or folder at {tmp_path}/x.")


def test_an_empty_folder_is_said_to_be_empty(tmp_path):
    assert "is empty: no config.json, no weights, no .gguf" in refused(tmp_path)


@pytest.mark.parametrize("name", ["m.gguf", "model/model.safetensors"])
def test_an_empty_file_is_said_to_be_empty(folder, tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    path = tmp_path / "m.gguf" if name == "m.gguf" else folder
    assert "is empty (0 bytes). Download it again." in refused(path)


@pytest.mark.parametrize("page", [b"<!DOCTYPE html><html>", b"\n  <html><body>", b"<!doctype x>"])
@pytest.mark.parametrize("name", ["m.gguf", "model/model.safetensors"])
def test_a_web_page_is_told_from_a_model(folder, tmp_path, name, page):
    (tmp_path / name).write_bytes(page)
    path = tmp_path / "m.gguf" if name == "m.gguf" else folder
    assert "is a web page, not a model" in refused(path)


@pytest.mark.parametrize("name", ["m.gguf", "model/model.safetensors"])
def test_a_git_lfs_pointer_is_told_with_the_command_that_helps(folder, tmp_path, name):
    (tmp_path / name).write_bytes(b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n")
    path = tmp_path / "m.gguf" if name == "m.gguf" else folder
    sentence = refused(path)
    assert "is a Git LFS pointer (56 bytes), not the model." in sentence
    assert "git lfs pull" in sentence


def test_a_gguf_file_cut_inside_its_header_is_incomplete(tmp_path):
    (tmp_path / "m.gguf").write_bytes(GOOD_GGUF[:-1])
    assert "incomplete" in refused(tmp_path / "m.gguf")


def test_a_cut_safetensors_file_is_incomplete_by_so_many_bytes(folder):
    whole = safetensors(1000)
    (folder / "model.safetensors").write_bytes(whole[:-1])
    expected = f"model.safetensors is incomplete: {len(whole) - 1} of {len(whole)} bytes."
    assert expected in refused(folder)


@pytest.mark.parametrize(
    "content",
    [
        b"short",
        struct.pack("<Q", 2**63) + b"{}",
        struct.pack("<Q", 50) + b"{}",
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 8) + b"not json",
        struct.pack("<Q", 9) + b'{"a": {}}',
        struct.pack("<Q", 100_000) + b"[" * 100_000,
        struct.pack("<Q", 34) + b'{"w": {"data_offsets": ["a","b"]}}',
        struct.pack("<Q", 34) + b'{"w": {"data_offsets": [0, 1e999]}}'[:34],
        struct.pack("<Q", 35) + b'{"w": {"data_offsets": [0, 1e999]}}',
        struct.pack("<Q", 31) + b'{"w":{"data_offsets":[0,null]}}',
    ],
)
def test_a_damaged_safetensors_header_is_refused(folder, content):
    (folder / "model.safetensors").write_bytes(content)
    assert "damaged" in refused(folder)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"GGUF" + struct.pack("<IQQ", 99, 0, 0), "GGUF version 99"),
        (b"GGUF" + struct.pack(">IQQ", 3, 0, 0), "big-endian"),
        (b"ggml" + bytes(20), "not a GGUF file"),
        (b"GGUF" + struct.pack("<IQQ", 3, 0, 2**60), "header is damaged"),
        (b"GGUF" + struct.pack("<IQQ", 3, 2**60, 0), "header is damaged"),
    ],
)
def test_a_header_that_no_engine_reads_is_refused(tmp_path, content, words):
    (tmp_path / "m.gguf").write_bytes(content)
    assert words in refused(tmp_path / "m.gguf")


def gguf_of(path, architecture="llama", kind=0, tensor="blk.0.x"):
    """Write a GGUF with one tensor of a type."""
    text = architecture.encode()
    key = b"general.architecture"
    entry = struct.pack("<Q", len(key)) + key + struct.pack("<IQ", 8, len(text)) + text
    name = tensor.encode()
    about = struct.pack("<Q", len(name)) + name + struct.pack("<IQIQ", 1, 32, kind, 0)
    path.write_bytes(b"GGUF" + struct.pack("<IQQ", 3, 1, 1) + entry + about + bytes(4096))
    return path


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"architecture": "gptoss"}, "Ollama's own engine calls its architecture (llama.cpp's is"),
        ({"architecture": "mllama"}, "Ollama's own engine"),
        ({"architecture": "bitnet-b1.58"}, "bitnet.cpp"),
        ({"kind": 139}, "IQ4_K, a type of ik_llama.cpp"),
        ({"kind": 212}, "Q4_K_R4, a type of ik_llama.cpp"),
        ({"kind": 36}, "I2_S, a type of bitnet.cpp"),
        ({"kind": 31}, "Q4_0_4_4, which llama.cpp has dropped"),
        ({"architecture": "eagle3"}, "cannot answer alone"),
        ({"architecture": "dflash"}, "cannot answer alone"),
        ({"tensor": "blk.9.nextn.eh_proj.weight"}, "cannot answer alone"),
    ],
)
def test_files_for_another_program_and_heads_are_refused_by_name(tmp_path, more, words):
    assert words in refused(gguf_of(tmp_path / "m.gguf", **more))


def test_a_head_may_be_the_last_shard_of_its_model(tmp_path):
    first = gguf_of(tmp_path / "m-00001-of-00002.gguf")
    gguf_of(tmp_path / "m-00002-of-00002.gguf", tensor="blk.9.nextn.eh_proj.weight")
    passes(first, ModelType.GGUF)


@pytest.mark.parametrize("more", [{}, {"kind": 12}, {"kind": 99}, {"architecture": "of tomorrow"}])
def test_what_a_newer_version_may_know_is_left_to_it(tmp_path, more):
    passes(gguf_of(tmp_path / "m.gguf", **more), ModelType.GGUF)


@pytest.mark.parametrize("kind", [ModelType.GGUF, ModelType.ECHO, ModelType.PYTORCH])
def test_a_pipe_is_not_opened(tmp_path, kind):
    os.mkfifo(tmp_path / "m.gguf")
    assert "not a regular file" in refused(tmp_path / "m.gguf", kind)


def test_a_device_and_a_pipe_in_a_folder_are_refused(folder, tmp_path):
    (tmp_path / "null.gguf").symlink_to("/dev/null")
    assert "not a regular file" in refused(tmp_path / "null.gguf")
    os.mkfifo(folder / "more.safetensors")
    assert "more.safetensors is not a regular file" in refused(folder)


def test_a_folder_named_like_a_file_is_told(tmp_path):
    (tmp_path / "x.gguf").mkdir()
    assert "x.gguf is a folder, not a .gguf file." in refused(tmp_path / "x.gguf", ModelType.GGUF)


def test_a_loop_of_links_is_told(tmp_path):
    (tmp_path / "x.gguf").symlink_to("x.gguf")
    assert "Too many levels of symbolic links" in refused(tmp_path / "x.gguf", ModelType.GGUF)


AS_NOBODY = """
import os, sys
from comparator.core.config import ModelConfig
from comparator.core.exceptions import ModelLoadError
from comparator.core.models import ModelInfo, ModelType
from comparator.formats import checks

if os.getuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
for path in sys.argv[1:]:
    kind = ModelType.GGUF if path.endswith("gguf") else ModelType.PYTORCH
    try:
        checks.check(ModelInfo("", "m", path, kind, 1), ModelConfig())
    except ModelLoadError as error:
        print(error)
"""


@pytest.mark.process
def test_forbidden_files_and_folders_are_refused_in_words():
    """Root becomes the user nobody, in a folder that everyone may enter."""
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        root.chmod(0o755)
        (root / "m.gguf").write_bytes(GOOD_GGUF)
        (root / "locked").mkdir()
        weights = root / "weights"
        weights.mkdir()
        (weights / "config.json").write_text(json.dumps(CONFIG))
        (weights / "model.safetensors").write_bytes(safetensors())
        for path in (root / "m.gguf", root / "locked", weights / "model.safetensors"):
            path.chmod(0)
        paths = [str(root / part) for part in ("m.gguf", "locked", "weights")]
        done = subprocess.run(
            [sys.executable, "-c", AS_NOBODY, *paths],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=30,
        )
        (root / "locked").chmod(0o755)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [f"Cannot read {path}: Permission denied." for path in paths]


def test_an_adapter_needs_its_base_model(tmp_path):
    (tmp_path / "adapter_config.json").write_text("{}")
    (tmp_path / "adapter_model.safetensors").write_bytes(safetensors())
    assert "LoRA adapter; it needs its base model" in refused(tmp_path)


def test_weights_without_a_config_say_what_is_missing(folder):
    sentence = refused(folder / "model.safetensors", ModelType.PYTORCH)
    assert "weights only. Put config.json and the tokenizer files beside it" in sentence
    (folder / "config.json").unlink()
    (model,) = discovery.scan(folder).models
    with pytest.raises(ModelLoadError, match=r"Weights only: config\.json"):
        checks.check(model, ModelConfig())


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("{", "is not valid JSON"),
        ("[]", "must be a JSON object, not list"),
        ("[" * 200_000, "is not valid JSON"),
        ("{}", "does not say its model_type"),
        ('{"model_type": 7}', "does not say its model_type"),
    ],
)
def test_a_config_that_is_none_is_refused(folder, content, words):
    (folder / "config.json").write_text(content)
    assert words in refused(folder)


def test_a_config_in_another_encoding_is_refused(folder):
    (folder / "config.json").write_bytes(b'{"model_type": "\xff"}')
    assert "Cannot read" in refused(folder)


@pytest.mark.parametrize("name", [key for key in CONFIG if key != "model_type"])
@pytest.mark.parametrize("value", [0, -1, "12", 1.5, True, [1], 10**12])
def test_numbers_that_no_model_has_are_refused(folder, name, value):
    (folder / "config.json").write_text(json.dumps({**CONFIG, name: value}))
    assert refused(folder).startswith(f"config.json: {name} is {value!r}; it must be ")


def test_a_million_layers_are_refused(folder):
    (folder / "config.json").write_text(json.dumps({**CONFIG, "num_hidden_layers": 10**6}))
    assert "num_hidden_layers is 1000000; it must be 1 to 10000." in refused(folder)


def test_code_of_its_own_needs_consent(folder):
    own = {**CONFIG, "auto_map": {"AutoModelForCausalLM": "evil.Model"}}
    (folder / "config.json").write_text(json.dumps(own))
    assert "needs Python code of its own" in refused(folder)
    passes(folder, ModelType.PYTORCH, ModelConfig(trust_remote_code=True))


@pytest.mark.parametrize("name", ["_attn_implementation", "attn_implementation"])
def test_code_from_the_internet_is_refused(folder, name):
    (folder / "config.json").write_text(json.dumps({**CONFIG, name: "attacker/kernel"}))
    assert "code from the internet (attacker/kernel); refused" in refused(folder)
    assert "refused" in refused(folder, config=ModelConfig(trust_remote_code=True))
    (folder / "config.json").write_text(json.dumps({**CONFIG, name: "sdpa"}))
    passes(folder, ModelType.PYTORCH)


@pytest.mark.parametrize("shard", ["../../x.safetensors", "/etc/passwd", "a/b.safetensors", ".."])
def test_a_shard_outside_the_folder_is_refused(folder, shard):
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"w": shard}}))
    assert "leaves the folder; refused." in refused(folder)


def test_a_missing_shard_is_named(folder):
    shards = {"a": "model.safetensors", "b": "model-2.safetensors"}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": shards}))
    assert "model-2.safetensors is missing (1 of 2 shards)" in refused(folder)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"quant_method": "exl2", "bits": 4.0}, "ExLlamaV2 runs it"),
        ({"group_size": 64, "bits": 4}, "mlx-lm runs it"),
    ],
)
def test_weights_for_another_program_are_refused_with_its_name(folder, settings, words):
    content = {**CONFIG, "quantization_config": settings}
    (folder / "config.json").write_text(json.dumps(content))
    assert words in refused(folder)


def test_left_over_files_are_not_checked(folder):
    (folder / "consolidated.safetensors").write_bytes(b"damaged")
    (folder / "gone.safetensors").symlink_to("nowhere")
    shards = json.dumps({"weight_map": {"a": "pytorch_model-1.bin"}})
    (folder / "pytorch_model.bin.index.json").write_text(shards)
    passes(folder, ModelType.PYTORCH)


def test_shards_without_their_index_are_told(folder):
    (folder / "model.safetensors").rename(folder / "model-00001-of-00001.safetensors")
    (folder / "pytorch_model.bin").write_bytes(b"PK")
    assert "put their index file beside them" in refused(folder)


@pytest.mark.parametrize(
    "content", ["{", "[]", "{}", '{"weight_map": []}', '{"weight_map": {"a": []}}']
)
def test_a_damaged_index_of_shards_is_refused(folder, content):
    (folder / "model.safetensors.index.json").write_text(content)
    assert "is no valid index of shards" in refused(folder)


def test_a_config_without_weights(folder):
    (folder / "model.safetensors").unlink()
    assert "has a config.json but no weights" in refused(folder)


def test_a_problem_of_discovery_is_the_refusal(tmp_path):
    (tmp_path / "m.gguf").write_bytes(GOOD_GGUF)
    model = ModelInfo("", "m", str(tmp_path / "m.gguf"), ModelType.GGUF, 1, {"problem": "Why not."})
    with pytest.raises(ModelLoadError, match=r"Why not\."):
        checks.check(model, ModelConfig())


@pytest.mark.process
def test_a_refusal_stays_in_its_column_and_starts_nothing(tmp_path, echo_model):
    bad = ModelInfo("", "bad", str(tmp_path / "nowhere.gguf"), ModelType.GGUF, 1)
    steps = list(InferenceEngine().run_inference("hello", [bad, echo_model()]))
    refusal, answer = steps[-1].values()
    assert (refusal.state, refusal.error_kind) == (RunState.FAILED, "load")
    assert refusal.error.startswith("No file or folder at")
    assert refusal.stats.end_time is not None
    assert refusal.stats.duration == 0
    assert refusal.stats.tokens_per_second == 0.0
    assert (answer.content, answer.error) == ("hello", None)
