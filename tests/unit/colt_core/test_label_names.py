"""`label_names` renames classes, and makes one of several."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from colt_core.data import DataError, DatasetSpec, build_dataset, open_labelled
from colt_core.data.sources import LabelledSource
from tests.support.data_files import labelled_files, write_folder


@pytest.fixture
def source(tmp_path: Path) -> LabelledSource:
    return open_labelled(write_folder(tmp_path / "d", labelled_files({"cat": 5, "dog": 4, "fox": 3})))


def test_classes_are_renamed_by_name_or_in_order(source: LabelledSource) -> None:
    by_name = build_dataset(source, DatasetSpec(label_names={"dog": "hound"}))
    assert (by_name.class_names, by_name.class_counts) == (("cat", "hound", "fox"), [4, 3, 2])
    in_order = build_dataset(source, DatasetSpec(label_names=("a", "b", "c")))
    assert in_order.class_names == ("a", "b", "c") and np.array_equal(in_order.labels, by_name.labels)


def test_classes_of_one_name_become_one(source: LabelledSource) -> None:
    dataset = build_dataset(source, DatasetSpec(label_names={"dog": "canine", "fox": "canine"}))
    assert dataset.class_names == ("cat", "canine") and sum(dataset.class_counts) == 10
    assert dataset.layout == "folders"


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"cow": "x"}, "label_names renames 'cow', but no class has that name; the classes are 'cat', 'dog', 'fox'"),
        (("a", "b"), "label_names has 2 names for 3 classes: 'cat', 'dog', 'fox'"),
        (("a", "a", "a"), "only one class found"),
        ({"cat": "\x00"}, "cannot be shown"),
    ],
)
def test_names_that_do_not_fit_are_refused(
    source: LabelledSource, names: dict[str, str] | tuple[str, ...], message: str
) -> None:
    with pytest.raises(DataError, match=message):
        build_dataset(source, DatasetSpec(label_names=names))
