"""How much of a model's files is in the system's page cache, and putting it there or out. Linux.

The kernel is asked by ``cachestat`` (since 6.5), else by ``mincore`` on a mapping that is never
read. Both answer only for files that one owns or may write: for others ``mincore`` says that all
is there, which is why it is not asked then. To read a byte with RWF_NOWAIT would need no such
right, and is no way to look: the kernel begins to read ahead at the places that were asked for.

Large files are looked at through windows spread over them, so that an answer takes about a
millisecond, whatever the size.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import mmap
import os
import sys
from collections.abc import Callable, Iterator, Sequence

WINDOWS = 256  # over all files of one question
WINDOW_BYTES = 256 * 1024
READ_BYTES = 8 * 1024 * 1024
_CACHESTAT = 451  # include/uapi/asm-generic/unistd.h
_PROT_READ, _MAP_SHARED = 1, 1
_MAP_FAILED = ctypes.c_void_p(-1).value

AnyPath = str | os.PathLike[str]


def files_cached(paths: Sequence[AnyPath]) -> float | None:
    """Return how much of these files' bytes is in the page cache, 0 to 1.

    None where nobody tells: on other systems than Linux, for a file that cannot be opened or
    belongs to somebody else, and where there are no bytes at all.
    """
    if not sys.platform.startswith("linux"):
        return None
    try:
        sizes = [os.stat(path).st_size for path in paths]
        total = sum(sizes)
        parts = [_cached_of(p, size, total) for p, size in zip(paths, sizes, strict=True) if size]
    except OSError:
        return None
    return min(1.0, sum(parts) / total) if total else None


def _never() -> bool:
    return False


def warm(paths: Sequence[AnyPath], should_stop: Callable[[], bool] = _never) -> float | None:
    """Read files to their ends, so that they are in the cache; return how much of them is then.

    More than fits into memory pushes itself out again, and the answer says so.

    Raises:
        OSError: a file cannot be read.
    """
    buffer = memoryview(bytearray(READ_BYTES))
    for path in paths:
        with open(path, "rb", buffering=0) as file:
            while not should_stop() and file.readinto(buffer):
                pass
    return files_cached(paths)


def cold(paths: Sequence[AnyPath]) -> float | None:
    """Take files out of the cache; return how much of them is still there.

    Pages that another program maps stay. What was not yet on the disk is written first, since
    only clean pages can be dropped. None where nobody tells whether it worked, or nobody can.

    Raises:
        OSError: a file cannot be opened.
    """
    if not hasattr(os, "posix_fadvise"):
        return None
    for path in paths:
        with open(path, "rb", buffering=0) as file:
            with contextlib.suppress(OSError):  # a file system without it has nothing to write
                os.fsync(file.fileno())
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return files_cached(paths)


def _cached_of(path: AnyPath, size: int, total: int) -> float:
    """Return how many bytes of a file are in the cache, estimated from windows if it is large.

    Raises:
        OSError: it cannot be opened, or nobody tells.
    """
    with open(path, "rb", buffering=0) as file:
        if not _is_told(file.fileno(), path):
            raise PermissionError(f"The system does not tell what of {path} is cached.")
        looked = cached = 0
        for offset, length in windows(size, max(1, WINDOWS * size // total)):
            looked += length
            cached += _cached_bytes(file.fileno(), offset, length)
    return size * min(1.0, cached / looked)


def windows(size: int, most: int) -> Iterator[tuple[int, int]]:
    """Yield offset and length of what is looked at of a file: all of it, or parts spread evenly.

    Offsets are multiples of a page. The first and the last window touch the file's ends.
    """
    if size <= most * WINDOW_BYTES:
        yield 0, size
        return
    last = size - WINDOW_BYTES
    for number in range(most):
        offset = last * number // max(1, most - 1)
        yield offset - offset % mmap.PAGESIZE, WINDOW_BYTES


def _is_told(descriptor: int, path: AnyPath) -> bool:
    """Whether the kernel says the truth to this user: as its rule is in mm/mincore.c."""
    owner = os.fstat(descriptor).st_uid
    return os.geteuid() in (0, owner) or os.access(path, os.W_OK)


def _cached_bytes(descriptor: int, offset: int, length: int) -> int:
    pages = _by_cachestat(descriptor, offset, length)
    if pages is None:
        pages = _by_mincore(descriptor, offset, length)
    return min(length, pages * mmap.PAGESIZE)


@functools.cache
def _libc() -> ctypes.CDLL:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    number, size = ctypes.c_int, ctypes.c_size_t
    libc.mmap.argtypes = (ctypes.c_void_p, size, number, number, number, ctypes.c_long)
    libc.munmap.argtypes = (ctypes.c_void_p, size)
    libc.mincore.argtypes = (ctypes.c_void_p, size, ctypes.c_void_p)
    return libc


def _by_cachestat(descriptor: int, offset: int, length: int) -> int | None:
    """Return the cached pages of a range; None where this kernel or a filter does not answer.

    It writes five numbers of 64 bits, the first being the pages (include/uapi/linux/mman.h).
    """
    span = (ctypes.c_uint64 * 2)(offset, length)
    counts = (ctypes.c_uint64 * 5)()
    call = ctypes.c_long(_CACHESTAT)
    failed = _libc().syscall(call, descriptor, ctypes.byref(span), ctypes.byref(counts), 0)
    return None if failed else int(counts[0])


def _by_mincore(descriptor: int, offset: int, length: int) -> int:
    """Return the same by a mapping, one byte a page, of which the lowest bit counts.

    Raises:
        OSError: the file cannot be mapped.
    """
    libc = _libc()
    pages = (ctypes.c_ubyte * -(-length // mmap.PAGESIZE))()
    address = libc.mmap(None, length, _PROT_READ, _MAP_SHARED, descriptor, offset)
    if address == _MAP_FAILED:
        raise OSError(ctypes.get_errno(), "The file cannot be mapped.")
    try:
        if libc.mincore(address, length, pages) != 0:
            raise OSError(ctypes.get_errno(), "The system does not tell what is cached.")
    finally:
        libc.munmap(address, length)
    return sum(page & 1 for page in pages)
