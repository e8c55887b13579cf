"""The models of reliability.md section 4, rows 1 to 37, made on the spot.

``CASES`` is the table: the row's number and what it is, a maker, and what its column must say.
A maker gets a ``Workshop`` and returns the path of the model that it spoiled.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import model_files

WEB_PAGE = b"<!DOCTYPE html><html><body>Sign in to download</body></html>"
LFS_POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 134\n"


@dataclass
class Workshop:
    """A place of one test, with whole models to copy from."""

    place: Path
    whole_folder: Path
    whole_gguf: Path

    def folder(self, name: str = "model") -> Path:
        return Path(shutil.copytree(self.whole_folder, self.place / name))

    def gguf(self, name: str = "model.gguf") -> Path:
        return Path(shutil.copy(self.whole_gguf, self.place / name))

    @property
    def marker(self) -> Path:
        """The file that code in a model would make, if it ran."""
        return self.place / "marker"

    def file(self, name: str, content: bytes) -> Path:
        path = self.place / name
        path.write_bytes(content)
        return path


Maker = Callable[[Workshop], Path]


@dataclass(frozen=True)
class Case:
    """One bad model: its row, how it is made, and a pattern of the sentence it gets."""

    row: int
    what: str
    make: Maker
    says: str
    kind: str = "load"
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return f"{self.row}: {self.what}"


CASES: list[Case] = []


def case(row: int, what: str, says: str, kind: str = "load", **settings: Any) -> Any:
    """Add a maker to the table."""

    def add(make: Maker) -> Maker:
        CASES.append(Case(row, what, make, says, kind, settings))
        return make

    return add


def add(row: int, what: str, make: Maker, says: str, kind: str = "load", **settings: Any) -> None:
    CASES.append(Case(row, what, make, says, kind, settings))


def in_folder(change: Callable[[Path], object]) -> Maker:
    """Make a maker that spoils one thing of a whole folder."""

    def make(shop: Workshop) -> Path:
        folder = shop.folder()
        change(folder)
        return folder

    return make


def with_config(**fields: Any) -> Maker:
    return in_folder(lambda folder: model_files.change_json(folder / "config.json", **fields))


def with_file(name: str, content: bytes) -> Maker:
    return in_folder(lambda folder: (folder / name).write_bytes(content))


def with_header(**numbers: Any) -> Maker:
    return lambda shop: model_files.write_gguf(
        shop.place / "model.gguf", shop.whole_folder, **numbers
    )


def with_tensors(change: Callable[[dict[str, Any]], object]) -> Maker:
    def make(shop: Workshop) -> Path:
        tensors = model_files.gguf_tensors(shop.whole_folder)
        change(tensors)
        return model_files.write_gguf(shop.place / "model.gguf", tensors=tensors)

    return make


def with_weights(change: Callable[[dict[str, Any]], object]) -> Maker:
    def spoil(folder: Path) -> None:
        weights = model_files.weights_of(folder)
        change(weights)
        model_files.write_weights(folder, weights)

    return in_folder(spoil)


# ---- no model at all ----

add(1, "no file", lambda shop: shop.place / "x.gguf", r"No file or folder at /.*/x\.gguf\.")
add(1, "no folder", lambda shop: shop.place / "x", r"No file or folder at /.*/x\.")


@case(2, "an empty folder", r"is empty: no config\.json, no weights, no \.gguf\.")
def _empty_folder(shop: Workshop) -> Path:
    (shop.place / "model").mkdir()
    return shop.place / "model"


for _name, _content, _row, _says in (
    ("nothing", b"", 3, r"is empty \(0 bytes\)\. Download it again\."),
    ("a web page", WEB_PAGE, 4, r"is a web page, not a model \(it starts with '<!DOCTYPE'\)"),
    ("a pointer", LFS_POINTER, 5, r"is a Git LFS pointer \(\d+ bytes\), not the model\. Run git"),
):
    add(_row, f"GGUF: {_name}", lambda shop, c=_content: shop.file("m.gguf", c), _says)
    add(_row, f"safetensors: {_name}", with_file("model.safetensors", _content), _says)

# ---- cut short ----


def _cut(path: Path, kept: float | int) -> Path:
    size = path.stat().st_size
    os.truncate(path, size + kept if kept < 0 else int(size * kept))
    return path


_TENSOR = r"\.gguf is incomplete: its data end before tensor '[\w.]+' does \(\d+ of \d+ bytes\)"
add(6, "half a GGUF", lambda shop: _cut(shop.gguf(), 0.5), _TENSOR)
add(6, "a GGUF one byte short", lambda shop: _cut(shop.gguf(), -1), _TENSOR)
add(6, "a GGUF cut in its header", lambda shop: _cut(shop.gguf(), 0.001), r"ends inside its header")


@case(6, "a shard one byte short", r"m-00002-of-00002\.gguf is incomplete")
def _cut_shard(shop: Workshop) -> Path:
    shutil.copy(shop.whole_gguf, shop.place / "m-00001-of-00002.gguf")
    _cut(shop.gguf("m-00002-of-00002.gguf"), -1)
    return shop.place / "m-00001-of-00002.gguf"


for _kept in (0.5, -1):
    add(
        7,
        f"a safetensors file cut to {_kept}",
        in_folder(lambda folder, kept=_kept: _cut(folder / "model.safetensors", kept)),
        r"model\.safetensors is incomplete: \d+ of \d+ bytes",
    )
    add(
        8,
        f"a PyTorch file cut to {_kept}",
        in_folder(lambda folder, kept=_kept: _cut(model_files.as_pytorch_file(folder), kept)),
        r"pytorch_model\.bin is a damaged or incomplete PyTorch file",
    )

# ---- headers ----


def header(version: int = 3, tensors: int = 0, entries: int = 1, rest: bytes = b"") -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, tensors, entries) + rest


for _what, _content, _row, _says in (
    ("version 99", header(99), 9, r"GGUF version 99; this build reads 2 to 3"),
    ("big endian", b"GGUF" + struct.pack(">IQQ", 3, 0, 0), 9, r"big-endian"),
    ("an old magic", b"ggjt" + bytes(64), 9, r"not a GGUF file"),
    ("2^60 keys", header(entries=2**60), 10, r"header is damaged"),
    ("2^60 tensors", header(tensors=2**60), 10, r"header is damaged"),
    ("a text of 2^62", header(rest=struct.pack("<Q", 2**62)), 10, r"header is damaged"),
):
    add(_row, f"GGUF: {_what}", lambda shop, c=_content: shop.file("m.gguf", c), _says)

# ---- llama.cpp and transformers refuse or die ----

_DEATH = r"SIGABRT.* Its last words: [\w.-]+:\d+: GGML_ASSERT\(.*\) failed|llama\.cpp cannot load"
add(11, "block_count 600", with_header(block_count=600), _DEATH, "load|crashed")
add(11, "block_count 0", with_header(block_count=0), _DEATH, "load|crashed")
_TWICE = [*model_files.vocabulary()[:-1], "a"]
add(12, "a token twice", with_header(tokens=_TWICE), _DEATH, "load|crashed")
add(
    13,
    "a tensor is missing",
    with_tensors(lambda tensors: tensors.pop("blk.0.attn_q.weight")),
    r"tensor 'blk\.0\.attn_q\.weight' not found",
)
add(
    13,
    "a tensor of another shape",
    with_tensors(lambda t: t.update({"blk.0.attn_q.weight": t["blk.0.attn_k.weight"]})),
    r"tensor 'blk\.0\.attn_q\.weight' has wrong shape",
)
add(
    13,
    "head_count 0",
    with_header(head_count=0),
    r"tensor 'blk\.0\.attn_q\.weight' has wrong shape|SIGFPE|SIGABRT",
    "load|crashed",
)
add(
    14,
    "an unknown architecture in GGUF",
    with_header(architecture="frobnicator"),
    r"'frobnicator' of .* is not known to llama\.cpp .*\d\)\. A newer version may know it",
)
add(
    14,
    "an unknown architecture in config.json",
    with_config(model_type="frobnicator"),
    r"'frobnicator' of config\.json is not known to transformers \d.* may know it",
)

# ---- files that are none ----


def _pipe(path: Path) -> Path:
    os.mkfifo(path)
    return path


def _socket(path: Path) -> Path:
    here = os.getcwd()
    os.chdir(path.parent)  # the path of a socket may have 107 characters
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind(path.name)
    finally:
        os.chdir(here)
    return path


def _link(path: Path, target: str) -> Path:
    path.symlink_to(target)
    return path


def _replaced(path: Path, make: Callable[[Path], Path]) -> Path:
    path.unlink()
    return make(path)


_NO_FILE = r"is not a regular file\."
add(15, "a pipe", lambda shop: _pipe(shop.place / "m.gguf"), _NO_FILE)
add(15, "a socket", lambda shop: _socket(shop.place / "m.gguf"), _NO_FILE)
add(15, "a device", lambda shop: _link(shop.place / "m.gguf", "/dev/zero"), _NO_FILE)
add(
    15,
    "a file of /proc",
    lambda shop: _link(shop.place / "m.gguf", "/proc/self/status"),
    r"empty \(0 bytes\)|not a GGUF file",
)
add(
    15,
    "a pipe in a folder",
    in_folder(lambda folder: _replaced(folder / "model.safetensors", _pipe)),
    r"model\.safetensors is not a regular file\.",
)


@case(16, "a folder named x.gguf", r"x\.gguf is a folder, not a \.gguf file\.")
def _folder_like_a_file(shop: Workshop) -> Path:
    (shop.place / "x.gguf").mkdir()
    return shop.place / "x.gguf"


add(17, "a loop of links", lambda shop: _link(shop.place / "x.gguf", "x.gguf"), r"Too many levels")
add(
    17,
    "a loop of links in a folder",
    in_folder(lambda f: _replaced(f / "model.safetensors", lambda p: _link(p, p.name))),
    r"Cannot read .*model\.safetensors: Too many levels",
)

# ---- more or other than weights ----


class Bomb:
    """Makes a file where it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = str(marker)

    def __reduce__(self) -> Any:
        return os.system, (f"touch '{self.marker}'",)


