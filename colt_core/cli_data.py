"""The command line's data options `--data` and `--pool`, and how they are read."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

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


class Unusable(Exception):
    """The user's input cannot be used. Only the message is shown."""


def add_data_options(command: argparse.ArgumentParser) -> None:
    """The options that `open_data` reads."""
    command.add_argument(
        "--data",
        required=True,
        help="labelled images: a folder or archive of [train|val|test/]CLASS/IMAGE, an .npz, a saved data set, or the "
        "sample 'digits'",
    )
    command.add_argument(
        "--no-labels",
        action="store_true",
        help="--data is images alone, in any folders, an archive, an .npz, .npy or a saved pool; all are trained on",
    )
    command.add_argument(
        "--pool", help="OOD images: any folder or archive, an .npz, a saved pool, or 'glyphs-and-patches'"
    )
    command.add_argument("--image-size", type=int, metavar="PIXELS", help="resize all images to this side")
    command.add_argument("--imbalance-ratio", type=float, metavar="IR", help="cut the training part long-tailed (exp)")
    command.add_argument(
        "--max-per-class", type=int, metavar="N", help="with --imbalance-ratio: images of the largest class"
    )


def open_data(arguments: argparse.Namespace) -> tuple[ImageDataset | ImagePool, ImagePool | None]:
    """The data set, and the pool if one is named.

    Raises:
        Unusable: if they cannot be read, or contradict other options.
    """
    pool = None if arguments.pool is None else _unlabelled("--pool", arguments.pool, arguments.image_size)
    if not arguments.no_labels:
        return _dataset(arguments), pool
    if (arguments.imbalance_ratio, arguments.max_per_class) != (None, None):
        raise Unusable("--no-labels: a long tail is cut by class; leave out --imbalance-ratio and --max-per-class")
    if (Path(arguments.data) / LABELS).is_file():
        raise Unusable(f"--data {arguments.data} has labels and a test part: leave out --no-labels")
    return _unlabelled("--data", arguments.data, arguments.image_size), pool


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
        found = _labelled("--evaluate-on", arguments.evaluate_on, DatasetSpec(image_size=arguments.image_size))
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
        if (arguments.image_size, arguments.imbalance_ratio, arguments.max_per_class) != (None, None, None):
            raise Unusable("a saved data set is cut and resized already: leave out size and cut")
        return ImageDataset.load(path)
    ratio, head = arguments.imbalance_ratio, arguments.max_per_class
    if head is not None and ratio is None:
        raise Unusable("--max-per-class needs a long-tail cut: give --imbalance-ratio too")
    with _checking():
        long_tail = None if ratio is None else LongTail(profile="exp", imbalance_ratio=ratio, max_per_class=head)
        spec = DatasetSpec(image_size=arguments.image_size, long_tail=long_tail)
    return _labelled("--data", arguments.data, spec)


def _labelled(option: str, named: str, spec: DatasetSpec) -> ImageDataset:
    path = Path(named)
    is_sample = named == "digits" and not path.exists()
    with _naming(option, named), _reading(option.strip("-")) as progress:
        return build_dataset(sample_labelled("digits") if is_sample else open_labelled(path), spec, progress=progress)


def _unlabelled(option: str, named: str, image_size: int | None) -> ImagePool:
    path = Path(named)
    if is_artifact(path):
        return ImagePool.load(path)
    with _checking():
        spec = PoolSpec(image_size=image_size)
    is_sample = named == "glyphs-and-patches" and not path.exists()
    with _naming(option, named), _reading(option.strip("-")) as progress:
        source = sample_unlabelled("glyphs-and-patches") if is_sample else open_unlabelled(path)
        return build_pool(source, spec, progress=progress)


@contextmanager
def _checking() -> Iterator[None]:
    """Turn an option's value out of range into an error that names the setting."""
    try:
        yield
    except ValidationError as error:
        raise Unusable("; ".join(f"{item['loc'][0]}: {item['msg']}" for item in error.errors())) from error


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
