"""The images of a round in an order, a window at a time, without sorting the pool.

Each image gets a key: an unsigned number of 32 bits that ascends in the wanted order. The first
pass counts the keys by their upper half. So it is known which halves the images of a window have,
and a second pass takes these images alone. Memory does not grow with the pool, and a count of a
file, which never changes, is kept for the next page.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from threading import Lock
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray

from store.pool_scores import COLUMNS, Block, Column, InFile, PoolScores

Mask = NDArray[np.bool_]
Keys = NDArray[np.uint32]
HALF, LAST_KEY = 2**16, 2**32 - 1
MOST_BESIDE = 2**17  # images beside those of a window that are sorted with them
_MOST_COUNTS = 16  # of half a megabyte each
_counts: OrderedDict[tuple[str, str, str], NDArray[np.int64]] = OrderedDict()
_counts_lock = Lock()


@dataclass(frozen=True, slots=True)
class Window:
    """Images in the wanted order. Every array is (n,)."""

    index: NDArray[np.int64]
    tailness: NDArray[np.float32]
    cluster: NDArray[Any]
    similarity: NDArray[np.float32]
    selected: Mask

    @classmethod
    def of(cls, block: Block, places: NDArray[np.int64]) -> Self:
        """The images at these places of a block with all columns."""
        columns = {name: block.columns[name][places] for name in COLUMNS}
        return cls(index=block.start + places, selected=block.selected[places], **columns)

    @classmethod
    def joined(cls, parts: list[Self]) -> Self:
        """All images of the parts; there is at least one part."""
        names = [field.name for field in fields(cls)]
        return cls(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in names})

    def taken(self, places: NDArray[np.int64]) -> Window:
        """The images at these places."""
        return Window(**{field.name: getattr(self, field.name)[places] for field in fields(self)})

    def __len__(self) -> int:
        return len(self.index)


class Ranking:
    """The images of a round that pass filters, in an order.

    Equal values come in ascending order of index, so that pages do not overlap.

    Args:
        scores: of the round.
        order: `index` or the name of a column. A leading `-` sorts in descending order.
        passing: which images of a block pass. None: all do.
        columns: what `passing` reads.
        narrowing: tells filters apart.
    """

    def __init__(
        self,
        scores: PoolScores,
        order: str,
        passing: Callable[[Block], Mask] | None = None,
        columns: tuple[Column, ...] = (),
        narrowing: str = "",
    ) -> None:
        self._scores = scores
        self._passing = passing
        self._by = cast("Column", order.removeprefix("-"))
        self._descending = order.startswith("-")
        self._columns = (*columns, *(() if self._is_by_index else (self._by,)))
        key = (scores.source.key, order, narrowing) if isinstance(scores.source, InFile) else None
        self._ends = _kept_counts(key, self._counts)

    @property
    def total(self) -> int:
        """How many images pass."""
        return int(self._ends[-1])

    def windows(self, size: int) -> Iterator[Window]:
        """All images, `size` at a time."""
        return (self.window(start, size) for start in range(0, self.total, size))

    def window(self, start: int, count: int) -> Window:
        """The images from rank `start` on, which counts from 0: at most `count`."""
        stop = min(start + count, self.total)
        if start >= stop:
            return _NOTHING
        first, last = (int(np.searchsorted(self._ends, rank, side="right")) for rank in (start, stop - 1))
        before = int(self._ends[first - 1]) if first else 0
        if int(self._ends[last]) - before <= count + MOST_BESIDE:
            window, keys = self._taken(first * HALF, last * HALF + HALF - 1)
            places = sorted_places(keys)[start - before : stop - before]
        else:
            (low, before_low), (high, before_high) = self._key_at(start), self._key_at(stop - 1)
            window, keys = self._taken(low, high, start - before_low, stop - before_high)
            places = sorted_places(keys)
        return window.taken(places)

    def _counts(self) -> NDArray[np.int64]:
        """(HALF,), how many images have a key with this upper half or a lower one."""
        counts = np.zeros(HALF, np.int64)
        for _, keys, passing in self._blocks(0, LAST_KEY):
            counts += np.bincount((keys if passing is None else keys[passing]) >> 16, minlength=HALF)
        return np.cumsum(counts)

    def _key_at(self, rank: int) -> tuple[int, int]:
        """The key of the image at a rank, and how many images have a lower one."""
        half = int(np.searchsorted(self._ends, rank, side="right"))
        low, counts = half * HALF, np.zeros(HALF, np.int64)
        for _, keys, passing in self._blocks(low, low + HALF - 1):
            within = keys >> 16 == half
            counts += np.bincount(keys[within if passing is None else within & passing] - low, minlength=HALF)
        before = int(self._ends[half - 1]) if half else 0
        ends = before + np.cumsum(counts)
        place = int(np.searchsorted(ends, rank, side="right"))
        return low + place, int(ends[place - 1]) if place else before

    def _taken(self, low: int, high: int, skipped: int = 0, most: int | None = None) -> tuple[Window, Keys]:
        """The images with keys from `low` to `high`, by index, and their keys.

        Args:
            low, high: keys that some image has, or less and more.
            skipped: how many with the key `low` are left out, from the first on.
            most: how many with the key `high` there may be, with those left out. None: all.
        """
        parts, of_parts = [], []
        lowest = highest = 0  # images with these keys so far
        for block, keys, passing in self._blocks(low, high, COLUMNS):
            within = (keys >= low) & (keys <= high)
            places = np.flatnonzero(within if passing is None else within & passing)
            if skipped or most is not None:
                is_lowest, is_highest = keys[places] == low, keys[places] == high
                left = is_lowest & (lowest + np.cumsum(is_lowest) <= skipped)
                if most is not None:
                    left |= is_highest & (highest + np.cumsum(is_highest) > most)
                lowest, highest = lowest + np.count_nonzero(is_lowest), highest + np.count_nonzero(is_highest)
                places = places[~left]
            parts.append(Window.of(block, places))
            of_parts.append(keys[places])
        return Window.joined(parts), np.concatenate(of_parts)

    def _blocks(
        self, low: int, high: int, columns: tuple[Column, ...] = ()
    ) -> Iterator[tuple[Block, Keys, Mask | None]]:
        """The blocks in which there may be keys from `low` to `high`, the keys in them, and which
        images pass; None: all."""
        start, stop = 0, self._scores.images
        if self._is_by_index:
            start, stop = (LAST_KEY - high, LAST_KEY - low + 1) if self._descending else (low, high + 1)
        for block in self._scores.blocks(*dict.fromkeys((*self._columns, *columns)), start=start, stop=stop):
            yield block, self._keys(block), None if self._passing is None else self._passing(block)

    def _keys(self, block: Block) -> Keys:
        if not self._is_by_index:
            return keys_of(block.columns[self._by], descending=self._descending)
        keys = block.index().astype(np.uint32)
        return LAST_KEY - keys if self._descending else keys

    @property
    def _is_by_index(self) -> bool:
        return self._by not in COLUMNS


def keys_of(values: NDArray[Any], *, descending: bool) -> Keys:
    """Unsigned numbers that order values as numpy sorts them: what is no number comes last, also if
    `descending`.

    Args:
        values: (n,), of at most 16 bits, or float32.
    """
    if values.dtype.kind == "u":
        keys = values.astype(np.uint32)
        return LAST_KEY - keys if descending else keys
    ascending = (-values if descending else values) + np.float32(0)  # so that -0 becomes 0
    bits = ascending.view(np.int32)
    # Of a negative number all bits turn, else the sign alone.
    keys = (bits ^ ((bits >> 31) | np.int32(-(2**31)))).view(np.uint32)
    keys[np.isnan(ascending)] = LAST_KEY
    return keys


def sorted_places(keys: Keys) -> NDArray[np.int64]:
    """What `np.argsort(keys, kind="stable")` gives, several times quicker: numpy sorts numbers of 64
    bits with vector instructions."""
    both = (keys.astype(np.uint64) << 32) | np.arange(len(keys), dtype=np.uint64)
    both.sort()
    return (both & LAST_KEY).astype(np.int64)


def _kept_counts(key: tuple[str, str, str] | None, count: Callable[[], NDArray[np.int64]]) -> NDArray[np.int64]:
    """The counts of a ranking: those that were kept, if there are any."""
    with _counts_lock:
        found = None if key is None else _counts.pop(key, None)
    found = count() if found is None else found
    if key is not None:
        with _counts_lock:
            _counts[key] = found
            while len(_counts) > _MOST_COUNTS:
                _counts.popitem(last=False)
    return found


_NOTHING = Window(
    np.empty(0, np.int64),
    np.empty(0, np.float32),
    np.empty(0, np.uint8),
    np.empty(0, np.float32),
    np.empty(0, bool),
)
