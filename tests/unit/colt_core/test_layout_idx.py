"""The files of MNIST, read as torchvision reads them (torchvision 0.24 to 0.29, `mnist.py`)."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from torchvision.datasets import MNIST

from colt_core.data import DataError, DatasetSpec, Limits, PoolSpec, build_dataset, build_pool, open_labelled
from colt_core.data import open_unlabelled as open_pool
from colt_core.data.layouts.idx import parse
from tests.support.data_files import write_folder, write_tar, write_zip
from tests.support.layout_files import idx, mnist

RNG = np.random.default_rng(0)
IMAGES = {part: RNG.integers(0, 256, (n, 12, 12)).astype(np.uint8) for part, n in (("train", 20), ("t10k", 8))}
LABELS = {part: (np.arange(len(images)) % 4).astype(np.uint8) for part, images in IMAGES.items()}
FILES = mnist(IMAGES, LABELS)


def test_the_arrays_are_those_that_torchvision_reads(tmp_path: Path) -> None:
    write_folder(tmp_path / "MNIST/raw", FILES)
    theirs = {part: MNIST(str(tmp_path), train=part == "train") for part in ("train", "test")}
    dataset = build_dataset(open_labelled(tmp_path / "MNIST"), DatasetSpec())
    assert dataset.layout == "idx" and dataset.class_names == ("0", "1", "2", "3")
    for part, of_part in theirs.items():
        images, labels = dataset.part(part)
        assert np.array_equal(images[:, 0], of_part.data.numpy()) and np.array_equal(labels, of_part.targets.numpy())


@pytest.mark.parametrize("form", ["{}-{}-idx{}-ubyte", "{}-{}.idx{}-ubyte", "emnist-digits-{}-{}-idx{}-ubyte"])
@pytest.mark.parametrize("pack", ["zip", "tar.gz", "folder"])
@pytest.mark.parametrize("zipped", [True, False])
def test_gzipped_or_not_in_an_archive_or_a_folder(tmp_path: Path, form: str, pack: str, zipped: bool) -> None:
    """They were refused as archives within the data (reported of MNIST's four files in one zip)."""
    files = {f"raw/{name}": content for name, content in mnist(IMAGES, LABELS, zipped, form).items()}
    path = tmp_path / f"d.{pack}"
    if pack == "folder":
        write_folder(path, files)
    else:
        write_zip(path, files.items()) if pack == "zip" else write_tar(path, files.items(), "w:gz")
    source = open_labelled(path)
    assert {part: len(positions) for part, positions in source.parts.items()} == {"train": 20, "test": 8}
    assert source.labels.tolist() == [*LABELS["train"], *LABELS["t10k"]] and source.warnings == ()
    pool = open_pool(path)
    assert np.array_equal(build_pool(pool, PoolSpec()).images[:, 0], IMAGES["train"])
    assert [warning.code for warning in pool.warnings] == ["parts_left_out"]


@pytest.mark.parametrize("zipped", [True, False])
def test_one_file_of_images_is_a_pool_and_no_data_set(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / f"train-images-idx3-ubyte{'.gz' * zipped}"
    path.write_bytes(gzip.compress(idx(IMAGES["train"])) if zipped else idx(IMAGES["train"]))
    assert np.array_equal(build_pool(open_pool(path), PoolSpec()).images[:, 0], IMAGES["train"])
    with pytest.raises(DataError, match=r"'train-images-idx3-ubyte.*' has no labels: pack it together with its labels"):
        open_labelled(path)


def test_a_file_and_its_gzip_are_one(tmp_path: Path) -> None:
    """torchvision leaves both in `raw`."""
    source = open_labelled(write_folder(tmp_path / "d", FILES | mnist(IMAGES, LABELS, zipped=True)))
    assert [(warning.code, warning.count) for warning in source.warnings] == [("files_passed_over", 4)]


def test_labels_of_emnist_letters_count_from_one(tmp_path: Path) -> None:
    files = mnist(IMAGES, {part: labels + 1 for part, labels in LABELS.items()})
    source = open_labelled(write_zip(tmp_path / "a.zip", files.items()))
    assert (source.class_names, source.labels.min()) == (("1", "2", "3", "4"), 0)
    assert [warning.code for warning in source.warnings] == ["labels_shifted"]


def _without(*left: str) -> dict[str, bytes]:
    return {name: content for name, content in FILES.items() if name not in left}


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            _without("train-labels-idx1-ubyte"),
            "'train-images-idx3-ubyte' has no labels beside it; add the file of train",
        ),
        (_without("t10k-images-idx3-ubyte"), "'t10k-labels-idx1-ubyte' has no images beside it; add the file of test"),
        (_without("train-labels-idx1-ubyte", "train-images-idx3-ubyte"), "no training images, only 't10k-images"),
        (
            FILES | mnist(IMAGES, LABELS, form="k49-{}-{}-idx{}-ubyte"),
            "IDX files of 2 sets of images: .*keep the files",
        ),
        (FILES | {"train-images-idx3-ubyte": FILES["train-images-idx3-ubyte"][:-1]}, "'train-images.*claims the shape"),
        (FILES | {"train-labels-idx1-ubyte": idx(LABELS["train"][:9])}, "one number for each of the 20 images"),
        (FILES | {"train-labels-idx1-ubyte": b"no"}, "'train-labels-idx1-ubyte' does not begin as an IDX file"),
    ],
)
def test_files_that_do_not_fit_are_named(tmp_path: Path, files: dict[str, bytes], message: str) -> None:
    with pytest.raises(DataError, match=message):
        open_labelled(write_folder(tmp_path / "d", files))


def test_sizes_that_lie_and_gzips_without_end_are_refused() -> None:
    def refusal(content: bytes, limits: Limits | None = None) -> str:
        with pytest.raises(DataError) as caught:
            parse(content, "x", limits or Limits())
        return str(caught.value)

    many = idx(IMAGES["train"])[:4] + b"\xff" * 12
    assert "claims the shape (4294967295, 4294967295, 4294967295)" in refusal(many)
    assert "0 dimensions" in refusal(b"\0\0\x08\0")
    bomb = gzip.compress(bytes(2**20))
    assert "times its size" in refusal(bomb, Limits(ratio_free_bytes=1000))
    assert "unpacks to more than 1,000 bytes" in refusal(bomb, Limits(max_array_bytes=1000))
    assert "damaged gzip" in refusal(bomb[:-20])
