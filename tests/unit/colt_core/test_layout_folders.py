"""What folders of images mean: parts under all their names, folders within folders, and refusals.

People's arrangements were refused with a sentence about something else, or read wrongly without a
word: luxonis-ml PR#379, pytorch-tiny-imagenet#4, timm#1081, FixRes#32.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from colt_core.data import DataError, open_labelled, open_unlabelled
from colt_core.data.sources import LabelledSource
from tests.support.data_files import labelled_files, write_zip

COUNTS = {"a": 3, "b": 3, "c": 3}


def opened(folder: Path, *names_of_files: dict[str, bytes]) -> LabelledSource:
    files = {name: content for files in names_of_files for name, content in files.items()}
    return open_labelled(write_zip(folder / "a.zip", files.items()))


def images(*folders: str, count: int = 3) -> dict[str, bytes]:
    """Names alone: nothing is decoded here."""
    return {f"{folder}/{i}.png": b"" for folder in folders for i in range(count)}


def classes_by_part(source: LabelledSource) -> dict[str, list[str]]:
    return {
        part: sorted({source.class_names[c] for c in source.labels[positions].tolist()})
        for part, positions in source.parts.items()
    }


@pytest.mark.parametrize(
    ("train", "val", "test"),
    [
        ("train", "valid", "test"),
        ("train", "validation", "test"),
        ("training", "dev", "testing"),
        ("Train", "Val", "Test"),
        ("TRAIN", "VAL", "TEST"),
        ("train_images", "val_images", "test_images"),
        ("training_set", "validation_set", "test_set"),
        ("trainset", "valset", "evalset"),
        ("my project/data/train", "my project/data/val", "my project/data/eval"),
        ("train/images", "valid/images", "test/images"),
        ("train/train", "val/val", "test/test"),
        ("Test/train", "Test/val", "Test/test"),
    ],
)
def test_parts_are_known_by_all_their_names(tmp_path: Path, train: str, val: str, test: str) -> None:
    source = opened(
        tmp_path,
        labelled_files(COUNTS, f"{train}/"),
        labelled_files({"a": 1, "b": 1, "c": 1}, f"{val}/"),
        labelled_files({"a": 2, "b": 2}, f"{test}/"),
    )
    assert source.class_names == ("a", "b", "c") and source.warnings == ()
    assert classes_by_part(source) == {"train": ["a", "b", "c"], "val": ["a", "b", "c"], "test": ["a", "b"]}
    assert {part: len(positions) for part, positions in source.parts.items()} == {"train": 9, "val": 3, "test": 4}


@pytest.mark.parametrize(
    ("folders", "named"),
    [
        (["train", "test"], "'test'"),
        (["Train", "Val", "TEST"], "'TEST'"),
        (["training", "testing"], "'testing'"),
        (["data/train", "data/validation", "data/test"], "'test'"),
        (["train_images", "test_images"], "'test_images'"),
        (["train", "test", "extra"], "'test'"),
        (["train"], "'train'"),
        (["train/a", "train/b", "test"], "'test'"),
        (["train/a", "train/b", "test/images"], "'test'"),
    ],
)
def test_parts_without_class_folders_are_refused(tmp_path: Path, folders: list[str], named: str) -> None:
    """They became two classes "train" and "test", and test images were trained on."""
    with pytest.raises(DataError, match=rf"{named} has no class folders inside, so its images have no labels\. Sort"):
        opened(tmp_path, images(*folders))


def test_parts_without_class_folders_are_a_pool(tmp_path: Path) -> None:
    pool = open_unlabelled(write_zip(tmp_path / "a.zip", images("train", "test").items()))
    assert len(pool.images) == 6


def test_classes_may_be_called_like_parts_and_it_is_said(tmp_path: Path) -> None:
    source = opened(tmp_path, images("crash", "rest", "test", "train"))
    assert source.class_names == ("crash", "rest", "test", "train") and list(source.parts) == ["train"]
    (warning,) = source.warnings
    assert (warning.code, warning.examples) == ("part_names_taken_as_classes", ("test", "train"))
    within = opened(tmp_path, images("train/test", "train/bus", "test/test", "test/bus"))
    assert classes_by_part(within) == {"train": ["bus", "test"], "test": ["bus", "test"]}


def test_class_folders_within_folders_are_joined_and_it_is_said(tmp_path: Path) -> None:
    source = opened(tmp_path, images("plant/oak", "plant/elm", "animal/cat"))
    assert source.class_names == ("animal/cat", "plant/elm", "plant/oak")
    assert [warning.code for warning in source.warnings] == ["nested_classes"]
    parted = opened(tmp_path, images("train/a/bar", "train/b/bar", "train/b/inn", "test/a/bar"))
    assert classes_by_part(parted) == {"train": ["a/bar", "b/bar", "b/inn"], "test": ["a/bar"]}


def test_folders_that_all_classes_have_inside_are_skipped(tmp_path: Path) -> None:
    source = opened(tmp_path, images("train/n01/images", "train/n02/images", "test/n01", "test/n02"))
    assert source.class_names == ("n01", "n02")
    assert opened(tmp_path, images("n01/images", "n02/images")).class_names == ("n01", "n02")


def test_inner_folders_that_the_parts_do_not_share_are_no_classes(tmp_path: Path) -> None:
    sites = images("train/oak/site1", "train/oak/site2", "train/elm/site1", "test/oak/site3", "test/elm/site3")
    source = opened(tmp_path, sites)
    assert classes_by_part(source) == {"train": ["elm", "oak"], "test": ["elm", "oak"]}
    assert [warning.code for warning in source.warnings] == ["inner_folders_passed_over"]


@pytest.mark.parametrize(
    ("folders", "message"),
    [
        (["cat", "dog", "dog/puppies"], r"'dog/puppies/0\.png' does not fit: its folder lies in 'dog', beside images"),
        (["train/a", "train/b", "extra/c"], r"'extra/c/0\.png' does not fit: 'extra' lies beside folders of parts"),
        (["a/train", "a/test", "b/train", "b/test"], r"the folder of the part, 'train', is within the class folder"),
        (["images", "masks"], "there are no class folders inside 'images', 'masks'"),
        (["images"], "there are no class folders inside 'images'"),
        (["test/a", "test/b"], "there is no training part, only test"),
        (["train/all"], r"only one class found \('all'\)"),
        (["train/a", "train/b", "test/b", "test/d"], "1 of 3 classes have no training image: 'd'"),
    ],
)
def test_what_is_unclear_is_refused_with_a_sentence_about_it(tmp_path: Path, folders: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        opened(tmp_path, images(*folders))


def test_images_in_no_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'0\.png' does not fit: no class folder is around it\. Arrange"):
        opened(tmp_path, images("a", "b"), {"0.png": b""})


WNIDS = [f"n0{i}" for i in range(4)]


def tiny_imagenet(around: str = "tiny-imagenet-200/", annotations: str | None = None) -> dict[str, bytes]:
    """The archive's tree, with images of no content."""
    lines = "".join(f"val_{i}.JPEG\t{WNIDS[i % 4]}\t0\t0\t63\t63\n" for i in range(8))
    return {
        f"{around}wnids.txt": b"",
        f"{around}words.txt": b"",
        **{f"{around}train/{name}/images/{name}_{i}.JPEG": b"" for name in WNIDS for i in range(3)},
        **{f"{around}train/{name}/{name}_boxes.txt": b"" for name in WNIDS},
        **{f"{around}val/images/val_{i}.JPEG": b"" for i in range(8)},
        f"{around}val/val_annotations.txt": (lines if annotations is None else annotations).encode(),
        **{f"{around}test/images/test_{i}.JPEG": b"" for i in range(5)},
    }


