"""Opens folders, archives and files as sources of images, with or without labels."""

from __future__ import annotations

import os
import stat
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from colt_core.data.archives import open_archive
from colt_core.data.beneath import Root
from colt_core.data.errors import DataError
from colt_core.data.folders import Folder, HeldFile, Readable, open_inside
from colt_core.data.gunzip import is_gzip
from colt_core.data.layouts.kinds import LayoutKind, layouts
from colt_core.data.layouts.layout import Layout, Opened
from colt_core.data.limits import Limits
from colt_core.data.names import image_names
from colt_core.data.sources import LabelledSource, UnlabelledSource
from colt_core.data.spec import TableColumns
from colt_core.kinds import unknown_kind

_HEAD_BYTES = 4096


def open_labelled(
    path: Path,
    *,
    layout: str | None = None,
    table: TableColumns | None = None,
    lists: Mapping[str, Path] | None = None,
    root: Path | None = None,
    limits: Limits | None = None,
) -> LabelledSource:
    """Open a labelled source: a folder, an archive (zip, tar, tar.gz) or a file.

    Args:
        path: the folder or file.
        layout: the layout that the data must have, see `layouts/kinds.py`. None: the first one
            that recognises them.
        table: the columns of a table beside the images. None: guessed.
        lists: list files of the parts `train`, `val` and `test`, elsewhere than in `path`.
        root: everything that is read must be inside this folder, links included. Default: `path`.
        limits: limits on files and sizes.

    Raises:
        DataError: if the data cannot be used; the message says what to change.
    """
    opened = replace(_opened(path, root, limits or Limits()), table=table, lists=lists or {})
    kind, opened = _recognised(opened, layout, for_pool=False)
    return replace(_implementation(kind).open_labelled(opened), layout=kind.kind)


def open_unlabelled(
    path: Path,
    *,
    layout: str | None = None,
    table: TableColumns | None = None,
    root: Path | None = None,
    limits: Limits | None = None,
) -> UnlabelledSource:
    """Open an unlabelled source: images in any arrangement, or a layout that can be a pool.

    Args and Raises: as for :func:`open_labelled`.
    """
    opened = replace(_opened(path, root, limits or Limits()), table=table)
    kind, opened = _recognised(opened, layout, for_pool=True)
    return replace(_implementation(kind).open_unlabelled(opened), layout=kind.kind)


def _recognised(opened: Opened, wanted: str | None, for_pool: bool) -> tuple[type[LayoutKind], Opened]:
    """The layout of the data, and the data opened for it."""
    if opened.lists:
        if wanted not in (None, "lists"):
            raise DataError(f"lists were given, which data with the layout {wanted!r} do not use; leave one out")
        wanted = "lists"
    kinds = [kind for kind in layouts.values() if (kind.for_pools if for_pool else kind.for_datasets)]
    if wanted is not None:
        if wanted not in layouts:
            raise DataError(unknown_kind(layouts, wanted))
        kinds = [kind for kind in kinds if kind.kind == wanted]
        if not kinds:
            raise DataError(f"data with the layout {wanted!r} cannot be {'a pool' if for_pool else 'a data set'}")
    opened = replace(opened, insisted=wanted is not None)
    if opened.file is not None:
        if (kind := _first(kinds, opened)) is not None:
            return kind, opened
        opened = replace(opened, files=open_archive(opened.file, opened.limits))
    if (kind := _first(kinds, opened)) is not None:
        return kind, opened
    if wanted is None:
        image_names(opened.names)  # names what is in the way
        raise DataError(f"no known layout fits; found {opened.found()}. Layouts: {', '.join(layouts)}")
    if opened.lists:
        raise DataError(f"the lists name image files, but there are none; found {opened.found()}. Leave the lists out")
    raise DataError(
        f"the data do not have the layout {wanted!r}; found {opened.found()}. Leave `layout` out, or arrange them so: "
        f"{layouts[wanted].summary()}"
    )


def _first(kinds: list[type[LayoutKind]], opened: Opened) -> type[LayoutKind] | None:
    return next((kind for kind in kinds if _implementation(kind).recognises(opened)), None)


def _implementation(kind: type[LayoutKind]) -> Layout:
    layout: Layout = kind.load()()
    return layout


def _opened(path: Path, root: Path | None, limits: Limits) -> Opened:
    """The folder or file at `path`, opened beneath `root`."""
    name = path.name
    try:
        if root is None:
            path = path.resolve(strict=True)
            root = path if path.is_dir() else path.parent
        beneath = Root(root)
        inside = _relative(path, root, beneath)
    except (OSError, RuntimeError) as error:
        raise DataError(f"{name!r} does not exist, or is a broken link") from error
    descriptor = open_inside(beneath, inside, name)
    if stat.S_ISDIR(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return Opened(name, limits, files=Folder(beneath, inside, limits))
    try:
        file = HeldFile(descriptor, name)
    except DataError as error:
        raise DataError(f"{name!r} is neither a folder nor a file") from error
    return Opened(name, limits, file=file, head=_head(file))


def _relative(path: Path, root: Path, beneath: Root) -> str:
    """The path from the root. What it leads to is only known once it is opened."""
    for start in (root, beneath.path):
        if path.is_relative_to(start):
            return str(path.relative_to(start))
    return os.path.relpath(path.resolve(strict=True), beneath.path)


def _head(file: Readable) -> bytes:
    with file.open("rb") as stream:
        head = stream.read(_HEAD_BYTES)
    if not is_gzip(head):
        return head
    try:
        return zlib.decompressobj(wbits=31).decompress(head, _HEAD_BYTES)
    except zlib.error:
        return b""
