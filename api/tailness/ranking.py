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
from typing import Any, Self, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from store.pool_scores import COLUMNS, Block, Column, InFile, PoolScores

T = TypeVar("T")
Mask = NDArray[np.bool_]
Keys = NDArray[np.uint32]
HALF, LAST_KEY = 2**16, 2**32 - 1
FEW = 1001  # images whose bytes are read one by one
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
        narrowing: differs between filters.
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
        low, high = first * HALF, last * HALF + HALF - 1
        beside: dict[str, int] = {}
        if int(self._ends[last]) - before > count + MOST_BESIDE:
            (low, before_low), (high, before_high) = self._key_at(start), self._key_at(stop - 1)
            beside = {"skipped": start - before_low, "most": stop - before_high}
            before = start  # what comes first is left out already
        if stop - start > FEW or not isinstance(self._scores.source, InFile):
            windows, keys = self._taken(low, high, COLUMNS, Window.of, **beside)
            return Window.joined(windows).taken(sorted_places(keys)[start - before : stop - before])
        indices, keys = self._taken(low, high, (), lambda block, places: block.start + places, **beside)
        return self._read(np.concatenate(indices)[sorted_places(keys)[start - before : stop - before]])

    def _read(self, index: NDArray[np.int64]) -> Window:
        """A few images, without reading what lies between them."""
        at = index.tolist()
        parts = self._scores.source.read([(name, place, place + 1) for name in COLUMNS for place in at])
        columns = [np.concatenate(parts[begin : begin + len(at)]) for begin in range(0, len(parts), len(at))]
        picks = np.append(self._scores.picks, np.int32(-1))
        selected = picks[np.searchsorted(picks[:-1], index.astype(np.int32))] == index
        return Window(index=index, selected=selected, **dict(zip(COLUMNS, columns, strict=True)))

    def _counts(self) -> NDArray[np.int64]:
        """(HALF,), how many images have a key with this upper half or a lower one."""
        counts = np.zeros(HALF, np.int64)
        for block in self._blocks(0, LAST_KEY):
            keys = self._keys(block)
            counts += np.bincount((keys if self._passing is None else keys[self._passing(block)]) >> 16, minlength=HALF)
        return np.cumsum(counts)

    def _key_at(self, rank: int) -> tuple[int, int]:
        """The key of the image at a rank, and how many images have a lower one."""
        half = int(np.searchsorted(self._ends, rank, side="right"))
        low, counts = half * HALF, np.zeros(HALF, np.int64)
        for block in self._blocks(low, low + HALF - 1):
            _, keys = self._within(block, low, low + HALF - 1)
            counts += np.bincount(keys - np.uint32(low), minlength=HALF)
        before = int(self._ends[half - 1]) if half else 0
        ends = before + np.cumsum(counts)
        place = int(np.searchsorted(ends, rank, side="right"))
        return low + place, int(ends[place - 1]) if place else before

    def _taken(
        self,
        low: int,
        high: int,
        columns: tuple[Column, ...],
        take: Callable[[Block, NDArray[np.int64]], T],
        skipped: int = 0,
        most: int | None = None,
    ) -> tuple[list[T], Keys]:
        """What `take` makes of each block's images with keys from `low` to `high`, and their keys.

        Args:
            low, high: keys that some image has, or less and more.
            columns: what `take` reads.
            take: of a block and places in it.
            skipped: how many with the key `low` are left out, from the first on.
            most: how many with the key `high` there may be, with those left out. None: all.
        """
        parts, of_parts = [], []
        lowest = highest = 0  # images with these keys so far
        for block in self._blocks(low, high, columns):
            places, keys = self._within(block, low, high)
            if skipped or most is not None:
                is_lowest, is_highest = keys == low, keys == high
                left = is_lowest & (lowest + np.cumsum(is_lowest) <= skipped)
                if most is not None:
                    left |= is_highest & (highest + np.cumsum(is_highest) > most)
                lowest, highest = lowest + int(is_lowest.sum()), highest + int(is_highest.sum())
                places, keys = places[~left], keys[~left]
            parts.append(take(block, places))
            of_parts.append(keys)
        return parts, np.concatenate(of_parts)

    def _within(self, block: Block, low: int, high: int) -> tuple[NDArray[np.int64], Keys]:
        """Where images of a block pass and have keys from `low` to `high`, and these keys."""
        may_be = None if self._is_by_index else may_have_keys(block.columns[self._by], low, high, self._descending)
        if self._passing is not None:
            passing = self._passing(block)
            may_be = passing if may_be is None else may_be & passing
        places = np.arange(len(block)) if may_be is None else np.flatnonzero(may_be)
        keys = self._keys(block, places)
        exactly = (keys >= low) & (keys <= high)
        return (places, keys) if exactly.all() else (places[exactly], keys[exactly])

    def _blocks(self, low: int, high: int, columns: tuple[Column, ...] = ()) -> Iterator[Block]:
        """The blocks in which there may be keys from `low` to `high`."""
        start, stop = 0, self._scores.images
        if self._is_by_index:
            start, stop = (LAST_KEY - high, LAST_KEY - low + 1) if self._descending else (low, high + 1)
        return self._scores.blocks(*dict.fromkeys((*self._columns, *columns)), start=start, stop=stop)

    def _keys(self, block: Block, places: NDArray[np.int64] | slice = slice(None)) -> Keys:
        if not self._is_by_index:
            return keys_of(block.columns[self._by][places], descending=self._descending)
        keys = block.index()[places].astype(np.uint32)
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


def may_have_keys(values: NDArray[Any], low: int, high: int, descending: bool) -> Mask:
    """(n,), where keys from `low` to `high` can be. Some others may be there too. Comparing values
    takes a fraction of the time that their keys take."""
    if values.dtype.kind == "u":
        lowest, highest = (LAST_KEY - high, LAST_KEY - low) if descending else (low, high)
        return (values >= lowest) & (values <= highest)
    first, last = (_float_of(key) for key in (low, high))
    least, most = (-last, -first) if descending else (first, last)
    return ~((values < least) | (values > most))  # nothing is less or more than what is no number


def _float_of(key: int) -> np.float32:
    bits = key ^ 2**31 if key >= 2**31 else LAST_KEY - key
    return np.uint32(bits).view(np.float32)


def sorted_places(keys: Keys) -> NDArray[np.int64]:
    """What `np.argsort(keys, kind="stable")` gives, several times quicker.

    Numpy sorts numbers of 64 bits with vector instructions.
    """
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
