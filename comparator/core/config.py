"""The settings of one model's run, and the file in which a person keeps them."""

from __future__ import annotations

import difflib
import hashlib
import json
import math
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from comparator.core.atomic_file import write_atomically
from comparator.core.exceptions import ConfigurationError
from comparator.core.lora import LARGEST_SCALE, is_adapter_text
from comparator.core.text import without_surrogates

DTYPES = ("auto", "bfloat16", "float16", "float32")
PROMPT_FORMATS = ("auto", "chat", "plain")
SAMPLINGS = ("given", "maker")
THINKINGS = ("auto", "on", "off")
KV_CACHE_TYPES = ("f16", "q8_0", "q4_0")
MOST_TOKENS = 4096  # of an answer, where their number is given
LARGEST_CONTEXT_TOKENS = 16_777_216
USUAL_CONTEXT_TOKENS = 2048  # also where a model does not say what it was made for
WITHOUT_A_LIMIT = ("max_tokens", "n_ctx")  # settings whose None is a choice and no default
LONGEST_ARGUMENTS_BYTES = 16_384  # of a chat template, as JSON
_DEEPEST_ARGUMENTS = 50  # lists and objects inside one another; some readers of JSON end at 254
LARGEST_SEED = 2**32 - 2  # llama.cpp reads 2**32 - 1 as "choose one at random"

Check = Callable[[Any], bool]


