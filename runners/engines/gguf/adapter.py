"""What llama.cpp does not promise: the layout of its structures, its numbers and its log's words.

The one place for them, for llama-cpp-python; what only the prebuilt build needs is in
``xllamacpp_library``. Each is probed by how the library behaves, and what differs is refused by
name, or does without: ctypes itself would take an unknown field in silence, and a structure that
has grown would be written past its end.
"""

from __future__ import annotations

import ctypes
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from comparator.core.exceptions import EngineMissingError

ROOM_BYTES = 128  # for what a newer llama.cpp appends to a structure that goes by value

# ---- words of its log ----

UNKNOWN_ARCHITECTURE = re.compile(r"unknown model architecture: '([^']*)'")
LOAD_REASON = re.compile(r"(?:error loading model(?: \w+)?|failed to load model): (.+)")
UNKNOWN_TYPE = re.compile(r"has invalid ggml type (\d+)")
MORE_TENSORS = re.compile(r"wrong number of tensors; expected (\d+), got (\d+)")
MODEL_MEBIBYTES = re.compile(r"model size\s*=\s*([\d.]+) MiB")
QUANTISED_MEBIBYTES = re.compile(r"quant size\s*=\s*([\d.]+) MiB \(([\d.]+) BPW\)")
SUBSTITUTED_TENSORS = re.compile(r"(\d+) of \d+ tensor\(s\) required fallback")
NOT_QUANTISED = re.compile(r"failed to quantize: (.+)")
REFUSED_ADAPTER = re.compile(r"failed to apply lora adapter: (.+)")
NEEDS_MATRIX = "require an imatrix"
# Weights that lie in memory of their own, in another order, and not in the mapped file.
UNMAPPED_MEBIBYTES = re.compile(r"(?<!_Mapped) model buffer size\s*=\s*([\d.]+) MiB")
DEBUG, ERROR, CONTINUED = 1, 4, 5  # ggml.h: enum ggml_log_level

# ---- numbers ----

_FLASH_OFF, _FLASH_ON = 0, 1  # llama.h: enum llama_flash_attn_type
_CACHE_TYPES = {"f16": 1, "q8_0": 8, "q4_0": 2}  # ggml.h: enum ggml_type
PROCESSOR, _ACCELERATORS = 0, (1, 2)  # ggml-backend.h: enum ggml_backend_dev_type

# ---- structures ----

# Functions that take or return a structure by value: name -> (returns, takes); a text is the
# name of a structure, given here with room behind it.
_BY_VALUE: Mapping[str, tuple[Any, tuple[Any, ...]]] = {
    "llama_model_default_params": ("llama_model_params", ()),
    "llama_context_default_params": ("llama_context_params", ()),
    "llama_model_load_from_file": (ctypes.c_void_p, (ctypes.c_char_p, "llama_model_params")),
    "llama_init_from_model": (ctypes.c_void_p, (ctypes.c_void_p, "llama_context_params")),
    "llama_decode": (ctypes.c_int32, (ctypes.c_void_p, "llama_batch")),
}
_STRUCTURES = ("llama_model_params", "llama_context_params", "llama_batch")
_FIRST_FIELDS_OF_A_BATCH = ("n_tokens", "token", "embd", "pos", "n_seq_id", "seq_id", "logits")
# The fields that are set or read, by structure.
_FIELDS = {
    "llama_model_params": (
        "n_gpu_layers", "progress_callback", "vocab_only", "use_extra_bufts",
    ),
    "llama_context_params": (
        "n_ctx", "n_batch", "n_ubatch", "n_outputs_max", "n_threads", "n_threads_batch",
        "flash_attn_type", "swa_full", "no_perf", "type_k", "type_v",
    ),
    "llama_batch": _FIRST_FIELDS_OF_A_BATCH,
}  # fmt: skip
_MOST_OF_A_NUMBER = 1 << 24  # no default is larger; a float or pointer read as a number is


