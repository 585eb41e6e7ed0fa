"""What the pixels of registered images tell: copies, leaks between parts, blank images."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

from colt_core.data.digests import SortedDigests
from colt_core.data.warnings import MAX_EXAMPLES, DataWarning

Int64 = NDArray[np.int64]
NameOf = Callable[[int], str]

# Codes of findings that make accuracies too high.
LEAKS = frozenset(
    {
        *("test_images_in_training", "val_images_in_training", "training_holds_test_images"),
        *("pool_holds_test_images", "pool_nearly_holds_test_images"),
    }
)

_WHY_NO_COPIES = {
    "train": "they weigh more in training than others",
    "probe": "they weigh more in the probes than others",
    "val": "they count more than once in the validation",
    "test": "they count more than once in every accuracy",
    "pool": "a round may pick the same image several times",
}


def found_in_dataset(
    digests: SortedDigests,
    blank: Int64,
    labels: Int64,
    class_names: tuple[str, ...],
    parts: Mapping[str, Int64],
    name_of: NameOf,
) -> tuple[DataWarning, ...]:
    """Findings in a labelled data set. Examples are indices of images.

    Args:
        digests: of all images.
        blank: indices of the blank images.
        labels: (N,).
        parts: indices by part.
        name_of: what the source calls an image.
    """
    found = [*_blank(blank, name_of)]
    for part, indices in parts.items():
        found += _copies(digests.among(indices), part, f"of the {part} part", name_of)
    found += _two_labels(digests, labels, class_names, name_of)
    trained_on = digests.among(np.union1d(parts["train"], parts["probe"]))
    for held_out in ("val", "test"):
        leaked = digests.among(parts[held_out]).also_in(trained_on)
        # The probe part may hold training images, no held-out part does.
        if len(leaked):
            found.append(
                DataWarning(
                    f"{held_out}_images_in_training",
                    f"{_counted(len(leaked))} of the {held_out} part {_is(len(leaked))} in the train or probe part "
                    f"too, such as {name_of(leaked[0, 0])!r} and {name_of(leaked[0, 1])!r}. They are learned by heart, "
                    "so accuracies are too high; remove them from one of the parts.",
                    len(leaked),
                    _examples(leaked),
                )
            )
    return tuple(found)


def found_in_pool(digests: SortedDigests, blank: Int64, name_of: NameOf) -> tuple[DataWarning, ...]:
    """Findings in a pool. Args: as for :func:`found_in_dataset`."""
    return (*_blank(blank, name_of), *_copies(digests, "pool", "of the pool", name_of))


def found_between(
    pool: SortedDigests | None,
    trained_on: SortedDigests,
    tested_on: SortedDigests,
    one_data_set: bool,
    fitted_on: SortedDigests | None = None,
) -> tuple[DataWarning, ...]:
    """Images that a run's pool, training images and test images have in common.

    Args:
        pool: all images of the pool; its findings have indices of pool images as examples.
        trained_on: the training data, without its test part.
        tested_on: a test part.
        one_data_set: whether both are of one data set, whose registration has compared them. If
            not, examples of that finding are indices of the training data.
        fitted_on: the other parts of a separate data set with the test part, on which probes are
            fitted.
    """
    found = []
    if pool is not None and len(shared := pool.also_in(tested_on)):
        found.append(
            DataWarning(
                "pool_holds_test_images",
                f"{_counted(len(shared))} of the pool {_is(len(shared))} in the test part too: pool image "
                f"{shared[0, 0]} is image {shared[0, 1]} of the data set. A run that picks them trains on what it is "
                "tested with, and its accuracy is too high; remove them from the pool.",
                len(shared),
                _first(shared),
            )
        )
    if pool is not None and len(shared := pool.also_in(trained_on)):
        found.append(
            DataWarning(
                "pool_holds_training_images",
                f"{_counted(len(shared))} of the pool {_is(len(shared))} in the train, probe or val part too: pool "
                f"image {shared[0, 0]} is image {shared[0, 1]} of the data set. Such images are not out of "
                "distribution; what they add is not the effect of a pool.",
                len(shared),
                _first(shared),
            )
        )
    if pool is not None and fitted_on is not None and len(shared := pool.also_in(fitted_on)):
        found.append(
            DataWarning(
                "pool_holds_evaluation_images",
                f"{_counted(len(shared))} of the pool {_is(len(shared))} in the data set to evaluate on too, outside "
                f"of its test part: pool image {shared[0, 0]} is its image {shared[0, 1]}. A run that picks "
                "them has seen, without labels, what its probes are fitted on; remove them from the pool.",
                len(shared),
                _first(shared),
            )
        )
    if not one_data_set and len(shared := trained_on.also_in(tested_on)):
        found.append(
            DataWarning(
                "training_holds_test_images",
                f"{_counted(len(shared))} of the training data {_is(len(shared))} in the test part of the other data "
                f"set too: image {shared[0, 0]} is its image {shared[0, 1]}. The run trains on what it is tested "
                "with, and its accuracy is too high; remove them from the training data.",
                len(shared),
                _first(shared),
            )
        )
    return tuple(found)


def nearly_held(count: int, examples: tuple[int, ...], of_test: bool) -> DataWarning:
    """The warning about near-duplicates that a check of the pool found.

    Args:
        count: pool images that nearly, but not exactly, equal an image of the data set.
        examples: indices of pool images.
        of_test: whether those images are of the test part.
    """
    part, held = ("test part", "test") if of_test else ("train, probe or val part", "training")
    then = (
        "An accuracy on images that the run may train on is too high" if of_test else "They are not out of distribution"
    )
    detail = (
        f"{_counted(count)} of the pool nearly {'equals' if count == 1 else 'equal'} images of the {part}, as a check "
        f"of the pool found. {then}; remove them from the pool."
    )
    return DataWarning(f"pool_nearly_holds_{held}_images", detail, count, examples)


def damaged_left_out(names: list[str], total: int) -> DataWarning:
    """The warning about damaged files that a registration left out."""
    count = len(names)
    were = "was damaged and is" if count == 1 else "were damaged and are"
    detail = f"{_counted(count)} of {total:,} {were} left out, such as {names[0]!r}."
    return DataWarning("damaged_files_left_out", detail, count, tuple(names[:MAX_EXAMPLES]))


def _blank(blank: Int64, name_of: NameOf) -> list[DataWarning]:
    if not len(blank):
        return []
    has = "has" if len(blank) == 1 else "have"
    return [
        DataWarning(
            "blank_images",
            f"{_counted(len(blank))} {has} a single colour, such as {name_of(int(blank[0]))!r}. There is nothing to "
            "learn from them; check whether something went wrong when they were made.",
            len(blank),
            tuple(blank[:MAX_EXAMPLES].tolist()),
        )
    ]


def _copies(digests: SortedDigests, part: str, of_it: str, name_of: NameOf) -> list[DataWarning]:
    count, pairs = digests.copies()
    if not count:
        return []
    return [
        DataWarning(
            f"duplicates_within_{part}",
            f"{count:,} of the {len(digests.index):,} images {of_it} {_is(count)} exact "
            f"{'copy' if count == 1 else 'copies'} of others, such as {name_of(pairs[0, 1])!r} of "
            f"{name_of(pairs[0, 0])!r}: {_WHY_NO_COPIES[part]}.",
            count,
            _examples(pairs),
        )
    ]


def _two_labels(
    digests: SortedDigests, labels: Int64, class_names: tuple[str, ...], name_of: NameOf
) -> list[DataWarning]:
    if not len(digests.digest):
        return []
    starts = np.flatnonzero(np.concatenate([[True], digests.digest[1:] != digests.digest[:-1]]))
    label = labels[digests.index]
    differ = np.flatnonzero(np.minimum.reduceat(label, starts) != np.maximum.reduceat(label, starts))
    if not len(differ):
        return []
    sizes = np.diff(np.append(starts, len(label)))
    by_first = differ[np.argsort(digests.index[starts[differ]])]
    pairs = []
    for group in by_first[: MAX_EXAMPLES // 2]:
        run = slice(starts[group], starts[group] + sizes[group])
        images, their_labels = digests.index[run], label[run]
        pairs.append((images[0], images[np.flatnonzero(their_labels != their_labels[0])[0]]))
    (first, second), count = pairs[0], int(sizes[differ].sum())
    return [
        DataWarning(
            "same_image_under_two_labels",
            f"{count:,} images are equal to an image of another class, such as {name_of(first)!r} "
            f"({class_names[labels[first]]!r}) and {name_of(second)!r} ({class_names[labels[second]]!r}). No "
            "classifier can be right on both; correct their labels.",
            count,
            _examples(np.array(pairs)),
        )
    ]


def _examples(pairs: Int64) -> tuple[int, ...]:
    """The first pairs, one after the other."""
    return tuple(pairs[: MAX_EXAMPLES // 2].ravel().tolist())


def _first(pairs: Int64) -> tuple[int, ...]:
    """The first images of the pairs."""
    return tuple(pairs[:MAX_EXAMPLES, 0].tolist())


def _counted(count: int) -> str:
    return "1 image" if count == 1 else f"{count:,} images"


def _is(count: int) -> str:
    return "is" if count == 1 else "are"
