"""Which engine runs which kind of model, and which function does which job on files.

Adding an engine: 1. a class in ``runners/engines/`` that subclasses
BaseInferencer; 2. a line in ENGINES; 3. run the contract tests over it. Nothing is imported
here: names are resolved in the child process.
"""

from __future__ import annotations

import difflib
import importlib
import importlib.util
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from comparator.core.exceptions import ConfigurationError, EngineMissingError, ModelLoadError
from runners.base import BaseInferencer

CHOICE = "COMPARATOR_GGUF_ENGINE"

# What an engine is tried with on a machine, from the best to the safest. The keys are those of
# its trial job and of ``BaseInferencer.verdict``; None is left to the trial to choose.
Levels = tuple[Mapping[str, Any], ...]
GGUF_LEVELS: Levels = (
    {"use_extra_bufts": True, "flash_attention": "auto", "threads": None},
    {"use_extra_bufts": False, "flash_attention": "auto", "threads": None},
    {"use_extra_bufts": False, "flash_attention": "off", "threads": None},
)
PYTORCH_LEVELS: Levels = (
    {
        "one_row_onednn": None,
        "onednn": True,
        "auto_dtype": {"bfloat16": None, "float16": None},
        "threads": None,
    },
    {
        "one_row_onednn": False,
        "onednn": False,
        "auto_dtype": {"bfloat16": None, "float16": None},
        "threads": None,
    },
    {
        "one_row_onednn": False,
        "onednn": False,
        "auto_dtype": {"bfloat16": "float32", "float16": "float32"},
        "threads": None,
    },
)


@dataclass(frozen=True)
class Engine:
    """How an engine is found.

    Attributes:
        inferencer: ``module:Class``.
        warm_modules: imported once in its fork server; nothing in them may run an operation.
        requires: the import names that must be installed.
        install: the command that installs them.
        instead: an engine of the same kind for where these libraries are not installed.
        trial: the settings that it is tried with on a machine, from the best to the safest;
            empty for an engine that needs no trial.
    """

    inferencer: str
    warm_modules: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    install: str = ""
    instead: Engine | None = None
    trial: Levels = ()

    @property
    def library(self) -> str:
        """The import name of the library that answers; empty for an engine without one."""
        return self.requires[0] if self.requires else ""


ENGINES: dict[str, Engine] = {
    "echo": Engine("runners.engines.echo_inferencer:EchoInferencer"),
    "gguf": Engine(
        "runners.engines.gguf.inferencer:GGUFInferencer",
        warm_modules=(
            "runners.engines.gguf.warm",
            "jinja2.sandbox",
            "numpy",
            "runners.engines.gguf.inferencer",
        ),
        requires=("llama_cpp",),
        install='pip install "llama-cpp-python>=0.3.36,<0.4"',
        trial=GGUF_LEVELS,
        instead=Engine(
            "runners.engines.gguf.xllamacpp_inferencer:XllamacppInferencer",
            warm_modules=(
                "jinja2.sandbox",
                "numpy",
                "runners.engines.gguf.xllamacpp_inferencer",
            ),
            requires=("xllamacpp",),
            install='pip install "xllamacpp>=2026.10.11549,<2026.11"',
            trial=GGUF_LEVELS,
        ),
    ),
    "pytorch": Engine(
        "runners.engines.pytorch.inferencer:PyTorchInferencer",
        warm_modules=(
            "torch",
            "transformers",
            "transformers.models.auto.modeling_auto",
            "transformers.models.auto.tokenization_auto",
            "transformers.generation",
            "transformers.modeling_utils",  # what the code of every model leans on: 2 s
            "safetensors.torch",
            "runners.engines.pytorch.inferencer",
        ),
        requires=("torch", "transformers"),
        install='pip install "torch>=2.10,<3" "transformers>=5.17,<5.25"',
        trial=PYTORCH_LEVELS,
    ),
}

# Work that is done in a child process beside answering: name -> "module:function".
JOBS: dict[str, str] = {
    "count_echo": "runners.child.counting:run",
    "count_gguf": "runners.child.counting:run",
    "count_pytorch": "runners.child.counting:run",
    "dequantize": "runners.engines.pytorch.dequantize:dequantize",
    "describe_gguf": "runners.engines.gguf.describe:run",
    "describe_pytorch": "runners.engines.pytorch.describe:run",
    "evaluate_expressions": "runners.child.expressions:run",
    "measure": "runners.engines.gguf.quantize:measure",
    "quantize": "runners.engines.gguf.quantize:quantize",
    "try_gguf": "runners.engines.gguf.trial:run",
    "try_pytorch": "runners.engines.pytorch.trial:run",
}

# A job runs in the fork server of the engine whose libraries it needs.
# Builds of llama.cpp are described from the light one, so that a broken one spoils nothing.
JOB_ENGINES: dict[str, str] = {
    "count_echo": "echo",
    "count_gguf": "gguf",
    "count_pytorch": "pytorch",
    "dequantize": "pytorch",
    "describe_gguf": "echo",
    "describe_pytorch": "pytorch",
    "evaluate_expressions": "echo",
    "measure": "gguf",
    "quantize": "gguf",
    "try_gguf": "gguf",
    "try_pytorch": "pytorch",
}
_OF_LIBRARY = "/"  # "gguf/xllamacpp" is the engine of a kind that runs on this library