def with_fields(structure: Any, **values: Any) -> Any:
    """Set fields of a structure and return it.

    Raises:
        EngineMissingError: it has no such field.
    """
    names = _field_names(type(structure))
    for name, value in values.items():
        if name not in names:
            raise changed(f"{type(structure).__name__} has no field {name}")
        setattr(structure, name, value)
    return structure


def changed(difference: str) -> EngineMissingError:
    """Make the error for a library whose interface is another one than is known here."""
    return EngineMissingError(
        f"The llama.cpp in llama-cpp-python is another one than is known here ({difference}). "
        'Install a version that is tested: pip install --force-reinstall "llama-cpp-python>=0.3.36"'
        ", or the prebuilt xllamacpp in its place."
    )


def model_parameters(llama: Any, **values: Any) -> Any:
    """Return llama.cpp's default parameters of a model with some fields changed.

    Raises:
        EngineMissingError: there is no such field.
    """
    return with_fields(llama.llama_model_default_params(), **values)


def context_parameters(llama: Any, *, flash_attention: str = "auto", **values: Any) -> Any:
    """Return llama.cpp's default parameters of a context with some fields changed.

    Args:
        llama: the library.
        flash_attention: ``auto``, ``on`` or ``off``.
        values: the fields.

    Raises:
        EngineMissingError: there is no such field.
    """
    number = llama.flash_attention.get(flash_attention)
    if number is None:
        raise changed(f"its flash attention cannot be set to {flash_attention!r}")
    return with_fields(llama.llama_context_default_params(), flash_attn_type=number, **values)


def sampler_parameters(llama: Any) -> Any:
    """Return llama.cpp's default parameters of a chain of samplers, with its counters on."""
    return with_fields(llama.llama_sampler_chain_default_params(), no_perf=False)


class Batch(NamedTuple):
    """Tokens as llama.cpp reads them, and their array, which must live as long."""

    structure: Any
    tokens: Any
    wanted: Any


def batch(llama: Any, tokens: Sequence[int], *, all_scores: bool = False) -> Batch:
    """Return tokens of the only conversation, in their order.

    What is left empty llama.cpp counts itself (positions) or takes as usual (the only sequence,
    scores of the last token alone).

    Args:
        llama: the library.
        tokens: their ids.
        all_scores: ask for the scores after every token.
    """
    count = len(tokens)
    array = (ctypes.c_int32 * count)(*tokens)
    wanted = (ctypes.c_int8 * count)(*[1] * count) if all_scores else None
    made = with_fields(
        llama.llama_batch(), n_tokens=count, token=pointer_for(llama, "token", array)
    )
    if wanted is not None:
        with_fields(made, logits=pointer_for(llama, "logits", wanted))
    return Batch(made, array, wanted)


def pointer_for(llama: Any, name: str, array: Any) -> Any:
    """Return the address of an array as a batch's field takes it."""
    return ctypes.cast(array, _field_kinds(llama.llama_batch)[name])


def _field_kinds(structure: Any) -> dict[str, Any]:
    """Return the types of all fields, those of a base class first."""
    parts = [part.__dict__.get("_fields_", ()) for part in reversed(structure.__mro__)]
    return {name: kind for fields in parts for name, kind, *_ in fields}


def _field_names(structure: Any) -> set[str]:
    return set(_field_kinds(structure))


