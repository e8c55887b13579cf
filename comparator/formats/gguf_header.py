"""A bounded reader of GGUF headers: the metadata without the weights or the vocabulary.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (version 3). The package
``gguf`` maps whole files and builds every array in Python; here long arrays are skipped.
"""

from __future__ import annotations

import contextlib
import math
import os
import stat
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

from comparator.core.exceptions import ModelLoadError
from comparator.core.text import with_controls_shown
from comparator.formats.gguf_kinds import is_mtp_head
from comparator.formats.json_files import without_waiting
from comparator.formats.model_files import GGUF_MAGIC

NEWEST_VERSION = 3
MOST_ENTRIES = 100_000
MOST_TENSORS = 65_536
MOST_DIMENSIONS = 4  # ggml.h: GGML_MAX_DIMS
DEFAULT_ALIGNMENT = 32
LARGEST_ALIGNMENT = 1024 * 1024
LONGEST_KEY_BYTES = 65_535
LONGEST_TEXT_BYTES = 8 * 1024 * 1024
MOST_HEADER_BYTES = 512 * 1024 * 1024
WINDOW_BYTES = 1024 * 1024
MOST_TEXT_BYTES = 16 * 1024 * 1024  # of all keys and texts that are kept
MOST_WEIGHTS = 2**53  # of one tensor
MOST_KEPT = 1024  # elements of an array, such as one number a layer
MOST_KEPT_IN_ALL = 65_536
MOST_ARRAY_TEXTS = 4_000_000  # the largest vocabularies, with their merges, have under 1 million

# Value type of GGUF -> code of struct.
_SCALARS = {
    0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d",
}  # fmt: skip
_TEXT, _ARRAY = 8, 9
_LENGTH = struct.Struct("<Q")

# general.file_type, from llama.cpp's enum llama_ftype.
FILE_TYPES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 7: "Q8_0", 8: "Q5_0", 9: "Q5_1", 10: "Q2_K",
    11: "Q3_K_S", 12: "Q3_K_M", 13: "Q3_K_L", 14: "Q4_K_S", 15: "Q4_K_M", 16: "Q5_K_S",
    17: "Q5_K_M", 18: "Q6_K", 19: "IQ2_XXS", 20: "IQ2_XS", 21: "Q2_K_S", 22: "IQ3_XS",
    23: "IQ3_XXS", 24: "IQ1_S", 25: "IQ4_NL", 26: "IQ3_S", 27: "IQ3_M", 28: "IQ2_S",
    29: "IQ2_M", 30: "IQ4_XS", 31: "IQ1_M", 32: "BF16", 36: "TQ1_0", 37: "TQ2_0", 38: "MXFP4",
    39: "NVFP4", 40: "Q1_0",
}  # fmt: skip

# Type of a tensor -> its name, from ggml.h's enum ggml_type.
TENSOR_TYPE_NAMES = {
    0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 10: "Q2_K",
    11: "Q3_K", 12: "Q4_K", 13: "Q5_K", 14: "Q6_K", 15: "Q8_K", 16: "IQ2_XXS", 17: "IQ2_XS",
    18: "IQ3_XXS", 19: "IQ1_S", 20: "IQ4_NL", 21: "IQ3_S", 22: "IQ2_S", 23: "IQ4_XS", 28: "F64",
    29: "IQ1_M", 30: "BF16", 34: "TQ1_0", 35: "TQ2_0", 39: "MXFP4", 40: "NVFP4", 41: "Q1_0",
}  # fmt: skip

# Type of a tensor -> (weights in a block, bytes of a block), from ggml.c's type_traits.
TENSOR_TYPES = {
    0: (1, 4), 1: (1, 2), 2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34),
    9: (32, 40), 10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210),
    15: (256, 292), 16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18),
    21: (256, 110), 22: (256, 82), 23: (256, 136), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8),
    28: (1, 8), 29: (256, 56), 30: (1, 2), 34: (256, 54), 35: (256, 66), 39: (32, 17),
    40: (64, 36), 41: (128, 18),
}  # fmt: skip


class ArrayLength(int):
    """The length of an array whose elements were passed over."""


def read_metadata(path: str | Path) -> dict[str, Any]:
    """Return the metadata of a GGUF file; of long arrays an ArrayLength is kept.

    Raises:
        ModelLoadError: the file is no GGUF file that this build can read, and why.
    """
    with _opened(path) as reader:
        return reader.metadata()


