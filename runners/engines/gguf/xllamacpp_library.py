"""llama.cpp's C interface inside the prebuilt package xllamacpp, as llama-cpp-python offers it.

xllamacpp itself documents only a server, which opens a port and offers no vocabulary without
weights, no progress and no scores. Its binary also exports llama.h, which is what is bound here:
the functions that the GGUF engine uses, under their own names, so that the same engine runs on
either package. See docs/decisions/0011-llama-cpp-without-a-build.md.
"""

from __future__ import annotations

import ctypes
import importlib.util
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from comparator.core.exceptions import EngineMissingError
from runners.engines.gguf import adapter, binaries

PACKAGE = "xllamacpp"
TESTED_VERSION = "2026.10.11549"
_POINTER, _TEXT, _TOKEN = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int32
_INT, _UINT, _SIZE = ctypes.c_int32, ctypes.c_uint32, ctypes.c_size_t
_FLOAT, _BOOL = ctypes.c_float, ctypes.c_bool
_UNKNOWN_END_BYTES = 128  # room for what a newer llama.cpp appends to a structure

_Progress = ctypes.CFUNCTYPE(_BOOL, _FLOAT, _POINTER)
_Log = ctypes.CFUNCTYPE(None, ctypes.c_int, _TEXT, _POINTER)


class _ModelParameters(ctypes.Structure):
    """llama.h: llama_model_params."""

    _fields_ = (
        ("devices", _POINTER),
        ("tensor_buft_overrides", _POINTER),
        ("n_gpu_layers", _INT),
        ("split_mode", _INT),
        ("load_mode", _INT),
        ("lazy_mode", _INT),
        ("main_gpu", _INT),
        ("tensor_split", _POINTER),
        ("progress_callback", _Progress),
        ("progress_callback_user_data", _POINTER),
        ("kv_overrides", _POINTER),
        ("vocab_only", _BOOL),
        ("check_tensors", _BOOL),
        ("use_extra_bufts", _BOOL),
        ("no_host", _BOOL),
        ("no_alloc", _BOOL),
        ("load_mtp", _BOOL),
        ("unknown_end", ctypes.c_byte * _UNKNOWN_END_BYTES),
    )


class _ContextParameters(ctypes.Structure):
    """llama.h: llama_context_params."""

    _fields_ = (
        ("n_ctx", _UINT),
        ("n_batch", _UINT),
        ("n_ubatch", _UINT),
        ("n_seq_max", _UINT),
        ("n_rs_seq", _UINT),
        ("n_outputs_max", _UINT),
        ("n_outputs_max_per_seq", _UINT),
        ("n_threads", _INT),
        ("n_threads_batch", _INT),
        ("ctx_type", _INT),
        ("rope_scaling_type", _INT),
        ("pooling_type", _INT),
        ("attention_type", _INT),
        ("flash_attn_type", _INT),
        ("rope_freq_base", _FLOAT),
        ("rope_freq_scale", _FLOAT),
        ("yarn_ext_factor", _FLOAT),
        ("yarn_attn_factor", _FLOAT),
        ("yarn_beta_fast", _FLOAT),
        ("yarn_beta_slow", _FLOAT),
        ("yarn_orig_ctx", _UINT),
        ("defrag_thold", _FLOAT),
        ("cb_eval", _POINTER),
        ("cb_eval_user_data", _POINTER),
        ("type_k", _INT),
        ("type_v", _INT),
        ("moe_cache_size", _SIZE),
        ("abort_callback", _POINTER),
        ("abort_callback_data", _POINTER),
        ("embeddings", _BOOL),
        ("offload_kqv", _BOOL),
        ("no_perf", _BOOL),
        ("op_offload", _BOOL),
        ("swa_full", _BOOL),
        ("kv_unified", _BOOL),
        ("samplers", _POINTER),
        ("n_samplers", _SIZE),
        ("ctx_other", _POINTER),
        ("unknown_end", ctypes.c_byte * _UNKNOWN_END_BYTES),
    )


class _Batch(ctypes.Structure):
    """llama.h: llama_batch."""

    _fields_ = (
        ("n_tokens", _INT),
        ("token", _POINTER),
        ("embd", _POINTER),
        ("pos", _POINTER),
        ("n_seq_id", _POINTER),
        ("seq_id", _POINTER),
        ("logits", _POINTER),
        ("unknown_end", ctypes.c_byte * _UNKNOWN_END_BYTES),
    )


class _SamplerParameters(ctypes.Structure):
    """llama.h: llama_sampler_chain_params, with room up to what goes in one register."""

    _fields_ = (("no_perf", _BOOL), ("unknown_end", ctypes.c_byte * 7))