def bomb_maker(name: str, *, archive: bool) -> Maker:
    """Make a maker that replaces the weights by a pickle that runs a command."""

    def make(shop: Workshop) -> Path:
        import pickle

        import torch

        folder = shop.folder()
        (folder / "model.safetensors").unlink()
        bomb = {"lm_head.weight": Bomb(shop.marker)}
        if archive:
            torch.save(bomb, folder / name)
        else:
            (folder / name).write_bytes(pickle.dumps(bomb, protocol=2))
        return folder

    return make


_REFUSED_CODE = r"Refused: .*Python objects \((posix|os)\.system\), not only weights"
add(18, "a bomb in an archive", bomb_maker("pytorch_model.bin", archive=True), _REFUSED_CODE)
add(18, "a bomb in a bare pickle", bomb_maker("pytorch_model.bin", archive=False), _REFUSED_CODE)
for _name in ("model.pt", "model.pth"):
    add(
        18,
        f"a bomb in {_name}",
        bomb_maker(_name, archive=True),
        rf"Weights named {_name} are not read by transformers\. Rename",
    )


@case(19, "a whole module", r"Refused: .*Python objects \([\w.]+\), not only weights")
def _module(shop: Workshop) -> Path:
    import torch

    folder = shop.folder()
    (folder / "model.safetensors").unlink()
    torch.save(torch.nn.Linear(2, 2), folder / "pytorch_model.bin")
    return folder


