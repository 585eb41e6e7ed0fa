"""The layouts that data can have. Imports neither torch nor numpy.

To add a layout, write a class with the protocol `Layout` of `layout.py` in a new file. Then
register it here, above `folders`: layouts are tried in this order, and any tree of images has the
last one.
"""

from __future__ import annotations

from typing import ClassVar

from colt_core.kinds import Registry, Settings, name_of

ARCHIVE_ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz")


class LayoutKind(Settings):
    """One layout. It has no settings.

    Attributes:
        for_datasets, for_pools: whether it can be registered as a data set, and as a pool.
        endings: names of single files with this layout end so, beside those of archives.
        pool_endings: the same, for pools alone.
    """

    for_datasets: ClassVar[bool] = True
    for_pools: ClassVar[bool] = True
    endings: ClassVar[tuple[str, ...]] = ()
    pool_endings: ClassVar[tuple[str, ...]] = ()


layouts: Registry[LayoutKind] = Registry("layout")


@layouts.register
class ArraysLayout(LayoutKind):
    """One npz of arrays: images, labels, optionally val and test parts. A pool may be an npy."""

    kind = "arrays"
    title = "Arrays (npz)"
    implementation = "colt_core.data.layouts.arrays:Arrays"
    endings = (".npz",)
    pool_endings = (".npy",)


@layouts.register
class IdxLayout(LayoutKind):
    """The files of MNIST, such as `train-images-idx3-ubyte` and its labels, gzipped or not."""

    kind = "idx"
    title = "IDX (MNIST)"
    implementation = "colt_core.data.layouts.idx:Idx"
    pool_endings = ("-ubyte", "-ubyte.gz")


@layouts.register
class CifarLayout(LayoutKind):
    """The python or binary archive of CIFAR-10, CIFAR-100 or downsampled ImageNet."""

    kind = "cifar"
    title = "CIFAR archive"
    implementation = "colt_core.data.layouts.cifar:Cifar"


@layouts.register
class TinyImageNetLayout(LayoutKind):
    """`train/CLASS/images/IMAGE`, and `val/` with the file `val_annotations.txt`."""

    kind = "tiny-imagenet"
    title = "Tiny ImageNet"
    implementation = "colt_core.data.layouts.tiny_imagenet:TinyImageNet"


@layouts.register
class ParquetLayout(LayoutKind):
    """Parquet files of images, as Hugging Face `datasets` writes them: `train-00000.parquet`."""

    kind = "parquet"
    title = "Parquet (Hugging Face)"
    implementation = "colt_core.data.layouts.parquet:Parquet"
    endings = (".parquet",)


@layouts.register
class WebdatasetLayout(LayoutKind):
    """Tars of samples, as webdataset reads them: `0001.jpg` and its label `0001.cls`."""

    kind = "webdataset"
    title = "Webdataset (tar shards)"
    implementation = "colt_core.data.layouts.webdataset:Webdataset"


@layouts.register
class ListsLayout(LayoutKind):
    """Images in any folders, and a list of `PATH LABEL` lines for each part, as `train.txt`."""

    kind = "lists"
    title = "Lists of images"
    implementation = "colt_core.data.layouts.lists:Lists"


@layouts.register
class TableLayout(LayoutKind):
    """Images and a table beside them (CSV, TSV, JSON lines) of their paths and labels."""

    kind = "table"
    title = "Table beside the images"
    implementation = "colt_core.data.layouts.table:TableOfImages"
    for_pools = False


@layouts.register
class FoldersLayout(LayoutKind):
    """Class folders of images, optionally within folders for the parts: `train/CLASS/IMAGE`."""

    kind = "folders"
    title = "Class folders"
    implementation = "colt_core.data.layouts.folders:Folders"


LayoutName = name_of(layouts)


def dataset_endings() -> tuple[str, ...]:
    """How names of files that can be registered as data sets end."""
    return _distinct(*(kind.endings for kind in layouts.values() if kind.for_datasets))


def pool_endings() -> tuple[str, ...]:
    """How names of files that can be registered as pools end."""
    return _distinct(*(kind.endings + kind.pool_endings for kind in layouts.values() if kind.for_pools))


def _distinct(*endings: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys([*ARCHIVE_ENDINGS, *(ending for some in endings for ending in some)]))
