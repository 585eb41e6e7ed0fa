"""The command line's data options `--data` and `--pool`, and how they are read."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError
from tqdm import tqdm

from colt_core.data import (
    DataError,
    DatasetSpec,
    ImageDataset,
    ImagePool,
    LongTail,
    PoolSpec,
    build_dataset,
    build_pool,
    is_artifact,
    open_labelled,
    open_unlabelled,
    sample_labelled,
    sample_unlabelled,
)
from colt_core.data.dataset import LABELS
from colt_core.data.labelled import PARTS_READ
from colt_core.data.layouts.kinds import layouts

_IMAGE_OPTIONS = ("image_size", "fit", "background", "bit_depth", "value_range")


class Unusable(Exception):
    """The user's input cannot be used. Only the message is shown."""


def add_data_options(command: argparse.ArgumentParser) -> None:
    """The options that `open_data` reads."""
    command.add_argument(
        "--data",
        required=True,
        help="labelled images: a folder, archive or file of a known layout, such as [train|val|test/]CLASS/IMAGE; a "
        "saved data set; or the sample 'digits'",
    )
    command.add_argument("--pool", help="OOD images: a folder, archive or file, a saved pool, or 'glyphs-and-patches'")
    command.add_argument("--layout", choices=list(layouts), help="the layout that --data must have")
    for part in PARTS_READ:
        command.add_argument(
            f"--{part}-list", type=Path, metavar="FILE", help=f"list of the {part} images: lines of PATH LABEL, or CSV"
        )
    command.add_argument(
        "--rename-class",
        action="append",
        default=[],
        metavar="OLD=NEW",
        help="rename a class; two of one name become one. Repeat it for others",
    )
    command.add_argument(
        "--no-labels",
        action="store_true",
        help="--data is images alone, in any folders, an archive, an .npz, .npy or a saved pool; all are trained on",
    )
    command.add_argument("--image-size", type=int, metavar="PIXELS", help="resize all images to this side")
    command.add_argument(
        "--fit",
        choices=["crop", "squash", "pad"],
        help="with --image-size: how an image becomes a square (default: crop)",
    )
    command.add_argument("--background", metavar="#RRGGBB", help="colour under transparent pixels, and of padding")
    command.add_argument(
        "--bit-depth", choices=["refuse", "scale"], help="gray images of 16 bits: map their values to 0..255 with scale"
    )
    command.add_argument(
        "--value-range",
        type=int,
        nargs=2,
        metavar=("LOW", "HIGH"),
        help="with --bit-depth scale: the values that become 0 and 255, of --data and --pool alike",
    )
    command.add_argument("--imbalance-ratio", type=float, metavar="IR", help="cut the training part long-tailed (exp)")
    command.add_argument(
        "--max-per-class", type=int, metavar="N", help="with --imbalance-ratio: images of the largest class"
    )


def open_data(arguments: argparse.Namespace) -> tuple[ImageDataset | ImagePool, ImagePool | None]:
    """The data set, and the pool if one is named.

    Raises:
        Unusable: if they cannot be read, or contradict other options.
    """
    pool = None if arguments.pool is None else _unlabelled("--pool", arguments.pool, arguments)
    if not arguments.no_labels:
        return _dataset(arguments), pool
    if (arguments.imbalance_ratio, arguments.max_per_class) != (None, None):
        raise Unusable("--no-labels: a long tail is cut by class; leave out --imbalance-ratio and --max-per-class")
    if arguments.rename_class or _lists(arguments):
        raise Unusable("--no-labels: lists and names are of labels; leave out --rename-class and lists")
    if (Path(arguments.data) / LABELS).is_file():
        raise Unusable(f"--data {arguments.data} has labels and a test part: leave out --no-labels")
    return _unlabelled("--data", arguments.data, arguments), pool


def open_evaluated(arguments: argparse.Namespace, side: int) -> ImageDataset | None:
    """The data set that `--evaluate-on` names, if any.

    Args:
        side: the side of the training images, in pixels.

    Raises:
        Unusable: if it cannot be read, or has images of another size.
    """
    if arguments.evaluate_on is None:
        return None
    path = Path(arguments.evaluate_on)
    if is_artifact(path):
        found = ImageDataset.load(path)
    else:
        with _checking():
            spec = DatasetSpec(**_of_images(arguments))
        found = _labelled("--evaluate-on", arguments.evaluate_on, spec)
    if found.image_size != side:
        sizes = f"its images have {found.image_size} px, the training images {side} px"
        raise Unusable(f"--evaluate-on {arguments.evaluate_on}: {sizes}; give --image-size")
    return found