# What llama.cpp puts where: another order of the fields would show in these values.
_MODEL_MARKS = {
    "devices": None, "n_gpu_layers": -1, "split_mode": 1, "load_mode": -1, "lazy_mode": 1,
    "main_gpu": 0, "tensor_split": None, "progress_callback_user_data": None,
    "kv_overrides": None, "vocab_only": False, "check_tensors": False, "use_extra_bufts": True,
    "no_host": False, "no_alloc": False,
}  # fmt: skip
_CONTEXT_MARKS = {
    "n_ctx": 512, "n_batch": 2048, "n_ubatch": 512, "n_seq_max": 1, "n_outputs_max": 0,
    "n_outputs_max_per_seq": 1, "rope_scaling_type": -1, "pooling_type": -1,
    "attention_type": -1, "flash_attn_type": -1, "rope_freq_base": 0.0, "yarn_ext_factor": -1.0,
    "yarn_attn_factor": -1.0, "yarn_beta_fast": -1.0, "yarn_beta_slow": -1.0, "cb_eval": None,
    "type_k": 1, "type_v": 1, "moe_cache_size": 0, "abort_callback": None,
    "abort_callback_data": None, "embeddings": False, "offload_kqv": True, "no_perf": True,
    "op_offload": True, "swa_full": True, "kv_unified": False, "samplers": None, "n_samplers": 0,
}  # fmt: skip

_SAMPLER_MARKS = {"no_perf": True}

# Function of llama.h -> what it returns, then what it takes.
FUNCTIONS: dict[str, tuple[Any, ...]] = {
    "llama_backend_init": (None,),
    "llama_context_default_params": (_ContextParameters,),
    "llama_decode": (_INT, _POINTER, _Batch),
    "llama_free": (None, _POINTER),
    "llama_get_logits_ith": (ctypes.POINTER(_FLOAT), _POINTER, _INT),
    "llama_get_memory": (_POINTER, _POINTER),
    "llama_init_from_model": (_POINTER, _POINTER, _ContextParameters),
    "llama_log_set": (None, _Log, _POINTER),
    "llama_memory_clear": (None, _POINTER, _BOOL),
    "llama_model_default_params": (_ModelParameters,),
    "llama_model_desc": (_INT, _POINTER, _TEXT, _SIZE),
    "llama_model_free": (None, _POINTER),
    "llama_model_get_vocab": (_POINTER, _POINTER),
    "llama_model_has_decoder": (_BOOL, _POINTER),
    "llama_model_has_encoder": (_BOOL, _POINTER),
    "llama_model_is_diffusion": (_BOOL, _POINTER),
    "llama_model_load_from_file": (_POINTER, _TEXT, _ModelParameters),
    "llama_model_meta_val_str": (_INT, _POINTER, _TEXT, _TEXT, _SIZE),
    "llama_model_n_ctx_train": (_INT, _POINTER),
    "llama_model_n_layer": (_INT, _POINTER),
    "llama_model_n_params": (ctypes.c_uint64, _POINTER),
    "llama_perf_context_reset": (None, _POINTER),
    "llama_sampler_accept": (None, _POINTER, _TOKEN),
    "llama_sampler_chain_add": (None, _POINTER, _POINTER),
    "llama_sampler_chain_default_params": (_SamplerParameters,),
    "llama_sampler_chain_init": (_POINTER, _SamplerParameters),
    "llama_sampler_free": (None, _POINTER),
    "llama_sampler_init_dist": (_POINTER, _UINT),
    "llama_sampler_init_greedy": (_POINTER,),
    "llama_sampler_init_min_p": (_POINTER, _FLOAT, _SIZE),
    "llama_sampler_init_penalties": (_POINTER, _INT, _INT, _FLOAT, _FLOAT, _FLOAT),
    "llama_sampler_init_temp": (_POINTER, _FLOAT),
    "llama_sampler_init_top_k": (_POINTER, _INT),
    "llama_sampler_init_top_p": (_POINTER, _FLOAT, _SIZE),
    "llama_sampler_sample": (_TOKEN, _POINTER, _POINTER, _INT),
    "llama_supports_gpu_offload": (_BOOL,),
    "llama_token_to_piece": (_INT, _POINTER, _TOKEN, _TEXT, _INT, _INT, _BOOL),
    "llama_tokenize": (
        _INT, _POINTER, _TEXT, _INT, ctypes.POINTER(_TOKEN), _INT, _BOOL, _BOOL,
    ),
    "llama_vocab_bos": (_TOKEN, _POINTER),
    "llama_vocab_eos": (_TOKEN, _POINTER),
    "llama_vocab_get_add_bos": (_BOOL, _POINTER),
    "llama_vocab_get_text": (_TEXT, _POINTER, _TOKEN),
    "llama_vocab_is_eog": (_BOOL, _POINTER, _TOKEN),
    "llama_vocab_n_tokens": (_INT, _POINTER),
    "llama_vocab_nl": (_TOKEN, _POINTER),
    "llama_vocab_pad": (_TOKEN, _POINTER),
    "llama_vocab_sep": (_TOKEN, _POINTER),
}  # fmt: skip