@case(19, "a TorchScript program", r"Refused: .*TorchScript program; only weights are accepted")
def _script(shop: Workshop) -> Path:
    """Written by hand: torch.jit.script is on its way out."""
    import zipfile

    folder = shop.folder()
    (folder / "model.safetensors").unlink()
    with zipfile.ZipFile(folder / "pytorch_model.bin", "w") as archive:
        archive.writestr("model/data.pkl", b"\x80\x02}.")
        archive.writestr("model/constants.pkl", b"\x80\x02).")
        archive.writestr("model/version", b"3\n")
        archive.writestr("model/code/__torch__.py", b"class M(Module):\n  pass\n")
    return folder


@case(20, "safetensors named .bin", r"is named \.bin but is safetensors\. Rename it to")
def _renamed(shop: Workshop) -> Path:
    folder = shop.folder()
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    return folder


@case(20, "a PyTorch file named .safetensors", r"is named \.safetensors but is a PyTorch file")
def _renamed_back(shop: Workshop) -> Path:
    folder = shop.folder()
    model_files.as_pytorch_file(folder).rename(folder / "model.safetensors")
    return folder


# ---- other weights than config.json means ----


@case(21, "a training checkpoint", r"(\d+) of \1 weights of .* are missing.*noise")
def _checkpoint(shop: Workshop) -> Path:
    import torch

    folder = shop.folder()
    weights = model_files.weights_of(folder)
    (folder / "model.safetensors").unlink()
    state = {"model": weights, "optimizer": {"state": {}, "lr": 0.1}, "epoch": 3}
    torch.save(state, folder / "pytorch_model.bin")
    return folder


@case(21, "a checkpoint with prefixed names", r"(\d+) of \1 weights .*training checkpoint.*noise")
def _prefixed(shop: Workshop) -> Path:
    folder = shop.folder()
    weights = model_files.weights_of(folder)
    renamed = {f"module.{name.replace('.', '_')}": value for name, value in weights.items()}
    model_files.write_weights(folder, {**renamed, "optimizer.lr": value_of(weights)})
    return folder


