"""Published splits as text lists: which images they keep, and what is said of lists that do not
fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from colt_core.data import (
    DataError,
    DatasetSpec,
    ImageDataset,
    Limits,
    LongTail,
    build_dataset,
    is_split_list,
    keep_listed,
    open_labelled,
    read_split_list,
)
from colt_core.data.sources import LabelledSource
from tests.support.data_files import hash_of, labelled_files, pixels, write_folder, write_tar, write_zip

COUNTS = {"n01": 6, "n02": 6, "n03": 6, "n04": 6}
FILES = {**labelled_files(COUNTS, "train/"), **labelled_files(dict.fromkeys(COUNTS, 2), "test/")}
LISTED = {"n03": (0, 3, 5), "n01": (1, 2), "n04": (4,)}  # n02 is left out; n03 is class 0
LINES = [f"train/{name}/{i}.png {label}" for label, (name, images) in enumerate(LISTED.items()) for i in images]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> LabelledSource:
    return open_labelled(write_zip(tmp_path_factory.mktemp("data") / "images.zip", FILES.items()))


def _listed(source: LabelledSource, path: Path, text: str) -> LabelledSource:
    path.write_text(text, "utf-8")
    assert is_split_list(path)
    return keep_listed(source, read_split_list(path))


def _train_images(dataset: ImageDataset) -> dict[bytes, str]:
    images, labels = dataset.part("train")
    return {image.tobytes(): dataset.class_names[c] for image, c in zip(images, labels, strict=True)}


@pytest.mark.parametrize("prefix", ["train/", "data_256/train/", "./imagenet/", ""])
def test_a_list_keeps_its_images_and_its_classes_in_its_order(
    source: LabelledSource, tmp_path: Path, prefix: str
) -> None:
    text = "\n".join(line.replace("train/", prefix) for line in LINES)
    dataset = build_dataset(_listed(source, tmp_path / "a.txt", text), DatasetSpec())
    assert dataset.class_names == ("n03", "n01", "n04")
    assert dataset.class_counts == [3, 2, 1]
    assert _train_images(dataset) == {
        pixels(hash_of("train/", name, i)).transpose(2, 0, 1).tobytes(): name
        for name, images in LISTED.items()
        for i in images
    }
    assert np.bincount(dataset.part("test")[1]).tolist() == [2, 2, 2]  # n02 is gone here too
    assert np.bincount(dataset.part("probe")[1]).tolist() == [6, 6, 6]  # topped up with images of the train part


@pytest.mark.parametrize("kind", ["folder", "tar.gz"])
def test_without_a_test_part_it_is_cut_from_what_the_list_leaves(tmp_path: Path, kind: str) -> None:
    files = labelled_files(COUNTS, "images/")
    path = tmp_path / f"data.{kind}"
    source = open_labelled(write_folder(path, files) if kind == "folder" else write_tar(path, files.items(), "w:gz"))
    dataset = build_dataset(_listed(source, tmp_path / "a.txt", "\n".join(LINES)), DatasetSpec(test_fraction=0.5))
    assert dataset.class_counts == [3, 2, 1]
    assert np.bincount(dataset.part("test")[1]).tolist() == [2, 2, 2]  # half of 3, 4 and 5
    test = {image.tobytes() for image in dataset.part("test")[0]}
    assert not test & set(_train_images(dataset))


def test_a_file_name_alone_will_do_where_there_is_one_of_it(tmp_path: Path) -> None:
    files = {name.replace("/", f"/{name[:3]}_", 1): content for name, content in labelled_files(COUNTS).items()}
    source = open_labelled(write_folder(tmp_path / "d", files))
    assert keep_listed(source, read_split_list(_text(tmp_path, "n01_3.png 0\nn02_1.png 7\n"))).class_names == (
        "n01",
        "n02",
    )


PLACES = {"a/airfield": 5, "a/apartment/outdoor": 5, "outdoor": 5, "b/bar": 5}


@pytest.mark.parametrize("prefix", ["", "places/", "train/", "places/train/"])
@pytest.mark.parametrize("before", ["data_large/", "/", ""])
def test_a_list_chooses_among_folders_within_folders(tmp_path: Path, prefix: str, before: str) -> None:
    test = labelled_files(PLACES, prefix.replace("train", "test")) if "train" in prefix else {}
    path = write_zip(tmp_path / "a.zip", {**labelled_files(PLACES, prefix), **test}.items())
    lines = ["a/apartment/outdoor/1.png 3", "a/airfield/2.png 0", "outdoor/1.png 9", "outdoor/3.png 9"]
    listed = keep_listed(
        open_labelled(path, nested=True), read_split_list(_text(tmp_path, "\n".join(before + line for line in lines)))
    )
    assert listed.class_names == ("a/airfield", "a/apartment/outdoor", "outdoor")
    dataset = build_dataset(listed, DatasetSpec())
    assert _train_images(dataset) == {
        pixels(hash_of(prefix, name, i)).transpose(2, 0, 1).tobytes(): name
        for name, i in [("a/airfield", 2), ("a/apartment/outdoor", 1), ("outdoor", 1), ("outdoor", 3)]
    }
    assert np.bincount(dataset.part("test")[1]).tolist() == ([5, 5, 5] if test else [1, 1, 1])


def test_the_end_of_a_nested_name_will_do_where_one_image_has_it(tmp_path: Path) -> None:
    source = open_labelled(write_folder(tmp_path / "d", labelled_files(PLACES)), nested=True)
    assert keep_listed(source, read_split_list(_text(tmp_path, "airfield/2.png 0\nbar/0.png 1\n"))).class_names == (
        "a/airfield",
        "b/bar",
    )
    # An end that two paths share is no match: the image that is meant is not there.
    with pytest.raises(DataError, match=r"line 1 .*'data/c/bar/0.png', which is not among"):
        keep_listed(source, read_split_list(_text(tmp_path, "data/c/bar/0.png 0\nairfield/2.png 1\n")))


@pytest.mark.parametrize(
    ("files", "named"),
    [
        (labelled_files({"a/bar": 1}, "train/") | labelled_files({"bar": 1}, "extra/"), "extra/bar/0.png"),
        (labelled_files({"a/bar": 1}, "train/") | {"val/0.png": b""}, "val/0.png"),
        (labelled_files(PLACES) | {"0.png": b""}, "0.png"),
    ],
)
def test_a_tree_that_is_unclear_even_with_a_list_is_refused(
    tmp_path: Path, files: dict[str, bytes], named: str
) -> None:
    with pytest.raises(DataError, match=f"^'{named}' does not fit"):
        open_labelled(write_folder(tmp_path / "d", files), nested=True)


def _text(folder: Path, text: str) -> Path:
    path = folder / "list.txt"
    path.write_text(text, "utf-8")
    return path


def test_names_may_hold_blanks_and_any_letters(tmp_path: Path) -> None:
    source = open_labelled(write_folder(tmp_path / "d", labelled_files({"grüner Tee": 4, "東京": 4})))
    listed = keep_listed(
        source, read_split_list(_text(tmp_path, "\ufeff\ngrüner Tee/1.png\t4\n\n 東京/0.png  2 \n東京/2.png 2\n"))
    )
    assert listed.class_names == ("東京", "grüner Tee")
    assert listed.listed is not None and len(listed.listed) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "n01/0.png 0\nn02/9.png 1",
            r"line 2 .*'n02/9.png', which is not among the training images, such as 'n01/0.png'",
        ),
        ("/ 0", r"line 1 .*'/', which is not among"),
        ("n01/0.png 0\nx/n0/2.png 1", "line 2 .*'x/n0/2.png', which is not among"),
        ("n01/0.png 0\nn02/0.png 1\nval/n01/0.png 0", "line 3 .*again, after line 1"),
        ("n01/0.png 0\nn02/0.png 0", "line 2 .*label 0 to an image of class 'n02', but lines before it to class 'n01'"),
        ("n01/0.png 0\nn01/1.png 1", "line 2 .*label 1 to an image of class 'n01', but .*that class label 0"),
        (
            "n01/0.png 0\n0.png 1",
            "line 2 .*4 training images have that name; put the whole class folder before the name",
        ),
        ("n01/0.png 0\n\n17\n", "line 3 .*not a path and a label.*'17'"),
        ("n01/0.png 0\nn02/0.png -1", "line 2 .*not a path and a label"),
        ("n01/0.png 0\nn02/0.png 1.5", "line 2 .*not a path and a label"),
        ("n01/0.png 0\nn02/0.png 99999999999", "line 2 .*not a path and a label"),
        ("n01/0.png 0\nn01/1.png 0", "names 1 class"),
    ],
)
def test_a_list_that_does_not_fit_is_refused_by_the_line(
    source: LabelledSource, tmp_path: Path, text: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        _listed(source, tmp_path / "a.txt", text)


def test_bytes_that_are_no_text_and_too_many_of_them_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"a/0.png 0\n\xff\xfe/1.png 1\n")
    with pytest.raises(DataError, match="line 2 of the split list is not UTF-8"):
        list(read_split_list(tmp_path / "a.txt"))
    with pytest.raises(DataError, match="larger than 5 bytes"):
        list(read_split_list(tmp_path / "a.txt", Limits(max_file_bytes=5)))


def test_plain_indices_are_no_split_list(tmp_path: Path) -> None:
    for text in ("3\n1\n2\n", "\n\n3 1\n", "1 -1", "one two", "", " \n", "\x93NUMPY"):
        assert not is_split_list(_text(tmp_path, text))


def test_a_list_and_a_profile_at_once_make_no_sense(source: LabelledSource, tmp_path: Path) -> None:
    listed = _listed(source, tmp_path / "a.txt", "\n".join(LINES))
    with pytest.raises(ValueError, match="split list"):
        build_dataset(listed, DatasetSpec(long_tail=LongTail(profile="exp")))
