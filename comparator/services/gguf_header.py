"""A bounded reader of GGUF headers: the metadata without the weights or the vocabulary.

Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md (version 3). The package
``gguf`` maps whole files and builds every array in Python; here arrays are skipped.
"""

from __future__ import annotations

import os
import stat
import struct
from pathlib import Path
from typing import Any, BinaryIO

from comparator.core.exceptions import ModelLoadError

MAGIC = b"GGUF"
NEWEST_VERSION = 3
MOST_ENTRIES = 100_000
LONGEST_KEY_BYTES = 65_535
LONGEST_TEXT_BYTES = 8 * 1024 * 1024
MOST_HEADER_BYTES = 512 * 1024 * 1024
WINDOW_BYTES = 1024 * 1024
MOST_TEXT_BYTES = 64 * 1024 * 1024  # of all keys and texts that are kept
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
}  # fmt: skip


def read_metadata(path: str | Path) -> dict[str, Any]:
    """Return the metadata of a GGUF file; of arrays only their length is kept.

    Raises:
        ModelLoadError: the file is no GGUF file that this build can read, and why.
    """
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise ModelLoadError(f"{path} is not a regular file.")
            return _Reader(file).metadata()
    except OSError as error:
        raise ModelLoadError(f"Cannot read {path}: {error.strerror or error}.") from error


def _without_waiting(path: str, flags: int) -> int:
    """Open also a pipe without waiting for its writer."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


class _Reader:
    """Reads through a window: a mapped file that becomes shorter would kill the program."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._window = b""
        self._at = 0  # in the window; behind its end after a long skip
        self._text_bytes = self._array_texts = 0

    def metadata(self) -> dict[str, Any]:
        _tensors, entries = self._counts()
        found: dict[str, Any] = {}
        for _ in range(entries):
            key = self._text(LONGEST_KEY_BYTES)
            found[key] = self._value(self._scalar("I"))
        return found

    def _counts(self) -> tuple[int, int]:
        if self._exactly(4) != MAGIC:
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
        if entries > MOST_ENTRIES or tensors > MOST_ENTRIES * 10:
            raise _damaged(f"it claims {tensors} tensors and {entries} metadata entries")
        return tensors, entries

    def _value(self, kind: int) -> Any:
        if kind in _SCALARS:
            return self._scalar(_SCALARS[kind])
        if kind == _TEXT:
            return self._text(LONGEST_TEXT_BYTES)
        if kind == _ARRAY:
            return self._skip_array()
        raise _damaged(f"a value of unknown type {kind}")

    def _skip_array(self) -> int:
        kind, length = self._scalar("I"), self._scalar("Q")
        if kind in _SCALARS:
            self._skip(length * struct.calcsize(_SCALARS[kind]))
        elif kind == _TEXT:
            self._array_texts += length
            if self._array_texts > MOST_ARRAY_TEXTS:
                raise _damaged(f"an array of {length} texts")
            self._skip_texts(length)
        else:
            raise _damaged(f"an array of unknown type {kind}")
        return int(length)

    def _text(self, longest: int) -> str:
        length = self._scalar("Q")
        self._text_bytes += length
        if length > longest or self._text_bytes > MOST_TEXT_BYTES:
            raise _damaged(f"a text of {length} bytes")
        return self._exactly(length).decode("utf-8", "replace")

    def _skip_texts(self, count: int) -> None:
        """Step over a vocabulary: a tight loop, since it has 10**5 entries and more."""
        read = _LENGTH.unpack_from
        while count:
            window, at = self._window, self._at
            try:
                while count:
                    at += 8 + read(window, at)[0]
                    count -= 1
            except struct.error:
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
        self._window, self._at = self._window[self._at :] + piece, 0


def _cut_short() -> ModelLoadError:
    return ModelLoadError("The file is incomplete: it ends inside its header. Download it again.")


def _damaged(what: str) -> ModelLoadError:
    return ModelLoadError(f"The header is damaged: {what}. Download the file again.")