def value_of(weights: Mapping[str, Any]) -> Any:
    return next(iter(weights.values())).clone()


_LAYER = "model.layers.1.self_attn.q_proj.weight"
add(
    22,
    "one layer is missing",
    with_weights(lambda weights: weights.pop(_LAYER)),
    rf"1 of \d+ weights of .* is missing .*{re.escape(_LAYER)}.*noise",
)
add(
    22,
    "one layer of another shape",
    with_weights(lambda weights: weights.update({_LAYER: weights[_LAYER][:8].clone()})),
    rf"1 weights of .* another shape .* is {re.escape(_LAYER)} \(\[8, 32\] in place of \[32, 32\]",
)
add(
    23,
    "config.json says GPT-2",
    with_config(model_type="gpt2", architectures=["GPT2LMHeadModel"], n_embd=32, n_head=4),
    r"weights of .* are missing .*config\.json says gpt2",
)
add(
    23,
    "config.json says BERT",
    with_config(model_type="bert", architectures=["LlamaForCausalLM"]),
    r"weights of .* are missing .*config\.json says bert",
)


@case(24, "an adapter alone", r"LoRA adapter; it needs its base model \(somebody/base\)")
def _adapter(shop: Workshop) -> Path:
    folder = shop.folder()
    (folder / "config.json").unlink()
    (folder / "model.safetensors").rename(folder / "adapter_model.safetensors")
    config = json.dumps({"base_model_name_or_path": "somebody/base"})
    (folder / "adapter_config.json").write_text(config)
    return folder


add(
    25,
    "weights without a config.json",
    lambda shop: shop.folder() / "model.safetensors",
    r"weights only\. Put config\.json and the tokenizer files beside it",
)

# ---- config.json and the index ----

add(26, "invalid JSON", with_file("config.json", b'{"model_type": '), r"is not valid JSON")
add(26, "a list", with_file("config.json", b"[]"), r"must be a JSON object, not list")
add(
    26,
    "no heads",
    with_config(num_attention_heads=0),
    r"config\.json: num_attention_heads is 0; it must be 1 to",
)
add(26, "a text", with_config(hidden_size="big"), r"hidden_size is 'big'; it must be a number")
add(26, "negative", with_config(num_hidden_layers=-2), r"num_hidden_layers is -2; it must be 1")
add(
    26,
    "a text for a fraction",
    with_config(rms_norm_eps="much"),
    r"cannot load config\.json: .*'rms_norm_eps': .*",
)
add(
    26,
    "heads that do not divide",
    with_config(num_attention_heads=5, head_dim=None),
    r"cannot load config\.json: .*not a multiple of the number of attention heads",
)
add(
    27,
    "a million layers",
    with_config(num_hidden_layers=10**6),
    r"num_hidden_layers is 1000000; it must be 1 to 10000",
)
add(27, "a huge vocabulary", with_config(vocab_size=10**12), r"vocab_size is 10{12}; it must be")


@case(28, "code of its own", r"needs Python code of its own \(evil\.py.*which is not run")
def _own_code(shop: Workshop) -> Path:
    folder = shop.folder()
    model_files.change_json(
        folder / "config.json",
        model_type="evil",
        auto_map={"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"},
    )
    (folder / "evil.py").write_text(f"open({str(shop.marker)!r}, 'w').close()\n")
    return folder


add(
    29,
    "a kernel of the hub",
    with_config(attn_implementation="attacker/kernel"),
    r"asks for code from the internet \(attacker/kernel\); refused",
)
add(
    29,
    "a kernel of the hub, deeper",
    with_config(text_config={"_attn_implementation": "attacker/kernel"}),
    r"asks for code from the internet \(attacker/kernel\); refused",
)


def _index(**shards: str) -> bytes:
    return json.dumps({"metadata": {}, "weight_map": shards}).encode()


add(
    30,
    "a shard outside",
    with_file("model.safetensors.index.json", _index(a="../../outside.safetensors")),
    r"shard name '\.\./\.\./outside\.safetensors' leaves the folder; refused",
)
add(
    30,
    "a missing shard",
    with_file("model.safetensors.index.json", _index(a="model.safetensors", b="m2.safetensors")),
    r"m2\.safetensors is missing \(1 of 2 shards\)",
)

# ---- tokenizers, templates, numbers ----


def _remove(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).unlink(missing_ok=True)


