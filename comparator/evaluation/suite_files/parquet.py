"""Suites from Parquet files, by pyarrow. Format: https://parquet.apache.org/docs/file-format/"""

from __future__ import annotations

import importlib.util
import io
from collections.abc import Iterator
from typing import Any

from comparator.core.exceptions import ConfigurationError
from comparator.core.units import fine_size
from comparator.evaluation.suite_files import bounds
from comparator.evaluation.suite_files.items import COLUMNS, PROMPTS, FileRow
from comparator.evaluation.suite_files.notes import Notes

_MOST_ROWS_AT_ONCE = 100
_MOST_BYTES_AT_ONCE = 100_000_000  # one text may stand for many rows, and is whole in each here
_LARGEST_HEADER = 10_000_000  # bytes of one text in it


def rows_of(name: str, data: bytes, notes: Notes) -> Iterator[FileRow]:
    """Yield a row for each of the file, of the columns that are known.

    Raises:
        ConfigurationError: it cannot be read, is too large or has no prompts, and what to do.
    """
    if importlib.util.find_spec("pyarrow") is None:
        raise ConfigurationError(
            f'{name} needs pyarrow, which is not installed: pip install "pyarrow>=19"'
        )
    import pyarrow

    try:
        file = _opened(data)
        known = _columns(name, file, notes)
        size = _unpacked_bytes(file, known)
        if size > bounds.MOST_BYTES:
            raise ConfigurationError(
                f"{name} unpacks to {fine_size(size)}; the limit is "
                f"{fine_size(bounds.MOST_BYTES)}. Save a part of it."
            )
        at_once = max(1, min(_MOST_ROWS_AT_ONCE, _MOST_BYTES_AT_ONCE // max(1, size)))
        yield from _rows(name, file, known, at_once)
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        words = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise ConfigurationError(f"{name} is no whole Parquet file: {words}") from None


def _opened(data: bytes) -> Any:
    from pyarrow import parquet

    return parquet.ParquetFile(
        io.BytesIO(data),
        thrift_string_size_limit=_LARGEST_HEADER,
        thrift_container_size_limit=_LARGEST_HEADER,
    )


def _columns(name: str, file: Any, notes: Notes) -> list[str]:
    """Return the names of the columns to be read."""
    if file.metadata.num_rows > bounds.MOST_ITEMS:
        raise ConfigurationError(
            f"{name} has {file.metadata.num_rows} rows; a suite has up to {bounds.MOST_ITEMS}. "
            "Save a part of it."
        )
    names = list(file.schema_arrow.names)
    known = [column for column in names if column.strip().lower() in COLUMNS]
    if not {*PROMPTS, "messages"} & {column.strip().lower() for column in known}:
        raise ConfigurationError(
            f"{name} has no column of prompts ({', '.join(PROMPTS)} or messages); it has "
            f"{', '.join(names[:20])}."
        )
    for column in names:
        if column not in known:
            notes.unknown("The column", column)
    return known


def _unpacked_bytes(file: Any, known: list[str]) -> int:
    """Return the bytes that the known columns say they unpack to, each text once."""
    groups = range(file.metadata.num_row_groups)
    return sum(_size(file.metadata.row_group(group), known) for group in groups)


def _size(group: Any, known: list[str]) -> int:
    """Return the bytes that the known columns of a row group say they unpack to."""
    columns = (group.column(number) for number in range(group.num_columns))
    wanted = set(known)
    return sum(
        int(column.total_uncompressed_size)
        for column in columns
        if column.path_in_schema.split(".")[0] in wanted
    )


def _rows(name: str, file: Any, known: list[str], at_once: int) -> Iterator[FileRow]:
    number = 0
    for batch in file.iter_batches(at_once, columns=known, use_threads=False):
        for values in batch.to_pylist():
            number += 1
            yield FileRow(
                f"{name}, row {number}", {key: _plain(one) for key, one in values.items()}
            )


def _plain(value: Any) -> Any:
    """Return a value without what Parquet adds to make all rows alike: keys that are null."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items() if one is not None}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return value