@pytest.mark.parametrize("around", ["tiny-imagenet-200/", "", "data/tiny/"])
def test_tiny_imagenet_has_its_labelled_val_images_as_test_part(tmp_path: Path, around: str) -> None:
    source = opened(tmp_path, tiny_imagenet(around))
    assert (source.layout, source.class_names) == ("tiny-imagenet", tuple(WNIDS))
    assert {part: len(positions) for part, positions in source.parts.items()} == {"train": 12, "test": 8}
    for position in source.parts["test"].tolist():
        number = int(source.images.name(position).rpartition("_")[2].removesuffix(".JPEG"))
        assert source.labels[position] == number % 4
    said = {warning.code: warning.count for warning in source.warnings}
    assert said == {"val_is_test": 8, "images_without_labels": 5}


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        ("val_0.JPEG\tn00\n\nval_9.JPEG\tn00\n", r"line 3 of .*val_annotations.txt' names 'val_9\.JPEG'"),
        ("val_0.JPEG\tn00\nval_1.JPEG\n", "line 2 of .* is not an image and its class"),
        ("val_0.JPEG\tn00\nval_0.JPEG\tn01\n", "line 2 of .*a second class"),
        ("val_0.JPEG\tn00\n", r"has no line for 'tiny-imagenet-200/val/images/val_1\.JPEG'"),
        ("\xff\xfe", "line 1 of .*is not"),
    ],
)
def test_annotations_of_tiny_imagenet_are_refused_by_the_line(tmp_path: Path, annotations: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        opened(tmp_path, tiny_imagenet(annotations=annotations))


def test_tiny_imagenet_without_val_is_class_folders_and_it_is_a_pool(tmp_path: Path) -> None:
    train = {name: content for name, content in tiny_imagenet().items() if "/train/" in name}
    assert opened(tmp_path, train).class_names == tuple(WNIDS)
    whole = write_zip(tmp_path / "a.zip", tiny_imagenet().items())
    assert len(open_unlabelled(whole).images) == 25


def test_numbered_classes_keep_their_order_and_labels(tmp_path: Path) -> None:
    source = opened(tmp_path, images(*(f"train/{c}" for c in range(12))))
    assert source.class_names == tuple(map(str, range(12)))
    assert np.bincount(source.labels).tolist() == [3] * 12