def is_follower() -> bool:
    """Whether another process of the run writes files and output."""
    return os.environ.get("RANK", "0") != "0"


def _dataset(arguments: argparse.Namespace) -> ImageDataset:
    path = Path(arguments.data)
    if is_artifact(path):
        if _of_images(arguments) or (arguments.imbalance_ratio, arguments.max_per_class) != (None, None):
            raise Unusable("a saved data set is cut and resized already: leave out settings of images and cut")
        if arguments.layout or arguments.rename_class or _lists(arguments):
            raise Unusable("a saved data set has its labels already: leave out layout, lists and names")
        return ImageDataset.load(path)
    ratio, head = arguments.imbalance_ratio, arguments.max_per_class
    if head is not None and ratio is None:
        raise Unusable("--max-per-class needs a long-tail cut: give --imbalance-ratio too")
    with _checking():
        long_tail = None if ratio is None else LongTail(profile="exp", imbalance_ratio=ratio, max_per_class=head)
        spec = DatasetSpec(
            **_of_images(arguments),
            long_tail=long_tail,
            layout=arguments.layout,
            label_names=_new_names(arguments.rename_class),
        )
    return _labelled("--data", arguments.data, spec, _lists(arguments))


def _of_images(arguments: argparse.Namespace) -> dict[str, Any]:
    """The given settings of images, by their names in `ImageSpec`."""
    given = {name: getattr(arguments, name) for name in _IMAGE_OPTIONS}
    return {name: value for name, value in given.items() if value is not None}


def _lists(arguments: argparse.Namespace) -> dict[str, Path]:
    given = {part: getattr(arguments, f"{part}_list") for part in PARTS_READ}
    lists = {part: path for part, path in given.items() if path is not None}
    for part, path in lists.items():
        if not path.is_file():
            raise Unusable(f"--{part}-list {path}: there is no such file")
    return lists


def _new_names(pairs: list[str]) -> dict[str, str] | None:
    for pair in pairs:
        if "=" not in pair:
            raise Unusable(f"--rename-class {pair}: write it as OLD=NEW")
    return {old: new for old, _, new in (pair.partition("=") for pair in pairs)} or None


D = TypeVar("D", ImageDataset, ImagePool)


def _warned(option: str, data: D) -> D:
    """The data, after their warnings were shown."""
    if not is_follower():
        for warning in data.warnings:
            tqdm.write(f"{option}: {warning.detail} ({warning.count:,})", file=sys.stderr)
    return data


def _labelled(option: str, named: str, spec: DatasetSpec, lists: Mapping[str, Path] | None = None) -> ImageDataset:
    path = Path(named)
    is_sample = named == "digits" and not path.exists()
    if is_sample and (spec.layout or lists):
        raise Unusable("the sample has its labels already: leave out layout and lists")
    with _naming(option, named), _reading(option.strip("-")) as progress:
        source = sample_labelled("digits") if is_sample else open_labelled(path, layout=spec.layout, lists=lists)
        return _warned(option, build_dataset(source, spec, progress=progress))


def _unlabelled(option: str, named: str, arguments: argparse.Namespace) -> ImagePool:
    path = Path(named)
    if is_artifact(path):
        return ImagePool.load(path)
    with _checking():
        spec = PoolSpec(**_of_images(arguments))
    is_sample = named == "glyphs-and-patches" and not path.exists()
    with _naming(option, named), _reading(option.strip("-")) as progress:
        source = sample_unlabelled("glyphs-and-patches") if is_sample else open_unlabelled(path)
        return _warned(option, build_pool(source, spec, progress=progress))


@contextmanager
def _checking() -> Iterator[None]:
    """Turn an option's value out of range into an error that names the setting."""
    try:
        yield
    except ValidationError as error:
        lines = [": ".join((*map(str, item["loc"][:1]), item["msg"])) for item in error.errors()]
        raise Unusable("; ".join(lines)) from error


@contextmanager
def _reading(what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar over the images of one source."""
    with tqdm(desc=f"reading {what}", unit="image", disable=is_follower() or None, leave=False) as bar:

        def progress(done: int, total: int) -> None:
            bar.total, bar.n = total, done
            bar.refresh()

        yield progress


@contextmanager
def _naming(option: str, value: str) -> Iterator[None]:
    """Turn a DataError into an error that names the option."""
    try:
        yield
    except DataError as error:
        raise Unusable(f"{option} {value}: {error}") from error
