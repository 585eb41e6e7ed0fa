"""What a layout has to do, and what it is given to look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Protocol

from colt_core.data.errors import DataError
from colt_core.data.folders import Readable
from colt_core.data.limits import Limits
from colt_core.data.names import (
    IMAGE_SUFFIXES,
    are_plain,
    is_hidden,
    last_ending,
    last_endings,
    may_hold_labels,
    split_ending,
)
from colt_core.data.sources import Files, LabelledSource, UnlabelledSource
from colt_core.data.spec import TableColumns
from colt_core.data.warnings import DataWarning

_KINDS_SHOWN = 5


@dataclass(frozen=True)
class Opened:
    """A folder, an archive or one other file, whose layout is not known yet.

    Attributes:
        name: what to call it in messages.
        limits: limits on files and sizes.
        file: the one file that it is; it may be an archive. None: a folder.
        files: the files of the folder or archive. None: one file, which may still be an archive.
        head: the first bytes of one file, unpacked if it is a gzip. Empty for a folder.
        table: the columns that the user named.
        lists: list files that the user gave, by part. They are outside the data.
        insisted: whether the user named the layout.
    """

    name: str
    limits: Limits
    file: Readable | None = None
    files: Files | None = None
    head: bytes = b""
    table: TableColumns | None = None
    lists: Mapping[str, Path] = field(default_factory=dict)
    insisted: bool = False

    @cached_property
    def names(self) -> list[str]:
        """The names in the folder or archive, sorted, without hidden and system files."""
        if self.files is None:
            return []
        names = self.files.names
        return sorted(names if are_plain(names) else (name for name in names if not is_hidden(name)))

    @cached_property
    def others(self) -> list[str]:
        """Those of `names` that do not end as images do."""
        if last_endings(self.names) <= IMAGE_SUFFIXES:
            return []
        return [name for name in self.names if last_ending(name) not in IMAGE_SUFFIXES]

    def contents(self, names: Iterable[str], most: int | None = None) -> dict[str, bytes]:
        """Read several whole files, in one pass over the archive.

        Args:
            names: the files.
            most: bytes of each. Default: `Limits.max_array_bytes`.

        Raises:
            DataError: for a file that is damaged, missing or too large.
        """
        assert self.files is not None
        wanted = set(names)
        found: dict[str, bytes] = {}
        read_bytes = 0
        for name, content in self.files.read(wanted, self.limits.max_array_bytes if most is None else most):
            found[name] = content
            read_bytes += len(content)
            if read_bytes > self.limits.max_memory_bytes:
                raise DataError(
                    f"{name!r} and the files read with it are larger than {self.limits.max_memory_bytes:,} bytes; "
                    "split the data up"
                )
        if lacking := wanted - set(found):
            raise DataError(f"{min(lacking)!r} is missing: the data changed while they were read; try again")
        return found

    def content(self, name: str) -> bytes:
        """Read one whole file, no larger than an image may be."""
        return self.contents([name], self.limits.max_file_bytes)[name]

    def whole_file(self) -> bytes:
        """Read the one file that this is.

        Raises:
            DataError: if it is larger than `Limits.max_array_bytes`.
        """
        most = self.limits.max_array_bytes
        assert self.file is not None
        with self.file.open("rb") as stream:
            content = stream.read(min(self.file.stat().st_size, most) + 1)
        if len(content) > most:
            raise DataError(f"{self.name!r} is larger than {most:,} bytes; split it up")
        return content

    def passed_over(self, *used: str) -> list[DataWarning]:
        """A warning about tables and lists that the layout does not read, except those `used`."""
        unread = [name for name in self.others if may_hold_labels(name) and name not in used]
        if not unread:
            return []
        detail = f"Files that may hold labels were not read, such as {unread[0]!r}."
        return [DataWarning("files_passed_over", detail, len(unread), tuple(unread))]

    def found(self) -> str:
        """What there is, for a refusal: the most common endings, each with its first file."""
        if self.files is None:
            return f"the file {self.name!r}"
        first: dict[str, str] = {}
        count: Counter[str] = Counter()
        for name in self.names:
            suffix = split_ending(name)[1]
            first.setdefault(suffix, name)
            count[suffix] += 1
        shown = [
            f"{number:,} {suffix or 'without an ending'} ({first[suffix]!r}{', ...' if number > 1 else ''})"
            for suffix, number in count.most_common(_KINDS_SHOWN)
        ]
        more = len(count) - len(shown)
        return ", ".join(shown) + (f" and {more} other kinds" if more > 0 else "") if shown else "no files"


class Layout(Protocol):
    """One layout. Its kind in `kinds.py` says whether both `open_` methods are called."""

    def recognises(self, opened: Opened) -> bool:
        """Whether the data have this layout: by names, first bytes, or a look into a small file.

        It is asked about one file first (`opened.files` is None). If no layout recognises that, the
        file is opened as an archive, and all layouts are asked again. It does not raise.
        """
        ...

    def open_labelled(self, opened: Opened) -> LabelledSource:
        """Open a data set that it recognises, or raise DataError: what does not fit, what to do."""
        ...

    def open_unlabelled(self, opened: Opened) -> UnlabelledSource:
        """Open a pool that it recognises. Raises as `open_labelled`."""
        ...
