"""What a field for each setting takes, for whoever builds a form of them.

``config.py`` alone judges values; a test holds these bounds against its rules.
"""

from __future__ import annotations

from dataclasses import dataclass

from comparator.core.config import (
    DTYPES,
    KV_CACHE_TYPES,
    LARGEST_CONTEXT_TOKENS,
    LARGEST_SEED,
    MOST_TOKENS,
    PROMPT_FORMATS,
    SAMPLINGS,
    THINKINGS,
)

FOREIGN_CODE = "trust_remote_code"  # lets a model's own code run on this machine
NUMBER, WHOLE, SWITCH, CHOICE = "number", "whole", "switch", "choice"
TEXT, LINES, OBJECT = "text", "lines", "object"
SAMPLING, LENGTH, PROMPT, MACHINE = "sampling", "length", "prompt", "machine"
WITHOUT_A_FIELD = ("pad_token_id", "low_cpu_mem_usage")  # which change nothing in our own engines


@dataclass(frozen=True)
class SettingField:
    """One field of a form.

    Attributes:
        name: the setting's, as in ModelConfig.
        kind: ``number`` or ``whole`` (with range and step), ``switch``, ``choice``, ``text``,
            ``lines`` (a list of texts), ``object`` (names and JSON values).
        group: what it belongs to: ``sampling``, ``length``, ``prompt``, ``machine``.
        low: the smallest value of a number.
        high: the largest value of a number.
        step: by how much a key changes a number.
        choices: the values of a choice.
        may_be_none: whether null is a value of its own.
        is_templates: whether only some chat templates know it.
    """

    name: str
    kind: str
    group: str
    low: float | None = None
    high: float | None = None
    step: float | None = None
    choices: tuple[str, ...] = ()
    may_be_none: bool = False
    is_templates: bool = False


FIELDS = (
    SettingField("sampling", CHOICE, SAMPLING, choices=SAMPLINGS),
    SettingField("do_sample", SWITCH, SAMPLING),
    SettingField("temperature", NUMBER, SAMPLING, 0, 2, 0.1),
    SettingField("top_p", NUMBER, SAMPLING, 0.01, 1, 0.05),
    SettingField("top_k", WHOLE, SAMPLING, 0, 1_000_000, 1),
    SettingField("min_p", NUMBER, SAMPLING, 0, 1, 0.01),
    SettingField("repeat_penalty", NUMBER, SAMPLING, 0.1, 10, 0.05),
    SettingField("seed", WHOLE, SAMPLING, 0, LARGEST_SEED, 1, may_be_none=True),
    SettingField("max_tokens", WHOLE, LENGTH, 1, MOST_TOKENS, 1, may_be_none=True),
    SettingField("n_ctx", WHOLE, LENGTH, 1, LARGEST_CONTEXT_TOKENS, 256, may_be_none=True),
    SettingField("stop", LINES, LENGTH),
    SettingField("eos_token_id", WHOLE, LENGTH, 0, 2**31 - 1, 1, may_be_none=True),
    SettingField("system_prompt", TEXT, PROMPT),
    SettingField("prompt_format", CHOICE, PROMPT, choices=PROMPT_FORMATS),
    SettingField("thinking", CHOICE, PROMPT, choices=THINKINGS, is_templates=True),
    SettingField("reasoning_effort", TEXT, PROMPT, may_be_none=True, is_templates=True),
    SettingField("template_args", OBJECT, PROMPT, is_templates=True),
    SettingField("kv_cache_type", CHOICE, MACHINE, choices=KV_CACHE_TYPES),
    SettingField("torch_dtype", CHOICE, MACHINE, choices=DTYPES),
    SettingField("lora", LINES, MACHINE),
    SettingField("use_gpu", SWITCH, MACHINE),
    SettingField("n_gpu_layers", WHOLE, MACHINE, -1, 100_000, 1, may_be_none=True),
    SettingField("n_threads", WHOLE, MACHINE, 1, 1024, 1, may_be_none=True),
    SettingField(FOREIGN_CODE, SWITCH, MACHINE),
)