add(
    31,
    "no tokenizer",
    in_folder(lambda folder: _remove(folder, "tokenizer.json", "tokenizer_config.json")),
    r"has no tokenizer \(such as tokenizer\.json\)\. Put the tokenizer files",
)
_DAMAGED = r"The tokenizer file tokenizer\.json of model is damaged: .*Download it again"
add(31, "an invalid tokenizer", with_file("tokenizer.json", b'{"version": '), _DAMAGED)
add(31, "an empty tokenizer", with_file("tokenizer.json", b""), _DAMAGED)


@case(
    31,
    "ids beyond the embedding",
    r"Tokenizer and model do not fit: token 256, embedding 100\.",
    "inference",
)
def _small_embedding(shop: Workshop) -> Path:
    folder = shop.folder()
    weights = model_files.weights_of(folder)
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        weights[name] = weights[name][:100].clone()
    model_files.write_weights(folder, weights)
    fields = {"vocab_size": 100, "bos_token_id": 1, "eos_token_id": 2}
    model_files.change_json(folder / "config.json", **fields)
    model_files.change_json(folder / "generation_config.json", **fields)
    return folder


@case(32, "a catastrophic expression", r"tokenizer failed on this text", "inference")
def _catastrophe(shop: Workshop) -> Path:
    folder = shop.folder()
    content = json.loads((folder / "tokenizer.json").read_text())
    slow = {
        "type": "Split",
        "pattern": {"Regex": "(a+)+$"},
        "behavior": "Isolated",
        "invert": False,
    }
    content["pre_tokenizer"] = {
        "type": "Sequence",
        "pretokenizers": [slow, content["pre_tokenizer"]],
    }
    (folder / "tokenizer.json").write_text(json.dumps(content))
    return folder


def template_maker(source: str, engine: str) -> Maker:
    def make(shop: Workshop) -> Path:
        if engine == "gguf":
            place = shop.place / "model.gguf"
            return model_files.write_gguf(place, shop.whole_folder, template=source)
        folder = shop.folder()
        model_files.write_tokenizer(folder, template=source)
        return folder

    return make


TEMPLATES = {
    "an argument that nobody gave": (33, "{{ tool_prompt + 'x' }}", r"'tool_prompt' is undefined"),
    "a syntax error": (33, "{% for %}", r"chat template fails \(TemplateSyntaxError"),
    "raises": (33, "{{ raise_exception('no') }}", r"chat template fails \(TemplateError: no\)"),
    "classes": (
        34,
        "{{ ''.__class__.__mro__[1].__subclasses__() }}",
        r"chat template tried something forbidden.*refused",
    ),
    "globals": (
        34,
        "{{ raise_exception.__globals__['__builtins__'] }}",
        r"chat template tried something forbidden.*refused",
    ),
    "a change of its input": (
        34,
        "{{ messages.append(1) }}",
        r"chat template tried something forbidden.*refused",
    ),
    "10^10 characters": (35, "{{ 'A' * 9999999999 }}", r"chat template used too much memory"),
    "a doubling text": (
        35,
        "{% set n = namespace(t='A') %}{% for i in range(60) %}{% set n.t = n.t ~ n.t %}"
        "{% endfor %}{{ n.t }}",
        r"chat template used too much memory",
    ),
    "a long text": (
        35,
        "{% for i in range(99) %}{{ 'A' * 200000 }}{% endfor %}",
        r"chat template makes a prompt of \d+ bytes; the limit is",
    ),
}
for _engine in ("gguf", "pytorch"):
    add(
        33,
        f"{_engine} template: the question dropped",
        template_maker("user: {{ 'hi' }}", _engine),
        r"leaves out message 1 \(user\)",
        "refused",
    )
for _what, (_row, _source, _says) in TEMPLATES.items():
    for _engine in ("gguf", "pytorch"):
        add(
            _row,
            f"{_engine} template: {_what}",
            template_maker(_source, _engine),
            _says,
            "inference",
        )

ENDLESS = "{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}"


def _nan(tensors: dict[str, Any]) -> None:
    name = "output_norm.weight" if "output_norm.weight" in tensors else "model.norm.weight"
    tensors[name] = tensors[name] * float("nan")


add(
    36,
    "NaN in GGUF",
    with_tensors(_nan),
    r"The model computes NaN: the file is damaged",
    "inference",
)
add(36, "NaN in safetensors", with_weights(_nan), r"The model computes NaN", "inference")

# ---- memory ----

add(
    37,
    "a context beyond the memory",
    with_header(context_length=2**30, head_count_kv=4, block_count=400),
    r"Cannot run: needs about [\d.]+ GB, [\d.]+ GB is free\. Choose a smaller",
    "refused",
    n_ctx=16_777_216,
)