class Llama:
    """A library with its by-value functions made safe; everything else is the library's own.

    Attributes:
        module: the library as it is imported.
        flash_attention: the numbers of ``auto``, ``on`` and ``off``.
    """

    def __init__(self, module: Any, functions: Mapping[str, tuple[Any, ...]]) -> None:
        """Check a library.

        Args:
            module: the library.
            functions: what is called: names, each with what it returns and what it takes.

        Raises:
            EngineMissingError: a structure or function is not as it is known here.
        """
        self.module = module
        self.__name__, self.__version__ = module.__name__, module.__version__
        for name, (_, *takes) in functions.items():
            self._check_function(name, len(takes))
        self._give_room()
        self._check_defaults()
        self._check_batch()
        self.flash_attention = flash_numbers(self)

    def __getattr__(self, name: str) -> Any:
        """Return what the library itself has, and remember it."""
        found = self.__dict__[name] = getattr(self.__dict__["module"], name)
        return found

    def _check_function(self, name: str, count: int) -> None:
        function = getattr(self.module, name, None)
        if function is None:
            raise changed(f"it has no function {name}")
        declared = getattr(function, "argtypes", None)
        if declared is not None and len(declared) != count:
            raise changed(f"{name} takes {len(declared)} arguments, not {count}")

    def _give_room(self) -> None:
        for name in _STRUCTURES:
            if not hasattr(self.module, name):
                raise changed(f"it has no structure {name}")
            structure = roomy(getattr(self.module, name))
            self.__dict__[name] = structure
            missing = sorted(set(_FIELDS[name]) - _field_names(structure))
            if missing:
                raise changed(f"{name} has no field {missing[0]}")
        for name, (returns, takes) in _BY_VALUE.items():
            function = getattr(self, name)
            if not isinstance(function, ctypes._CFuncPtr):  # type: ignore[attr-defined]
                continue  # made in Python: it takes what it is given
            prototype = ctypes.CFUNCTYPE(self._kind(returns), *map(self._kind, takes))
            self.__dict__[name] = prototype(ctypes.cast(function, ctypes.c_void_p).value or 0)

    def _kind(self, kind: Any) -> Any:
        return getattr(self, kind) if isinstance(kind, str) else kind

    def _check_defaults(self) -> None:
        for name in ("model", "context"):
            check_plausible(getattr(self, f"llama_{name}_default_params")())

    def _check_batch(self) -> None:
        """Compare our batch with the library's, where it makes one."""
        make = getattr(self.module, "llama_batch_get_one", None)
        if make is None:
            return
        array = (self.llama_token * 3)(1, 2, 3)
        theirs = make(array, 3)
        if not is_batch_of(theirs, array, 3):
            raise changed("llama_batch is laid out otherwise")


def is_batch_of(made: Any, array: Any, count: int) -> bool:
    """Whether a batch that the library made of an array has each field where it is read here."""
    rest = (getattr(made, name) for name in _FIRST_FIELDS_OF_A_BATCH[2:])
    address = ctypes.cast(made.token, ctypes.c_void_p).value
    return (
        made.n_tokens == count and address == ctypes.addressof(array) and not any(map(bool, rest))
    )


def roomy(structure: Any) -> Any:
    """Return a structure with spare room behind it, which passes for the original.

    One that is larger than two registers goes by its address or on the stack, as the last
    argument: what a library does not know of it, it does not look at.
    """
    if "unknown_end" in _field_names(structure):
        return structure
    room = (("unknown_end", ctypes.c_byte * ROOM_BYTES),)
    return type(structure.__name__, (structure,), {"_fields_": room})


def check_plausible(defaults: Any) -> None:
    """Refuse default parameters that cannot be any, since a field is not where it is read.

    Raises:
        EngineMissingError: names the first field.
    """
    structure = type(defaults)
    for name, kind in _field_kinds(structure).items():
        if name == "unknown_end":
            continue
        if not _is_plausible(defaults, name, kind):
            raise changed(f"the default of {name} is {getattr(defaults, name)!r}")


def _is_plausible(defaults: Any, name: str, kind: Any) -> bool:
    value = getattr(defaults, name)
    if kind is ctypes.c_bool:
        place = getattr(type(defaults), name).offset
        return bytes(defaults)[place] in (0, 1)
    if kind in (ctypes.c_float, ctypes.c_double):
        return math.isfinite(value) and (value == 0 or 1e-6 < abs(value) < 1e9)
    if isinstance(value, int) and kind is not ctypes.c_void_p:
        return -_MOST_OF_A_NUMBER < value < _MOST_OF_A_NUMBER
    return True