def is_number(value: Any) -> bool:
    """Tell whether a value is a finite number that a float can hold."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # a whole number of more than 308 digits
        return False


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _number_within(low: float, high: float) -> Check:
    return lambda value: is_number(value) and low <= value <= high


def _integer_within(low: int, high: int) -> Check:
    return lambda value: _is_integer(value) and low <= value <= high


def _optional(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _temperature(value: Any) -> bool:
    return is_number(value) and (value == 0 or 0.1 <= value <= 2.0)


def _boolean(value: Any) -> bool:
    return isinstance(value, bool)


def _one_of(choices: tuple[str, ...]) -> Check:
    return lambda value: isinstance(value, str) and value in choices


def _stop_strings(value: Any) -> bool:
    return (
        isinstance(value, (list, tuple))
        and len(value) <= 16
        and all(isinstance(text, str) and 0 < len(text) <= 200 for text in value)
    )


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _word(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"[a-z][a-z_]{0,19}", value) is not None


def _arguments(value: Any) -> bool:
    """Tell whether a value is a mapping of names to what JSON knows."""
    if not isinstance(value, Mapping) or not all(
        isinstance(name, str) and name.isidentifier() for name in value
    ):
        return False
    try:
        length = len(json.dumps(value, allow_nan=False).encode())
    except (TypeError, ValueError, RecursionError):
        return False
    return length <= LONGEST_ARGUMENTS_BYTES and _is_plain(value)


def _is_plain(value: Any, depth: int = 0) -> bool:
    """Tell whether any reader of JSON can take a value: no lone surrogates, 64-bit numbers."""
    if isinstance(value, str):
        return without_surrogates(value) == value
    if isinstance(value, int):
        return -(2**63) <= value < 2**63
    if isinstance(value, Mapping):
        parts = [*value.keys(), *value.values()]
    elif isinstance(value, (list, tuple)):
        parts = list(value)
    else:
        return True
    return depth < _DEEPEST_ARGUMENTS and all(_is_plain(part, depth + 1) for part in parts)


def _adapters(value: Any) -> bool:
    return (
        isinstance(value, (list, tuple))
        and len(value) <= 8
        and all(isinstance(text, str) and is_adapter_text(text) for text in value)
    )


# Field -> (what is accepted, the same in words).
_RULES: dict[str, tuple[Check, str]] = {
    "temperature": (_temperature, "between 0.1 and 2.0, or 0 for greedy"),
    "max_tokens": (
        _optional(_integer_within(1, MOST_TOKENS)),
        f"a whole number between 1 and {MOST_TOKENS}, or null to write until the model ends",
    ),
    "top_p": (
        lambda value: is_number(value) and 0 < value <= 1,
        "greater than 0 and at most 1 (1 turns it off)",
    ),
    "do_sample": (_boolean, "true or false"),
    "pad_token_id": (_optional(_integer_within(0, 2**31 - 1)), "a token id (0 or more) or null"),
    "eos_token_id": (_optional(_integer_within(0, 2**31 - 1)), "a token id (0 or more) or null"),
    "top_k": (_integer_within(0, 1_000_000), "a whole number, 0 or more (0 turns it off)"),
    "repeat_penalty": (_number_within(0.1, 10.0), "between 0.1 and 10 (1 turns it off)"),
    "n_ctx": (
        _optional(_integer_within(1, LARGEST_CONTEXT_TOKENS)),
        f"a number of tokens between 1 and {LARGEST_CONTEXT_TOKENS}, or null for what fits",
    ),
    "n_threads": (_optional(_integer_within(1, 1024)), "a number of threads (1 to 1024) or null"),
    "use_gpu": (_boolean, "true or false"),
    "low_cpu_mem_usage": (_boolean, "true or false"),
    "torch_dtype": (_one_of(DTYPES), f"one of {', '.join(DTYPES)}"),
    "min_p": (_number_within(0.0, 1.0), "between 0 and 1 (0 turns it off)"),
    "seed": (_optional(_integer_within(0, LARGEST_SEED)), f"between 0 and {LARGEST_SEED}, or null"),
    "stop": (_stop_strings, "a list of at most 16 texts of 1 to 200 characters"),
    "system_prompt": (_text, "text"),
    "prompt_format": (_one_of(PROMPT_FORMATS), f"one of {', '.join(PROMPT_FORMATS)}"),
    "n_gpu_layers": (_optional(_integer_within(-1, 100_000)), "-1 (all), 0 or more, or null"),
    "trust_remote_code": (_boolean, "true or false"),
    "sampling": (_one_of(SAMPLINGS), f"one of {', '.join(SAMPLINGS)}"),
    "thinking": (_one_of(THINKINGS), f"one of {', '.join(THINKINGS)}"),
    "reasoning_effort": (_optional(_word), "a word that the template knows (low), or null"),
    "template_args": (
        _arguments,
        f"an object of names and JSON values, {LONGEST_ARGUMENTS_BYTES} bytes at the most",
    ),
    "kv_cache_type": (_one_of(KV_CACHE_TYPES), f"one of {', '.join(KV_CACHE_TYPES)}"),
    "lora": (
        _adapters,
        f"a list of at most 8 adapters, each PATH or PATH:SCALE (up to {LARGEST_SCALE})",
    ),
}


@dataclass
class ModelConfig:
    """How one model is asked. Every value reaches both engines and means the same in both.

    Attributes:
        temperature: 0.1 to 2.0, or 0 for greedy.
        max_tokens: tokens to generate at the most, 1 to 4096; None writes until the model ends or
            its context is full.
        top_p: nucleus sampling, over 0 to 1; 1 turns it off.
        do_sample: False is greedy: the likeliest token each time.
        pad_token_id: token id or None; for inferencers of your own: one prompt at a time, as
            the built-in engines run it, is never padded.
        eos_token_id: a further token id that ends the answer, or None.
        top_k: keep the k likeliest tokens, 0 or more; 0 turns it off.
        repeat_penalty: 0.1 to 10 over the last 64 tokens; 1 turns it off.
        n_ctx: context in tokens, 1 to 16777216; a model's own limit may be lower. None takes as
            much as the model was made for and the memory has room for.
        n_threads: CPU threads, 1 to 1024; None takes the free physical cores.
        use_gpu: use the accelerator where there is one.
        low_cpu_mem_usage: load weights without a second copy in RAM; transformers 5 always does.
        torch_dtype: ``auto``, ``bfloat16``, ``float16`` or ``float32`` (transformers models).
        min_p: drop tokens less likely than min_p times the likeliest, 0 to 1; 0 turns it off.
        seed: 0 to 4294967294 makes a run repeatable; None takes a new one each time, which the
            record of the run tells.
        stop: at most 16 texts that end the answer and are not part of it.
        system_prompt: what the model is told before the prompt; empty for none.
        prompt_format: ``auto`` (the model's chat template where it has one), ``chat``, ``plain``.
        n_gpu_layers: layers on the accelerator (GGUF), -1 is all; None takes what fits there.
        trust_remote_code: run Python code that comes with the model. Off unless you turn it on.
        sampling: ``given`` takes the values above, ``maker`` those that the model's maker advises
            wherever it names them (``general.sampling.*`` of a GGUF, ``generation_config.json``).
        thinking: ``on`` or ``off`` where the chat template knows it; ``auto`` leaves it to it.
        reasoning_effort: a word for the chat template, such as ``low``; None says nothing.
        template_args: further arguments of the chat template, by name.
        kv_cache_type: number format of the KV cache (GGUF): ``f16``, ``q8_0`` or ``q4_0``.
        lora: adapters on the model, each a path or ``PATH:SCALE``.
    """

    temperature: float = 0.7
    max_tokens: int | None = 512
    top_p: float = 0.9
    do_sample: bool = True
    pad_token_id: int | None = None
    eos_token_id: int | None = None
    top_k: int = 40
    repeat_penalty: float = 1.1
    n_ctx: int | None = USUAL_CONTEXT_TOKENS
    n_threads: int | None = None
    use_gpu: bool = True
    low_cpu_mem_usage: bool = True
    torch_dtype: str = "auto"
    min_p: float = 0.0
    seed: int | None = None
    stop: list[str] = field(default_factory=list)
    system_prompt: str = ""
    prompt_format: str = "auto"
    n_gpu_layers: int | None = None
    trust_remote_code: bool = False
    sampling: str = "given"
    thinking: str = "auto"
    reasoning_effort: str | None = None
    template_args: dict[str, Any] = field(default_factory=dict)
    kv_cache_type: str = "f16"
    lora: list[str] = field(default_factory=list)

    def validate(self) -> None:
        """Check every field.

        Raises:
            ConfigurationError: names the first field that is unknown or out of its range.
        """
        _refuse_unknown(vars(self))
        for name, (accepts, words) in _RULES.items():
            value = getattr(self, name)
            if not accepts(value):
                raise ConfigurationError(f"{name} must be {words}, not {_shown(value)}.")

    @property
    def is_greedy(self) -> bool:
        """Whether the likeliest token is taken each time."""
        return not self.do_sample or self.temperature == 0

    def with_seed(self) -> ModelConfig:
        """Return a copy with a seed: the one given, or one that is drawn now."""
        drawn = secrets.randbelow(LARGEST_SEED + 1) if self.seed is None else self.seed
        return replace(self, seed=drawn)

    @classmethod
    def of(cls, values: Mapping[str, Any] | ModelConfig) -> ModelConfig:
        """Return the settings that an inferencer is given, as they are: nothing is checked.

        What is missing is as by default, and so is None but for ``max_tokens`` and ``n_ctx``, where
        it means something. Names that are no setting are left out, since an inferencer of one's
        own may be told more than these.
        """
        if isinstance(values, ModelConfig):
            return values
        known = {
            name: values[name]
            for name in _RULES
            if name in values and (values[name] is not None or name in WITHOUT_A_LIMIT)
        }
        return cls(**known)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ModelConfig:
        """Make a checked configuration from a mapping such as parsed JSON.

        Raises:
            ConfigurationError: an unknown key, by name, or a value out of range.
        """
        if not isinstance(values, Mapping):
            raise ConfigurationError(f"Settings must be a mapping, not {_shown(values)}.")
        _refuse_unknown(values)
        config = cls(**values)
        config.validate()
        return config


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _refuse_unknown(names: Mapping[str, Any]) -> None:
    for name in names:
        if name not in _RULES:
            near = difflib.get_close_matches(str(name), _RULES, n=1)
            hint = f" Did you mean {near[0]}?" if near else f" Known: {', '.join(_RULES)}."
            raise ConfigurationError(f"Unknown setting {_shown(name)}.{hint}")


class ConfigManager:
    """Keeps one configuration per model id in a JSON file, and never loses one.

    A file that cannot be read is reported, copied beside itself under a name that ends in
    ``.broken-`` and eight digits, and stays as it is until something is saved.
    """

    def __init__(self, config_path: str = "~/.multi_llm_comparator/config.json") -> None:
        self.config_path = Path(config_path).expanduser()

    def load_config(self) -> dict[str, ModelConfig]:
        """Return the saved configurations, by model id; empty where there is no file.

        Raises:
            ConfigurationError: the file is not readable, not JSON, or has wrong settings.
        """
        try:
            text = self.config_path.read_text(encoding="utf-8")
        except FileNotFoundError:
            return {}
        except (OSError, UnicodeDecodeError) as error:
            raise self._broken(f"it cannot be read ({error})") from error
        try:
            return self._parse(text)
        except (ValueError, RecursionError) as error:
            raise self._broken(str(error)) from error

    def save_config(self, configs: Mapping[str, ModelConfig]) -> None:
        """Write all configurations at once; after a crash the old or the new file is whole.

        Raises:
            ConfigurationError: a configuration is wrong, or the file cannot be written.
        """
        for config in configs.values():
            config.validate()
        data = {model_id: asdict(config) for model_id, config in configs.items()}
        text = json.dumps(data, indent=2, ensure_ascii=_has_surrogates(data))
        try:
            self._keep_aside_if_broken()
            write_atomically(self.config_path, text)
        except OSError as error:
            raise ConfigurationError(
                f"The settings could not be saved to {self.config_path}: "
                f"{error.strerror or error}. "
                "Free some space or choose a folder that you may write to."
            ) from error

    @staticmethod
    def _parse(text: str) -> dict[str, ModelConfig]:
        data = json.loads(text)
        if not isinstance(data, dict):
            raise ConfigurationError("it must be an object of settings by model id")
        configs = {}
        for model_id, values in data.items():
            try:
                configs[model_id] = ModelConfig.from_dict(values)
            except ConfigurationError as error:
                raise ConfigurationError(f"model {model_id}: {error}") from error
        return configs

    def _broken(self, reason: str) -> ConfigurationError:
        copy = self._keep_aside()
        kept = f" A copy is kept as {copy}." if copy else ""
        return ConfigurationError(
            f"The settings file {self.config_path} is not usable: {reason}. "
            f"Mend it, or delete it to start afresh.{kept}"
        )

    def _keep_aside_if_broken(self) -> None:
        if not self.config_path.exists():
            return
        try:
            self.load_config()
        except ConfigurationError:
            self._keep_aside()

    def _keep_aside(self) -> Path | None:
        try:
            content = self.config_path.read_bytes()
            mark = hashlib.sha256(content).hexdigest()[:8]
            copy = self.config_path.with_name(f"{self.config_path.name}.broken-{mark}")
            if not copy.exists():
                write_atomically(copy, content)
        except OSError:
            return None
        return copy


def _has_surrogates(data: Any) -> bool:
    """Tell whether UTF-8 cannot carry some text of the data, such as a name from the disk."""
    try:
        json.dumps(data, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    return False
