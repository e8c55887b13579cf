"""The memory of several conversations for one forward pass of all: keys and values, a row each.

All rows end in the same column, whatever their lengths, so that a step writes one column of every
layer. What stands before a row's begin is masked. A row that ends gives its place to the last
one; a new one is put behind them. Nothing but that is ever copied, until the room's end is met.
"""

from __future__ import annotations

from typing import Any

SPARE_COLUMNS = 256  # so that rows move to the begin of their room once in so many steps


class Columns:
    """Where rows stand in their room, for all layers.

    Attributes:
        lengths: tokens of each row.
        end: the first column that is free.
    """

    def __init__(self) -> None:
        self.lengths: list[int] = []
        self.end = 0

    @property
    def start(self) -> int:
        """The first column that a row has."""
        return self.end - max(self.lengths, default=0)


class BatchRoom:
    """The keys and values of all layers, of so many rows of so many tokens.

    Attributes:
        cache: a cache of transformers for one step of all rows.
        columns: where they stand.
    """

    def __init__(self, like: Any, rows: int, tokens: int) -> None:
        """Allocate it.

        Args:
            like: a cache of the model that has read a token: its layers tell sizes and devices.
            rows: how many conversations.
            tokens: the longest of them.

        Raises:
            RuntimeError: there is no memory for it (``torch.OutOfMemoryError`` on a GPU), or the
                layers are of an unknown kind.
        """
        from transformers import Cache

        self.columns = Columns()
        self._capacity = tokens + SPARE_COLUMNS
        self._layers = [self._layer(layer, rows) for layer in like.layers]
        self.cache = Cache(layers=self._layers)

    def _layer(self, like: Any, rows: int) -> Any:
        made = batch_layer_class()()
        made.columns = self.columns
        made.rooms = [
            one.new_empty((rows, one.shape[1], self._capacity, one.shape[3]))
            for one in (like.keys, like.values)
        ]
        made.is_initialized = True
        made.dtype, made.device = like.keys.dtype, like.keys.device
        return made

    def add(self, cache: Any, lengths: list[int]) -> None:
        """Put in rows that were read by themselves, padded on the left to the longest."""
        columns = self.columns
        first, longest = len(columns.lengths), max(lengths)
        if longest > columns.end:
            self._move_to(longest)
        begin, before = min(columns.start, columns.end - longest), columns.start
        for ours, theirs in zip(self._layers, cache.layers, strict=True):
            for room, states in zip(ours.rooms, (theirs.keys, theirs.values), strict=True):
                room[:first, :, begin:before] = 0  # masked, but no number times nothing is none
                for row, length in enumerate(lengths):
                    place = slice(columns.end - length, columns.end)
                    room[first + row, :, begin : place.start] = 0
                    room[first + row, :, place] = states[row, :, states.shape[-2] - length :]
        columns.lengths += lengths

    def remove(self, row: int) -> None:
        """Take a row out; the last one gets its number."""
        columns = self.columns
        last = len(columns.lengths) - 1
        if row < last:
            place = slice(columns.end - columns.lengths[last], columns.end)
            for layer in self._layers:
                for room in layer.rooms:
                    room[row, :, place] = room[last, :, place]
            columns.lengths[row] = columns.lengths[last]
        columns.lengths.pop()
        if not columns.lengths:
            columns.end = 0

    def make_way(self) -> None:
        """See to a free column for each row's next token."""
        if self.columns.end >= self._capacity:
            self._move_to(self.columns.end - self.columns.start)

    def advance(self) -> None:
        """Note that one token more was read of each row."""
        self.columns.end += 1
        self.columns.lengths[:] = [length + 1 for length in self.columns.lengths]

    def _move_to(self, end: int) -> None:
        """Move all rows, so that they end before a column."""
        columns = self.columns
        rows, size = len(columns.lengths), columns.end - columns.start
        if rows and size:
            old, new = slice(columns.start, columns.end), slice(end - size, end)
            for layer in self._layers:
                for room in layer.rooms:
                    room[:rows, :, new] = room[:rows, :, old].clone()
        columns.end = end


_layer_class: Any = None


def batch_layer_class() -> Any:
    """Return (and make, once) the layer of such a cache; its class is known after an import."""
    global _layer_class
    if _layer_class is None:
        from transformers.cache_utils import DynamicLayer

        class BatchLayer(DynamicLayer):  # type: ignore[misc]  # untyped where it is missing
            """Keys and values of one layer, of shape (rows, heads, tokens, size of a head)."""

            columns: Columns
            rooms: list[Any]

            def update(self, keys: Any, values: Any, *_args: Any, **_kwargs: Any) -> Any:
                rows, tokens = keys.shape[0], keys.shape[-2]
                start, end = self.columns.start, self.columns.end
                for room, states in zip(self.rooms, (keys, values), strict=True):
                    room[:rows, :, end : end + tokens] = states
                self.keys, self.values = (
                    room[:rows, :, start : end + tokens] for room in self.rooms
                )
                return self.keys, self.values

            def get_seq_length(self, *_args: Any) -> int:
                return self.columns.end - self.columns.start

        _layer_class = BatchLayer
    return _layer_class