def read_header(path: str | Path) -> tuple[dict[str, Any], list[Tensor]]:
    """Return the metadata and the descriptions of all tensors, without their bytes.

    Raises:
        ModelLoadError: the file is no GGUF file that this build can read, and why.
    """
    with _opened(path) as reader:
        return reader.metadata(), [reader.tensor() for _ in range(reader.tensor_count)]


def check_complete(path: str | Path) -> Summary:
    """Compare a file's length with where its header says that its tensors are.

    A file that was whole is not read again until it changes.

    Raises:
        ModelLoadError: the header is none, or the data end before a tensor does.
    """
    try:
        status = os.stat(path)
    except OSError as error:
        raise ModelLoadError(f"Cannot read {path}: {error.strerror or error}.") from error
    return _check_complete(
        str(path), (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    )


@lru_cache(maxsize=256)
def _check_complete(path: str, _stamp: tuple[int, ...]) -> Summary:
    with _opened(path) as reader:
        metadata = reader.metadata()
        alignment = metadata.get("general.alignment", DEFAULT_ALIGNMENT)
        tensors = [reader.tensor() for _ in range(reader.tensor_count)]
        if not isinstance(alignment, int) or not 0 < alignment <= LARGEST_ALIGNMENT:
            raise _damaged(f"an alignment of {str(alignment)[:40]} bytes")
        begin = -(-reader.position // alignment) * alignment
        size = reader.size
    for tensor in tensors:
        if begin + tensor.end > size:
            whole = begin + max(other.end for other in tensors)
            raise ModelLoadError(
                f"{Path(path).name} is incomplete: its data end before tensor "
                f"'{with_controls_shown(tensor.name[:80])}' does ({size} of {whole} bytes). "
                "Download it again."
            )
    architecture = metadata.get("general.architecture")
    return Summary(
        architecture if isinstance(architecture, str) else None,
        frozenset(tensor.kind for tensor in tensors),
        is_mtp_head(tensor.name for tensor in tensors),
    )


@dataclass(frozen=True, slots=True)
class Summary:
    """What a file is made for.

    ``architecture`` is as its header says, ``kinds`` are ggml's numbers of its tensors' types, and
    ``is_head`` tells that it is the head of another model alone.
    """

    architecture: str | None
    kinds: frozenset[int]
    is_head: bool


@dataclass(frozen=True, slots=True)
class Tensor:
    """A tensor's name, where its bytes end (from the begin of all data), type and size.

    ``kind`` is ggml's number of its type, ``weights`` how many numbers it has, and ``size``
    its bytes; 0 where this build does not know the type. ``shape`` begins with the row's length.
    """

    name: str
    end: int
    kind: int
    weights: int
    size: int
    shape: tuple[int, ...] = ()

    @property
    def row(self) -> int:
        """The length of a row in numbers."""
        return self.shape[0] if self.shape else 0


@contextlib.contextmanager
def _opened(path: str | Path) -> Iterator[_Reader]:
    try:
        with open(path, "rb", opener=without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ModelLoadError(f"{path} is not a regular file.")
            yield _Reader(file)
    except OSError as error:
        raise ModelLoadError(f"Cannot read {path}: {error.strerror or error}.") from error


class _Reader:
    """Reads through a window: a mapped file that becomes shorter would kill the program."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._window = b""
        self._at = 0  # in the window; behind its end after a long skip
        self._window_begin = 0  # in the file
        self.tensor_count = 0
        self._text_bytes = self._array_texts = self._kept = 0

    @property
    def position(self) -> int:
        """Where we stand in the file."""
        return self._window_begin + self._at

    @property
    def size(self) -> int:
        """The length of the file in bytes."""
        return os.fstat(self._file.fileno()).st_size

    def metadata(self) -> dict[str, Any]:
        """Read the metadata, with which a file begins."""
        self.tensor_count, entries = self._counts()
        found: dict[str, Any] = {}
        for _ in range(entries):
            key = self._text(LONGEST_KEY_BYTES)
            found[key] = self._value(self._scalar("I"))
        return found

    def tensor(self) -> Tensor:
        """Read the description of one tensor; they follow the metadata."""
        name = self._text(LONGEST_KEY_BYTES)
        dimensions = self._scalar("I")
        if dimensions > MOST_DIMENSIONS:
            raise _damaged(f"a tensor of {dimensions} dimensions")
        layout = struct.Struct(f"<{dimensions}QIQ")
        *shape, kind, offset = layout.unpack(self._exactly(layout.size))
        weights = math.prod(shape)
        if weights > MOST_WEIGHTS:
            raise _damaged(f"a tensor of {weights} weights")
        block, size = TENSOR_TYPES.get(kind, (1, 0))  # of newer types only the begin is known
        size *= -(-weights // block)
        return Tensor(name, offset + size, kind, weights, size, tuple(shape))

    def _counts(self) -> tuple[int, int]:
        if self._exactly(4) != GGUF_MAGIC:
            raise ModelLoadError("This is not a GGUF file: it does not begin with 'GGUF'.")
        version = self._scalar("I")
        if version > 0xFFFF:
            raise ModelLoadError("This GGUF file is big-endian; this machine cannot read it.")
        if not 2 <= version <= NEWEST_VERSION:
            raise ModelLoadError(
                f"GGUF version {version}; this build reads 2 to {NEWEST_VERSION}. "
                "Convert the model again with a current llama.cpp."
            )
        tensors, entries = self._scalar("Q"), self._scalar("Q")
        if entries > MOST_ENTRIES or tensors > MOST_TENSORS:
            raise _damaged(f"it claims {tensors} tensors and {entries} metadata entries")
        return tensors, entries

    def _value(self, kind: int) -> Any:
        if kind in _SCALARS:
            return self._scalar(_SCALARS[kind])
        if kind == _TEXT:
            return self._text(LONGEST_TEXT_BYTES)
        if kind == _ARRAY:
            return self._array()
        raise _damaged(f"a value of unknown type {kind}")

    def _array(self) -> Any:
        kind, length = self._scalar("I"), self._scalar("Q")
        if kind not in _SCALARS and kind != _TEXT:
            raise _damaged(f"an array of unknown type {kind}")
        if length <= MOST_KEPT and self._kept + length <= MOST_KEPT_IN_ALL:
            self._kept += length
            return [self._value(kind) for _ in range(length)]
        if kind == _TEXT:
            self._skip_texts(length)
        else:
            self._skip(length * struct.calcsize(_SCALARS[kind]))
        return ArrayLength(length)

    def _text(self, longest: int) -> str:
        length = self._scalar("Q")
        self._text_bytes += length
        if length > longest or self._text_bytes > MOST_TEXT_BYTES:
            raise _damaged(f"a text of {length} bytes")
        return self._exactly(length).decode("utf-8", "replace")

    def _skip_texts(self, count: int) -> None:
        """Step over a vocabulary: a tight loop, since it has 10**5 entries and more."""
        self._array_texts += count
        if self._array_texts > MOST_ARRAY_TEXTS:
            raise _damaged(f"an array of {count} texts")
        read = _LENGTH.unpack_from
        while count:
            window, at = self._window, self._at
            try:
                while count:
                    at += 8 + read(window, at)[0]
                    count -= 1
            except (struct.error, OverflowError):  # behind the window, or behind any file
                self._at = at
                self._slide()
            else:
                self._at = at

    def _skip(self, length: int) -> None:
        if length > MOST_HEADER_BYTES:
            raise _damaged(f"an entry of {length} bytes")
        self._at += length

    def _scalar(self, code: str) -> Any:
        layout = "<" + code
        return struct.unpack(layout, self._exactly(struct.calcsize(layout)))[0]

    def _exactly(self, length: int) -> bytes:
        while len(self._window) - self._at < length:
            self._slide()
        self._at += length
        return self._window[self._at - length : self._at]

    def _slide(self) -> None:
        """Move the window on to where we stand, and by a piece further."""
        beyond = self._at - len(self._window)
        if beyond > MOST_HEADER_BYTES:
            raise _damaged(f"an entry of {beyond} bytes")
        if beyond > 0:
            self._file.seek(beyond, os.SEEK_CUR)
        piece = self._file.read(WINDOW_BYTES)
        if not piece:
            raise _cut_short()
        self._window_begin += self._at
        self._window, self._at = self._window[self._at :] + piece, 0


def _cut_short() -> ModelLoadError:
    return ModelLoadError("The file is incomplete: it ends inside its header. Download it again.")


def _damaged(what: str) -> ModelLoadError:
    return ModelLoadError(f"The header is damaged: {what}. Download the file again.")