def flash_numbers(library: Any) -> dict[str, int]:
    """Return the numbers of flash attention's settings that are known to be meant by them.

    ``auto`` is the library's default; the others are believed where the library itself names
    the first of them. (It ends the process when it is asked for a number that it does not know.)
    """
    numbers = {"auto": int(library.llama_context_default_params().flash_attn_type)}
    name_of = getattr(getattr(library, "module", library), "llama_flash_attn_type_name", None)
    if name_of is None or name_of(_FLASH_OFF) == b"disabled":
        numbers |= {"off": _FLASH_OFF, "on": _FLASH_ON}
    return numbers


def cache_type(llama: Any, name: str) -> int:
    """Return the number of a type for the KV cache, believed where ggml calls it by that name.

    Raises:
        EngineMissingError: it calls it otherwise, or tells no names.
    """
    number, ggml = _CACHE_TYPES[name], ggml_of(llama)
    function = getattr(ggml, "ggml_type_name", None)
    if function is None:
        raise changed("it does not name its types of numbers")
    function.restype, function.argtypes = ctypes.c_char_p, [ctypes.c_int]
    if function(number) != name.encode():
        raise changed(f"its type {number} is not {name}")
    return number


# ---- devices ----


class Device(NamedTuple):
    """One accelerator: its name, and free and total memory in bytes."""

    name: str
    free: int
    total: int


def devices(llama: Any, kinds: tuple[int, ...] = _ACCELERATORS) -> list[Device] | None:
    """Return the devices of some kinds that a library knows; None where it does not tell.

    llama-cpp-python loads ggml-backend.h's functions and leaves them out of its interface.
    """
    ggml = ggml_of(llama)
    if ggml is None:
        return None
    pointers = [ggml.ggml_backend_dev_get(index) for index in range(ggml.ggml_backend_dev_count())]
    found = [(ggml.ggml_backend_dev_type(pointer), _device(ggml, pointer)) for pointer in pointers]
    if not any(kind == PROCESSOR and device.name == "CPU" for kind, device in found):
        return None  # these kinds are numbered otherwise
    return [device for kind, device in found if kind in kinds]


def ggml_of(llama: Any) -> Any:
    """Return the library that has ggml's functions, ready to be called; None without one."""
    for library in _candidates(llama):
        try:
            return _declared(library)
        except AttributeError:
            continue
    return None


def _candidates(llama: Any) -> list[Any]:
    if getattr(llama, "__name__", "") != "llama_cpp":
        return [llama.binary]
    found = []
    try:
        from llama_cpp import _ggml

        found.append(_ggml.libggml)
    except (ImportError, OSError, RuntimeError, AttributeError):
        pass  # a symbol is found in what its own library has loaded as well
    own = getattr(getattr(llama.module, "llama_cpp", None), "_lib", None)
    return [*found, own] if own is not None else found


def _declared(ggml: Any) -> Any:
    size = ctypes.POINTER(ctypes.c_size_t)
    prototypes: dict[str, tuple[Any, list[Any]]] = {
        "ggml_backend_dev_count": (ctypes.c_size_t, []),
        "ggml_backend_dev_get": (ctypes.c_void_p, [ctypes.c_size_t]),
        "ggml_backend_dev_name": (ctypes.c_char_p, [ctypes.c_void_p]),
        "ggml_backend_dev_type": (ctypes.c_int, [ctypes.c_void_p]),
        "ggml_backend_dev_memory": (None, [ctypes.c_void_p, size, size]),
    }
    for name, (returns, takes) in prototypes.items():
        function = getattr(ggml, name)
        function.restype, function.argtypes = returns, takes
    return ggml


def _device(ggml: Any, pointer: Any) -> Device:
    free, total = ctypes.c_size_t(), ctypes.c_size_t()
    ggml.ggml_backend_dev_memory(pointer, ctypes.byref(free), ctypes.byref(total))
    name = ggml.ggml_backend_dev_name(pointer) or b""
    return Device(name.decode("utf-8", "replace"), free.value, total.value)
