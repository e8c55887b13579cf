"""The sampling that a model's maker advises, read without loading the model.

GGUF: ``general.sampling.*``, the names of llama.cpp's llama_model_meta_key_str. Transformers:
``generation_config.json``, the names of GenerationConfig. Ollama: the parameters of a Modelfile.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from comparator.core.config import ModelConfig, is_number
from comparator.core.exceptions import ConfigurationError, ModelLoadError
from comparator.core.models import ModelInfo, ModelType
from comparator.core.text import with_controls_shown
from comparator.formats import gguf_header
from comparator.formats.json_files import read_json
from comparator.library.facts.store import stamp_of

GGUF_BEGINNING = "general.sampling."
GENERATION_CONFIG = "generation_config.json"
# Name there -> ours.
_OF_GGUF = {
    "temp": "temperature", "top_k": "top_k", "top_p": "top_p", "min_p": "min_p",
    "penalty_repeat": "repeat_penalty",
}  # fmt: skip
_OF_TRANSFORMERS = {
    "temperature": "temperature", "top_k": "top_k", "top_p": "top_p", "min_p": "min_p",
    "repetition_penalty": "repeat_penalty", "do_sample": "do_sample",
}  # fmt: skip
_OF_OLLAMA = {name: name for name in ("temperature", "top_k", "top_p", "min_p", "repeat_penalty")}
# What else may be advised, and the values with which it does nothing. Ours has no such setting.
_WITHOUT_EFFECT: Mapping[str, tuple[Any, ...]] = {
    "xtc_probability": (0,), "mirostat": (0,), "penalty_last_n": (64,), "typical_p": (1,),
    "no_repeat_ngram_size": (0,), "num_beams": (1,), "penalty_alpha": (0,), "epsilon_cutoff": (0,),
    "eta_cutoff": (0,), "presence_penalty": (0,), "frequency_penalty": (0,), "repeat_last_n": (64,),
    "tfs_z": (1,),
}  # fmt: skip
_WORDS = {
    "temperature": "temperature", "top_k": "top_k", "top_p": "top_p", "min_p": "min_p",
    "repeat_penalty": "repeat penalty",
}  # fmt: skip
_WHOLE = ("top_k",)


@dataclass(frozen=True)
class MakersSampling:
    """What a maker advises.

    Attributes:
        values: settings of a ModelConfig, by name; only those that the maker names.
        sentences: what is advised besides and is not done, and why.
    """

    values: dict[str, Any] = field(default_factory=dict)
    sentences: tuple[str, ...] = ()


def sampling_of(model: ModelInfo) -> MakersSampling:
    """Return what the maker of a model advises; nothing where its files do not say."""
    own = _of_files(model.path, model.model_type, stamp_of(model))
    parameters = model.config.get("parameters")
    if not isinstance(parameters, Mapping):
        return own
    told = _read(parameters, _OF_OLLAMA, "its parameters in Ollama")
    return MakersSampling({**told.values, **own.values}, (*own.sentences, *told.sentences))


@lru_cache(maxsize=1024)
def _of_files(path: str, kind: ModelType, _stamp: str) -> MakersSampling:
    try:
        if kind is ModelType.GGUF:
            found = gguf_header.read_metadata(path)
            advice = {
                key.removeprefix(GGUF_BEGINNING): value
                for key, value in found.items()
                if key.startswith(GGUF_BEGINNING)
            }
            return _read(advice, _OF_GGUF, "its file")
        if kind is ModelType.PYTORCH and (Path(path) / GENERATION_CONFIG).exists():
            advice = read_json(Path(path) / GENERATION_CONFIG)
            return _read(advice, _OF_TRANSFORMERS, GENERATION_CONFIG)
    except (ModelLoadError, OSError) as error:
        return MakersSampling(sentences=(f"The maker's sampling cannot be read: {error}",))
    return MakersSampling()


def _read(advice: Mapping[str, Any], names: Mapping[str, str], where: str) -> MakersSampling:
    values: dict[str, Any] = {}
    sentences = []
    for name, ours in names.items():
        if advice.get(name) is None:
            continue
        value = _number(ours, advice[name])
        try:
            ModelConfig.from_dict({ours: value})
        except ConfigurationError as error:
            sentences.append(f"What {where} advises as {name} is ignored: {error}")
        else:
            values[ours] = value
    sentences += _not_done(advice, where)
    return MakersSampling(values, tuple(with_controls_shown(said) for said in sentences))


def _number(name: str, value: Any) -> Any:
    """Return a number as people wrote it: a file keeps 0.6 in 32 bits as 0.60000002."""
    if not is_number(value):
        return value
    if name in _WHOLE:
        return int(value) if value == int(value) else value
    return float(f"{value:.7g}")


def _not_done(advice: Mapping[str, Any], where: str) -> Iterator[str]:
    named = [
        name
        for name, nothing in _WITHOUT_EFFECT.items()
        if advice.get(name) is not None and advice[name] not in nothing
    ]
    if named:
        told = ", ".join(named)
        yield f"What {where} advises as {told} is not done here: there is no such setting."


def in_words(values: Mapping[str, Any]) -> str:
    """Return values in a few words: ``temperature 0.6, top_p 0.95``."""
    if values.get("do_sample") is False:
        return "greedy"
    return ", ".join(
        f"{words} {values[name]:g}" for name, words in _WORDS.items() if name in values
    )


def differing(values: Mapping[str, Any], config: ModelConfig) -> dict[str, Any]:
    """Return the values that settings would not send; none where both are greedy."""
    advised = ModelConfig.of(values)
    if advised.is_greedy and config.is_greedy:
        return {}
    return {name: value for name, value in values.items() if getattr(config, name) != value}


def hint(model: ModelInfo, config: ModelConfig) -> str:
    """Return what stands beside a slot whose values are not its maker's; empty where they are."""
    if config.sampling == "maker":
        return ""
    advised = in_words(differing(sampling_of(model).values, config))
    return f"Its maker advises {advised}." if advised else ""


def details(model: ModelInfo) -> list[tuple[str, str]]:
    """Return rows for a model's details, as pairs of a label and a text; empty without advice."""
    found = sampling_of(model)
    text = " ".join(filter(None, (in_words(found.values), *found.sentences)))
    return [("Maker's sampling", text)] if text else []