# Functions by which the others are checked; without them the trial of the engine has to do. Those
# of adapters, and of several conversations, are looked for where they are needed.
_CHECKS: dict[str, tuple[Any, ...]] = {
    "llama_batch_get_one": (_Batch, ctypes.POINTER(_TOKEN), _INT),
    "llama_flash_attn_type_name": (_TEXT, ctypes.c_int),
    "llama_memory_seq_cp": (None, _POINTER, _INT, _INT, _INT, _INT),
    "llama_memory_seq_pos_min": (_INT, _POINTER, _INT),
    "llama_memory_seq_rm": (_BOOL, _POINTER, _INT, _INT, _INT),
    "llama_adapter_lora_init": (_POINTER, _POINTER, _TEXT),
    "llama_set_adapters_lora": (
        _INT, _POINTER, ctypes.POINTER(_POINTER), _SIZE, ctypes.POINTER(_FLOAT),
    ),
}  # fmt: skip


def bind() -> Any:
    """Return an object with the functions, types and constants of llama.h that are used here.

    Raises:
        EngineMissingError: xllamacpp is not installed, or its llama.cpp is laid out otherwise.
    """
    place = _binary()
    binaries.check_file(PACKAGE, place)
    try:
        binary = ctypes.CDLL(str(place))
    except OSError as error:
        raise binaries.unusable(PACKAGE, str(error)) from error
    bound = {name: _function(binary, name, *types) for name, types in FUNCTIONS.items()}
    for name, types in _CHECKS.items():
        if hasattr(binary, name):
            bound[name] = _function(binary, name, *types)
    for name, marks in (("model", _MODEL_MARKS), ("context", _CONTEXT_MARKS)):
        check_layout(bound[f"llama_{name}_default_params"](), marks)
    _check_batch(bound.get("llama_batch_get_one"))
    check_layout(bound["llama_sampler_chain_default_params"](), _SAMPLER_MARKS)
    return SimpleNamespace(
        flash_attention=adapter.flash_numbers(SimpleNamespace(**bound)),
        __name__=PACKAGE,
        __version__=_version(),
        binary=binary,
        llama_token=_TOKEN,
        llama_batch=_Batch,
        llama_log_callback=_Log,
        llama_progress_callback=_Progress,
        **bound,
    )


def _binary() -> Path:
    """Return the package's binary without running the package, which would read its server."""
    spec = importlib.util.find_spec(PACKAGE)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for file in sorted(Path(folder).glob(f"{PACKAGE}*")):
            if file.suffix in (".so", ".pyd"):
                return file
    raise EngineMissingError(
        "The package xllamacpp is not installed. Install it with: pip install xllamacpp"
    )


def _function(binary: ctypes.CDLL, name: str, returns: Any, *takes: Any) -> Any:
    try:
        function = getattr(binary, name)
    except AttributeError as error:
        raise _unknown(f"it has no function {name}") from error
    function.restype, function.argtypes = returns, list(takes)
    return function


def check_layout(parameters: Any, marks: dict[str, Any]) -> None:
    """Refuse a structure whose defaults are not where this version of llama.h has them.

    Raises:
        EngineMissingError: names the first field that is elsewhere.
    """
    for name, expected in marks.items():
        found = getattr(parameters, name)
        if found != expected:
            raise _unknown(f"its default of {name} is {found}, not {expected}")


def _check_batch(make: Any) -> None:
    array = (_TOKEN * 3)(1, 2, 3)
    if make and not adapter.is_batch_of(make(array, 3), array, 3):
        raise _unknown("llama_batch has other fields")


def _unknown(difference: str) -> EngineMissingError:
    return EngineMissingError(
        f"The llama.cpp in xllamacpp {_version()} is laid out in a way that is not known here "
        f"({difference}). Install a version that is: pip install xllamacpp=={TESTED_VERSION}, "
        "or llama-cpp-python in its place."
    )


def _version() -> str:
    try:
        return version_of(PACKAGE)
    except PackageNotFoundError:
        return "of an unknown version"
