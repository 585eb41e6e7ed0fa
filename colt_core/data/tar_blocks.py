"""Reads the headers of many small members of a tar at once.

A header at a time takes the interpreter as long as a small image takes to decode. Here a window of
the tar is looked at as an array of blocks. Only ordinary headers are known, as tarfile and GNU tar
write them. Files and folders have short names there, and an extended header holds a time alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

BLOCK = 512
_SMALL = 32  # bytes of a content that is kept: a label
_NAME, _SIZE, _CHECKSUM, _KIND, _PREFIX = slice(0, 100), slice(124, 135), slice(148, 156), 156, 345
_MAGIC, _USTAR = 257, b"ustar"
_FILE, _FOLDER, _PAX = b"05x"
_OCTAL = 8 ** np.arange(10, -1, -1)

Bool = NDArray[np.bool_]
Int64 = NDArray[np.int64]
Found = list[tuple[str, int, int, bool, bytes | None]]  # the fields of a member, see tar.py


def ordinary_members(window: bytes, start: int, max_bytes: int) -> tuple[Found, int, int]:
    """List the members at the beginning of a window, up to one that is not ordinary.

    Args:
        window: of the tar, from a header on.
        start: offset of the window in the tar.
        max_bytes: of a member that is ordinary.

    Returns:
        The members; the length of what they take, possibly past the end of the window; and the
        bytes that their headers and contents claim.
    """
    count = len(window) // BLOCK
    blocks = np.frombuffer(window, np.uint8, count * BLOCK).reshape(count, BLOCK)
    at = np.flatnonzero(blocks[:, _MAGIC] == _USTAR[0])  # the others are looked at where the first is
    at = at[(blocks[at, _MAGIC : _MAGIC + len(_USTAR)] == np.frombuffer(_USTAR, np.uint8)).all(axis=1)]
    headers = blocks[at]
    size = _octal(headers[:, _SIZE])
    is_ordinary = _is_whole(headers) & (size >= 0) & (size <= max_bytes)
    is_pax = headers[:, _KIND] == _PAX
    is_member = is_ordinary & ((headers[:, _KIND] == _FILE) | (headers[:, _KIND] == _FOLDER))
    size_of, after, row_of = np.zeros((3, count + 2), dtype=np.int64)
    size_of[at] = size
    members = at[is_member]
    after[members] = members + 1 - (-size[is_member] // BLOCK)
    row_of[members] = members
    timed = at[is_ordinary & is_pax & (size <= BLOCK)]
    timed = timed[(timed + 2 < count) & (after[timed + 2] > 0)]
    timed = timed[_hold_times(blocks[timed + 1], size_of[timed])]
    after[timed], row_of[timed] = after[timed + 2], timed + 2  # the member that follows
    starts, next_of, block = [], after.tolist(), 0
    while block < count and next_of[block]:
        starts.append(block)
        block = next_of[block]
    rows = row_of[starts]
    names = np.ascontiguousarray(blocks[rows, _NAME]).view("S100").reshape(-1).tolist()
    texts = b"\0".join(names).decode("utf-8", "surrogateescape").split("\0") if names else []
    offsets, is_folder = (start + (rows + 1) * BLOCK).tolist(), (blocks[rows, _KIND] == _FOLDER).tolist()
    contents = _small_contents(blocks, rows, size_of[rows])
    found = list(zip(texts, offsets, size_of[rows].tolist(), is_folder, contents, strict=True))
    extended = np.array(starts, dtype=np.int64)[rows != starts]
    claimed = BLOCK * (len(rows) + len(extended)) + int(size_of[rows].sum() + size_of[extended].sum())
    return found, block * BLOCK, claimed


def _small_contents(blocks: NDArray[np.uint8], rows: Int64, sizes: Int64) -> list[bytes | None]:
    """The contents of files of a few bytes, where NULs follow them alone and they end with none."""
    contents = np.full(len(rows), None, dtype=object)
    small = np.flatnonzero((sizes > 0) & (sizes <= _SMALL) & (rows + 1 < len(blocks)))
    inside = np.ascontiguousarray(blocks[rows[small] + 1, :_SMALL])
    last = _SMALL - 1 - np.argmax(inside[:, ::-1] != 0, axis=1)
    whole = last == sizes[small] - 1
    contents[small[whole]] = inside[whole].view(f"S{_SMALL}").reshape(-1).astype(object)
    return contents.tolist()


def _octal(digits: NDArray[np.uint8]) -> Int64:
    """(N,) numbers of (N, n) octal digits; -1 for other characters."""
    values = digits - np.uint8(ord("0"))  # below "0" it wraps around
    numbers: Int64 = np.where((values < 8).all(axis=1), values.astype(np.int64) @ _OCTAL[-digits.shape[1] :], -1)
    return numbers


def _is_whole(headers: NDArray[np.uint8]) -> Bool:
    """(N,) whether the checksum is right, numbers end as usual and the name is all in one field."""
    checksum = headers[:, _CHECKSUM]
    total = _sums(headers) - checksum.sum(axis=1, dtype=np.int64) + 8 * ord(" ")
    ends = (checksum[:, 6] == 0) & (checksum[:, 7] == ord(" ")) & _ends_field(headers[:, _SIZE.stop])
    is_empty = headers[:, _NAME] == 0
    is_name = ~(is_empty[:, :-1] & ~is_empty[:, 1:]).any(axis=1)  # nothing after a NUL
    version = headers[:, 262]
    has_prefix = (version == 0) & (headers[:, _PREFIX] != 0)
    whole: Bool = (_octal(checksum[:, :6]) == total) & ends & is_name & ~has_prefix & _ends_field(version)
    return whole


def _ends_field(bytes_N: NDArray[np.uint8]) -> Bool:
    ends_N: Bool = (bytes_N == 0) | (bytes_N == ord(" "))
    return ends_N


def _sums(headers: NDArray[np.uint8]) -> Int64:
    """(N,) sums of the bytes of a header. Those of 256 fit in 16 bits, and are made in a third of
    the time."""
    halves = headers.reshape(-1, 2, BLOCK // 2).sum(axis=2, dtype=np.uint16)
    sums: Int64 = halves.sum(axis=1, dtype=np.int64)
    return sums


def _hold_times(contents: NDArray[np.uint8], sizes: Int64) -> Bool:
    """(N,) whether an extended header is one line, `LENGTH mtime=TIME`."""
    holds = np.zeros(len(sizes), dtype=np.bool_)
    for size in np.unique(sizes).tolist():
        line = np.frombuffer(b"%d mtime=" % size, np.uint8)
        some = np.flatnonzero(sizes == size)
        if size > len(line):
            begins = (contents[some, : len(line)] == line).all(axis=1)
            holds[some] = begins & (contents[some, size - 1] == ord("\n"))
    return holds
