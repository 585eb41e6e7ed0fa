"""Which layout is recognised, what insisting on one does, and what is said if none fits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from colt_core.data import DataError, DatasetSpec, build_dataset, build_pool, open_labelled, open_unlabelled
from colt_core.data.layouts.kinds import dataset_endings, layouts, pool_endings
from colt_core.data.layouts.part_names import part_in, part_of
from colt_core.data.spec import PoolSpec
from tests.support.data_files import labelled_files, png, write_folder, write_zip

FOLDERS = labelled_files({"cat": 3, "dog": 3}, "train/")


def npz(path: Path) -> Path:
    np.savez(path, images=np.zeros((4, 8, 8), np.uint8), labels=np.array([0, 1, 0, 1]))
    return path


def test_what_was_recognised_is_kept_with_the_data(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "d", FOLDERS)
    assert build_dataset(open_labelled(folder), DatasetSpec()).layout == "folders"
    assert build_pool(open_unlabelled(npz(tmp_path / "a.npz")), PoolSpec()).layout == "arrays"


def test_to_insist_on_a_layout_refuses_another_and_says_what_was_found(tmp_path: Path) -> None:
    folder, arrays = write_folder(tmp_path / "d", FOLDERS), npz(tmp_path / "a.npz")
    assert open_labelled(folder, layout="folders").layout == "folders"
    with pytest.raises(
        DataError, match=r"do not have the layout 'arrays'; found 6 \.png \('train/cat/0\.png', \.\.\.\)"
    ):
        open_labelled(folder, layout="arrays")
    with pytest.raises(DataError, match=r"do not have the layout 'folders'; found 2 \.npy .*Leave `layout` out"):
        open_unlabelled(arrays, layout="folders")
    with pytest.raises(DataError, match=r"Unknown layout 'folder'\. Did you mean 'folders'"):
        open_labelled(folder, layout="folder")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a/movie.mp4": b"x"}, r"'a/movie\.mp4' is not an image"),
        ({"notes.txt": b"x", "labels.csv": b"x"}, "no images found"),
        ({}, "no images found"),
    ],
)
def test_data_that_no_layout_fits_are_refused_by_what_was_found(
    tmp_path: Path, files: dict[str, bytes], message: str
) -> None:
    folder = write_folder(tmp_path / "d", files)
    folder.mkdir(exist_ok=True)
    for read in (open_labelled, open_unlabelled):
        with pytest.raises(DataError, match=message):
            read(folder)


@pytest.mark.parametrize("content", [b"7z\xbc\xaf\x27\x1c" + bytes(200), b"PK\3\4" + bytes(200), b"", b"\x1f\x8bxx"])
def test_one_file_of_an_unknown_kind_is_refused_by_its_name(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "data.7z").write_bytes(content)
    with pytest.raises(
        DataError, match=r"^'data\.7z' is not a zip, tar or tar\.gz archive, or a damaged one"
    ) as caught:
        open_labelled(tmp_path / "data.7z")
    assert str(tmp_path) not in str(caught.value)


def test_tables_and_lists_that_are_not_read_are_named_and_notes_are_not(tmp_path: Path) -> None:
    notes = {"README.md": b"x", "readme.roboflow.txt": b"x", "LICENSE.txt": b"x", "train/cat/boxes.txt": b"x"}
    (warning,) = open_labelled(write_zip(tmp_path / "a.zip", (FOLDERS | notes).items())).warnings
    assert (warning.code, warning.count, warning.examples) == ("files_passed_over", 1, ("train/cat/boxes.txt",))


def test_a_single_image_is_no_data_set(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(png())
    with pytest.raises(DataError, match=r"'a\.png' is not a zip"):
        open_unlabelled(tmp_path / "a.png")


def test_every_layout_is_described_and_archives_are_always_taken() -> None:
    for kind in layouts.values():
        assert kind.summary().endswith(".") and kind.title and kind.load()
    assert list(layouts)[-1] == "folders"  # any tree of images
    assert {".zip", ".tar", ".tar.gz", ".tgz", ".npz"} <= set(dataset_endings()) <= set(pool_endings())
    assert ".npy" in pool_endings() and ".npy" not in dataset_endings()


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("train", "train"),
        ("Training", "train"),
        ("TRAIN_SET", "train"),
        ("trainset", "train"),
        ("TrainImages", "train"),
        ("train2017", "train"),
        ("valid", "val"),
        ("Validation", "val"),
        ("dev", "val"),
        ("Testing", "test"),
        ("eval", "test"),
        ("test_images", "test"),
        ("trains", None),
        ("crash test", None),
        ("rest", None),
        ("images", None),
    ],
)
def test_names_of_parts_in_any_case_and_spelling(name: str, part: str | None) -> None:
    assert part_of(name) == part


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("lists/ImageNet_LT_train.txt", "train"),
        ("iNaturalist18_val.txt", "val"),
        ("train-00000-of-00002.parquet", "train"),
        ("train_val2018.txt", None),
        ("train/metadata.csv", None),
    ],
)
def test_the_part_in_the_name_of_a_file(name: str, part: str | None) -> None:
    assert part_in(name) == part
