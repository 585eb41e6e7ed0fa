"""Reads the headers of many small members of a tar at once.

A header at a time takes the interpreter as long as a small image takes to decode. Here a window of
the tar is looked at as an array of blocks. Only ordinary headers are known, as tarfile and GNU tar
write them. Files and folders have short names there, and an extended header holds a time alone.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from colt_core.data.tar_members import ROW, SMALL, Members

BLOCK = 512
_NAME, _SIZE, _CHECKSUM, _KIND, _PREFIX = slice(0, 100), slice(124, 135), slice(148, 156), 156, 345
_MAGIC, _USTAR = 257, b"ustar"
_FILE, _FOLDER, _PAX = b"05x"
_OCTAL = 8 ** np.arange(10, -1, -1)

Bool = NDArray[np.bool_]
Int64 = NDArray[np.int64]


def ordinary_members(window: bytes, start: int, max_bytes: int) -> tuple[Members, int, int]:
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
    at = at[_texts(blocks, at, slice(_MAGIC, _MAGIC + len(_USTAR))) == _USTAR]
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
    timed = timed[_hold_times(blocks, timed + 1, size_of[timed])]
    after[timed], row_of[timed] = after[timed + 2], timed + 2  # the member that follows
    starts, next_of, block = [], after.tolist(), 0
    while block < count and next_of[block]:
        starts.append(block)
        block = next_of[block]
    begins = np.array(starts, dtype=np.int64)
    members = row_of[begins]
    names = _texts(blocks, members, _NAME).tolist()
    texts = b"\0".join(names).decode("utf-8", "surrogateescape").split("\0") if names else []
    found = Members(texts, np.zeros(len(members), ROW))
    found.rows["offset"] = start + (members + 1) * BLOCK
    found.rows["size"] = size_of[members]
    found.rows["is_folder"] = blocks[members, _KIND] == _FOLDER
    _keep_small_contents(found, blocks, members)
    extended = begins[members != begins]
    claimed = BLOCK * (len(members) + len(extended)) + int(size_of[members].sum() + size_of[extended].sum())
    return found, block * BLOCK, claimed


def _keep_small_contents(found: Members, blocks: NDArray[np.uint8], members: Int64) -> None:
    """The contents of files of a few bytes, where NULs follow them alone and they end with none."""
    sizes = found.rows["size"]
    small = np.flatnonzero((sizes > 0) & (sizes <= SMALL) & (members + 1 < len(blocks)))
    contents = _texts(blocks, members[small] + 1, slice(SMALL))
    whole = np.char.str_len(contents) == sizes[small]
    found.rows["content"][small[whole]] = contents[whole]


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


def _hold_times(blocks: NDArray[np.uint8], rows: Int64, sizes: Int64) -> Bool:
    """(N,) whether the extended header in each of these blocks is one line, `LENGTH mtime=TIME`."""
    holds = np.zeros(len(sizes), dtype=np.bool_)
    for size in np.unique(sizes).tolist():
        line = b"%d mtime=" % size
        some = np.flatnonzero(sizes == size)
        if size > len(line):
            begins = _texts(blocks, rows[some], slice(len(line))) == line
            holds[some] = begins & (blocks[rows[some], size - 1] == ord("\n"))
    return holds


def _texts(blocks: NDArray[np.uint8], rows: Int64, field: slice) -> NDArray[np.bytes_]:
    """(N,) a field of some blocks, without NULs at its end."""
    texts = np.ascontiguousarray(blocks[rows, field])
    return texts.view(f"S{texts.shape[1]}").reshape(-1)
