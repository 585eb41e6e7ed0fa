"""Whether a control on balanced data is one: its data, beside those that it controls for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from api.experiments.arms import Arm
from api.experiments.checks import Locate
from api.experiments.schemas import NewExperiment
from api.http.errors import Unprocessable
from api.jobs.submission import Fitting
from store.models import Dataset

# The largest class over the smallest, and the larger training part over the smaller. A balanced
# cut has equal classes, and the total of an `exp` cut. Some images may be lost, such as copies.
MOST_RATIO = 1.1

_AGAIN = "register the same images with the long-tail profile 'balanced', and the cut's max_per_class and ratio"


def check_controls(
    wanted: NewExperiment, arms: Sequence[Arm], fitting: Mapping[tuple[int, str], Fitting], locate: Locate
) -> None:
    """Check the `balanced_dataset_ids` of a request. An arm's own `train_on` may be any data.

    Args:
        fitting: by position of the arm and id of the data set.

    Raises:
        Unprocessable: one is not balanced, has other classes, or far fewer or more images.
    """
    if wanted.balanced_dataset_ids is None:
        return
    problems: dict[str, str] = {}
    for position, arm in enumerate(arms):
        for number, dataset_id in enumerate(wanted.dataset_ids if arm.train_on is not None else ()):
            found = fitting[position, dataset_id]
            for what in _misfits(found.dataset, found.evaluated):
                where, told = locate(position, number, "/dataset_id", what)
                problems.setdefault(where, told)
    if problems:
        raise Unprocessable(*problems.items())


def _misfits(control: Dataset, beside: Dataset) -> Iterator[str]:
    """Why a data set is no balanced control for another. The first reason is the one to say."""
    if control.id == beside.id:
        yield f"'{control.name}' is the data set that it is a control for: {_AGAIN}"
    if not control.class_counts:
        yield f"'{control.name}' has no labels, so nothing shows that it is balanced: {_AGAIN}"
        return
    if control.class_names != beside.class_names:
        yield f"'{control.name}' has other classes than '{beside.name}': {_AGAIN}"
    least, most = min(control.class_counts), max(control.class_counts)
    if _apart(least, most, 1):
        yield f"'{control.name}' is not balanced, its classes have {least:,} to {most:,} training images: {_AGAIN}"
    ours, theirs = sum(control.class_counts), sum(beside.class_counts or ())
    if _apart(min(ours, theirs), max(ours, theirs), len(control.class_counts)):
        counts = f"'{control.name}' has {ours:,} training images, '{beside.name}' has {theirs:,}"
        yield f"{counts}, so the number of images would differ and not only the balance: {_AGAIN}"


def _apart(few: int, many: int, remainder: int) -> bool:
    """Whether two counts differ by more than is left over when images are shared among classes."""
    return many - few > remainder and many > MOST_RATIO * few