def resolve(reference: str) -> Any:
    """Import ``module:name`` and return the object."""
    module, _, name = reference.partition(":")
    return getattr(importlib.import_module(module), name)


def engine(kind: str) -> Engine:
    """Return the engine of a kind; where its libraries are missing, the one that takes its place.

    ``COMPARATOR_GGUF_ENGINE`` (``llama_cpp`` or ``xllamacpp``) decides for GGUF models. A kind
    that ``server_of`` has made means one library, whatever is installed.

    Raises:
        ModelLoadError: no engine of that name; the message lists those there are.
        ConfigurationError: the variable names no such library.
    """
    kind, _, library = kind.partition(_OF_LIBRARY)
    if kind in ENGINES:
        first = ENGINES[kind]
        others = [first.instead] if first.instead else []
        return _named(library, first, *others) if library else _chosen(kind, first)
    near = difflib.get_close_matches(kind, ENGINES, n=1)
    hint = f" Did you mean {near[0]}?" if near else ""
    raise ModelLoadError(f"Unknown engine {kind!r}.{hint} There are: {', '.join(ENGINES)}.")


def _chosen(kind: str, first: Engine) -> Engine:
    if first.instead is None:
        return first
    wanted = os.environ.get(CHOICE) if kind == "gguf" else None
    if wanted:
        return _named(wanted, first, first.instead)
    return first.instead if _missing(first) and not _missing(first.instead) else first


def builds(kind: str) -> Sequence[Engine]:
    """Return the engines of a kind that can run here, the one to be used first.

    One alone where ``COMPARATOR_GGUF_ENGINE`` names it; none where nothing is installed.

    Raises:
        ModelLoadError: no engine of that name.
        ConfigurationError: the variable names no such library.
    """
    first = engine(kind)
    is_pinned = kind == "gguf" and bool(os.environ.get(CHOICE))
    others = [] if is_pinned else [ENGINES[kind], ENGINES[kind].instead]
    wanted = [first, *(other for other in others if other is not None and other is not first)]
    return [candidate for candidate in wanted if not _missing(candidate)]


def server_of(kind: str, library: str = "") -> str:
    """Return the name of the fork server for a kind, or for a job, on one of its libraries."""
    kind = JOB_ENGINES.get(kind, kind)
    is_usual = kind not in ENGINES or not library or engine(kind).library == library
    return kind if is_usual else f"{kind}{_OF_LIBRARY}{library}"


def is_known(server: str) -> bool:
    """Whether a fork server of this name has an engine's libraries."""
    return server.partition(_OF_LIBRARY)[0] in ENGINES


def _named(library: str, *engines: Engine) -> Engine:
    for candidate in engines:
        if library in candidate.requires:
            return candidate
    names = " or ".join(name for candidate in engines for name in candidate.requires)
    raise ConfigurationError(f"{CHOICE} is {library!r}; it takes {names}.")


def _missing(candidate: Engine) -> list[str]:
    return [name for name in candidate.requires if importlib.util.find_spec(name) is None]


def missing_requirements(kind: str) -> list[str]:
    """Return the import names that an engine needs and this Python lacks."""
    return _missing(engine(kind))


def check_installed(kind: str) -> None:
    """Refuse an engine whose libraries are not installed.

    Raises:
        EngineMissingError: with the command that installs them.
    """
    missing = missing_requirements(kind)
    if missing:
        chosen = engine(kind)
        other = f", or without a compiler: {chosen.instead.install}" if chosen.instead else ""
        raise EngineMissingError(
            f"The {kind} engine needs {' and '.join(missing)}, which is not installed. "
            f"Install it with: {chosen.install}{other}"
        )


def has_quantiser() -> bool:
    """Whether llama.cpp's quantiser is here: xllamacpp's binary was built without it."""
    return importlib.util.find_spec("llama_cpp") is not None


def check_quantiser() -> None:
    """Refuse to quantise where only xllamacpp, or nothing, is installed.

    Raises:
        EngineMissingError: with the command that installs what is missing.
    """
    if not has_quantiser():
        raise EngineMissingError(
            "Quantisations are made by llama.cpp's quantiser, which comes with llama-cpp-python "
            "alone (xllamacpp runs GGUF models but has none), and that is not installed. Install "
            f"it with: {ENGINES['gguf'].install}"
        )


def create_inferencer(kind: str, library: str = "") -> BaseInferencer:
    """Import an engine's class and return a new instance.

    Args:
        kind: its name.
        library: the one to run on, where there are several; empty for the usual one.

    Raises:
        EngineMissingError: its libraries are not installed.
        ModelLoadError: no engine of that name.
    """
    kind = server_of(kind, library)
    reference = engine(kind).inferencer
    check_installed(kind)
    return cast(BaseInferencer, resolve(reference)())
