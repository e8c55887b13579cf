"""What makes two answers those of one configuration, and what makes them two."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from comparator.core.exceptions import ModelNotFoundError
from comparator.evaluation.configuration import adapters_of, configuration_of


def _digest(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None


def _gguf(path: Path, content: bytes = b"weights") -> dict[str, Any]:
    path.write_bytes(content)
    return {"name": path.stem, "model_type": "gguf", "path": str(path), "size": len(content)}


def test_a_model_is_known_by_its_content_and_not_by_its_name(tmp_path: Path) -> None:
    one, copy = _gguf(tmp_path / "one.gguf"), _gguf(tmp_path / "copy.gguf")
    other = _gguf(tmp_path / "other.gguf", b"changed")
    assert configuration_of(one, {}, _digest) == configuration_of(copy, {}, _digest)
    assert configuration_of(one, {}, _digest) != configuration_of(other, {}, _digest)


def test_a_seed_is_none_of_it_and_other_settings_are(tmp_path: Path) -> None:
    model = _gguf(tmp_path / "one.gguf")
    told = {"seed": 1, "temperature": 0.5}
    assert configuration_of(model, told, _digest) == configuration_of(
        model, {**told, "seed": 2}, _digest
    )
    assert configuration_of(model, told, _digest) != configuration_of(
        model, {**told, "temperature": 0.6}, _digest
    )


def test_a_batch_is_part_of_it(tmp_path: Path) -> None:
    model = _gguf(tmp_path / "one.gguf")
    assert configuration_of(model, {}, _digest, 1) == configuration_of(model, {}, _digest)
    assert configuration_of(model, {}, _digest, 8) != configuration_of(model, {}, _digest)


def test_a_folder_is_its_weights_and_what_stands_beside_them(tmp_path: Path) -> None:
    for name, template in (("a", "one"), ("b", "one"), ("c", "two")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").write_bytes(b"weights")
        (tmp_path / name / "config.json").write_text("{}")
        (tmp_path / name / "chat_template.jinja").write_text(template)
    a, b, c = (
        configuration_of(
            {"name": name, "model_type": "pytorch", "path": str(tmp_path / name), "size": 7},
            {},
            _digest,
        )
        for name in "abc"
    )
    assert a == b != c


def test_a_model_that_is_gone_is_its_name_and_size() -> None:
    gone = {"name": "gone", "model_type": "gguf", "path": "/nowhere/gone.gguf", "size": 3}
    assert configuration_of(gone, {}, _digest) == configuration_of(dict(gone), {}, _digest)
    assert configuration_of(gone, {}, _digest) != configuration_of({**gone, "size": 4}, {}, _digest)


def test_an_adapter_is_known_by_its_content_and_scale_and_not_by_its_name(tmp_path: Path) -> None:
    model = _gguf(tmp_path / "one.gguf")
    for name, content in (("a", b"adapter"), ("copy", b"adapter"), ("other", b"another")):
        (tmp_path / f"{name}.gguf").write_bytes(content)

    def named(adapter: str) -> str:
        return configuration_of(model, {"lora": [str(tmp_path / adapter)]}, _digest)

    first = named("a.gguf")
    assert first == named("copy.gguf") == named("a.gguf:1.0")
    assert len({first, named("other.gguf"), named("a.gguf:0.5"), named("gone.gguf")}) == 4
    (tmp_path / "a.gguf").write_bytes(b"trained anew")
    assert named("a.gguf") != first
    assert configuration_of(model, {"lora": []}, _digest) != first


def test_an_adapter_by_its_name_in_the_library_is_that_by_its_path(tmp_path: Path) -> None:
    model, place = _gguf(tmp_path / "one.gguf"), tmp_path / "folder"
    place.mkdir()
    (place / "adapter_config.json").write_text("{}")
    (place / "adapter_model.safetensors").write_bytes(b"adapter")

    def look_up(name: str) -> str:
        if name != "mine":
            raise ModelNotFoundError("It is not there.")
        return str(place)

    model["model_type"] = "pytorch"
    by_path = configuration_of(model, {"lora": [f"{place}:0.5"]}, _digest)
    config = {"lora": ["mine:0.5"]}
    adapters = adapters_of(config, look_up)
    assert configuration_of(model, config, _digest, adapters=adapters) == by_path
    assert adapters_of({"lora": ["gone:2.0", "x"]}, look_up) == ["gone:2.0", "x"]
    (place / "adapter_model.safetensors").write_bytes(b"another")
    assert configuration_of(model, config, _digest, adapters=adapters) != by_path
