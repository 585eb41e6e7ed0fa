"""Building with damaged files left out, with 16-bit images scaled, and without a test part."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from colt_core.data import (
    DataError,
    DatasetSpec,
    ImageDataset,
    ImagePool,
    PoolSpec,
    build_dataset,
    build_pool,
    decoding,
    open_labelled,
    open_unlabelled,
)
from colt_core.data.digests import DIGESTS, SortedDigests, digests_of
from tests.support.data_files import encoded, labelled_files, write_folder, write_zip

SKIP = {"on_damaged": "skip"}


def archive(path: Path, damaged: tuple[str, ...], counts: dict[str, int] | None = None) -> Path:
    """A zip of 200 images, some of them cut short."""
    files = labelled_files(counts or {"cat": 120, "dog": 80})
    return write_zip(path, [(name, content[:60] if name in damaged else content) for name, content in files.items()])


@pytest.fixture
def two_processes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    monkeypatch.setattr(decoding, "FEW", 40)


def test_damaged_files_are_left_out_and_listed(tmp_path: Path) -> None:
    damaged = ("cat/7.png", "dog/79.png")
    path = archive(tmp_path / "a.zip", damaged)
    pool = build_pool(open_unlabelled(path), PoolSpec(**SKIP), into=tmp_path / "pool")
    (warning,) = pool.warnings
    assert (warning.code, warning.count, warning.examples) == ("damaged_files_left_out", len(damaged), damaged)
    whole = [content for name, content in labelled_files({"cat": 120, "dog": 80}).items() if name not in damaged]
    expected = build_pool(open_unlabelled(write_folder(tmp_path / "whole", dict(enumerated(whole)))), PoolSpec()).images
    assert len(pool.images) == 200 - len(damaged)
    assert set(digests_of(pool.images).tolist()) == set(digests_of(expected).tolist())
    stored = ImagePool.load(tmp_path / "pool")
    assert np.array_equal(stored.images, pool.images) and stored.warnings == pool.warnings
    in_memory = build_pool(open_unlabelled(path), PoolSpec(**SKIP))
    assert np.array_equal(in_memory.images, pool.images)
    kept = SortedDigests.load(tmp_path / "pool" / DIGESTS)
    assert np.array_equal(np.sort(digests_of(pool.images)), kept.digest)
    assert np.array_equal(digests_of(pool.images)[kept.index], kept.digest)


@pytest.mark.usefixtures("two_processes")
@pytest.mark.parametrize("damaged", ["cat/0.png", "cat/55.png"])
def test_processes_go_on_behind_a_damaged_file(tmp_path: Path, damaged: str) -> None:
    """The first file gives the shape of the others, so it is a case of its own."""
    path = archive(tmp_path / "a.zip", (damaged,))
    pool = build_pool(open_unlabelled(path), PoolSpec(**SKIP))
    assert pool.warnings[0].examples == (damaged,) and len(pool.images) == 199
    assert len(set(digests_of(pool.images).tolist())) == 199


def enumerated(contents: list[bytes]) -> list[tuple[str, bytes]]:
    return [(f"{number:03}.png", content) for number, content in enumerate(contents)]


def test_a_data_set_without_its_damaged_files_keeps_the_rest_in_their_parts(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", ("cat/7.png", "dog/3.png"))
    whole = build_dataset(open_labelled(archive(tmp_path / "b.zip", ())), DatasetSpec())
    dataset = build_dataset(open_labelled(path), DatasetSpec(**SKIP), into=tmp_path / "saved")
    assert dataset.warnings[0].count == 2 and len(dataset.images) == 198
    for name in ("train", "probe", "test"):
        images, labels = dataset.part(name)
        others, their_labels = whole.part(name)
        label_of = dict(zip(digests_of(others).tolist(), their_labels.tolist(), strict=True))
        assert [label_of[digest] for digest in digests_of(images).tolist()] == labels.tolist()
    assert sum(len(whole.parts[name]) - len(dataset.parts[name]) for name in ("train", "test")) == 2
    assert np.array_equal(ImageDataset.load(tmp_path / "saved").images, dataset.images)


def test_more_than_one_per_cent_is_refused_by_name(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", ("cat/1.png", "cat/10.png", "cat/100.png"))
    with pytest.raises(DataError, match=r"more than 1 % of the 200 images .*'cat/1\.png' is damaged.*; 'cat/10\.png'"):
        build_pool(open_unlabelled(path), PoolSpec(**SKIP))
    with pytest.raises(DataError, match=r"^'cat/1\.png' is damaged"):
        build_pool(open_unlabelled(path), PoolSpec())


def test_a_class_whose_training_images_are_all_damaged_is_named(tmp_path: Path) -> None:
    path = write_zip(
        tmp_path / "a.zip",
        [
            *labelled_files({"cat": 120}, "train/").items(),
            ("train/owl/1.png", b"no image"),
            *labelled_files({"cat": 2, "owl": 2}, "test/").items(),
        ],
    )
    with pytest.raises(DataError, match=r"1 classes have no training image left without the damaged files: 'owl'"):
        build_dataset(open_labelled(path), DatasetSpec(**SKIP))


def test_too_large_an_image_is_not_taken_for_a_damaged_one(tmp_path: Path) -> None:
    files = labelled_files({"cat": 120}) | {"cat/z.png": encoded(np.zeros((8, 9), np.uint8))}
    with pytest.raises(DataError, match="the images differ in size"):
        build_pool(open_unlabelled(write_zip(tmp_path / "a.zip", files.items())), PoolSpec(**SKIP))


def deep(low: int, high: int) -> np.ndarray:
    return np.linspace(low, high, 64).astype(np.uint16).reshape(8, 8)


@pytest.mark.usefixtures("two_processes")
def test_the_range_is_that_of_all_16_bit_images_and_is_recorded(tmp_path: Path) -> None:
    eight = {f"cat/{i}.png": encoded(np.full((8, 8), i, np.uint8)) for i in range(60)}
    files = eight | {f"dog/{i}.png": encoded(deep(500 + i, 900 + i)) for i in range(60)}
    source = open_unlabelled(write_zip(tmp_path / "a.zip", files.items()))
    done: list[tuple[int, int]] = []
    spec = PoolSpec(bit_depth="scale")
    pool = build_pool(source, spec, into=tmp_path / "pool", progress=lambda *both: done.append(both))
    assert pool.value_range == ImagePool.load(tmp_path / "pool").value_range == (500, 959)
    assert done == [(120, 240), (240, 240)]
    assert sorted(pool.images[:60, 0, 0, 0]) == list(range(60))  # images of 8 bits are as they were
    assert pool.images[60:].min() == 0 and pool.images[60:].max() == 255
    given = build_pool(source, PoolSpec(bit_depth="scale", value_range=(0, 65535)))
    assert given.value_range == (0, 65535) and given.images[60:].max() == 4


def test_without_16_bit_images_there_is_no_range(tmp_path: Path) -> None:
    source = open_unlabelled(write_folder(tmp_path / "a", labelled_files({"cat": 3})))
    assert build_pool(source, PoolSpec(bit_depth="scale")).value_range is None


@pytest.mark.parametrize("byte_order", ["<", ">"])
@pytest.mark.parametrize("channels", [(), (1,), (3,)])
def test_arrays_of_16_bits(tmp_path: Path, channels: tuple[int, ...], byte_order: str) -> None:
    values = np.random.default_rng(0).integers(100, 4000, (10, 8, 8, *channels)).astype(f"{byte_order}u2")
    np.savez(tmp_path / "a.npz", images=values, labels=np.arange(10) % 2)
    np.save(tmp_path / "a.npy", values)
    dataset = build_dataset(open_labelled(tmp_path / "a.npz"), DatasetSpec(bit_depth="scale", test="none"))
    pool = build_pool(open_unlabelled(tmp_path / "a.npy"), PoolSpec(bit_depth="scale"))
    low, high = int(values.min()), int(values.max())
    assert dataset.value_range == pool.value_range == (low, high)
    scaled = np.rint((values.astype(float) - low) * 255 / (high - low)).reshape(10, 8, 8, -1)
    assert np.abs(pool.images - np.broadcast_to(scaled, (10, 8, 8, 3)).transpose(0, 3, 1, 2)).max() <= 1
    with pytest.raises(DataError, match=r"'images\[0\]' has more than 8 bits a channel\. Set bit_depth to 'scale'"):
        build_pool(open_unlabelled(tmp_path / "a.npy"), PoolSpec())


@pytest.mark.parametrize("own_test", [False, True])
def test_without_a_test_part_nothing_is_cut_for_it(tmp_path: Path, own_test: bool) -> None:
    """A class of one image has no part in a test, but may be trained on."""
    files = labelled_files({"cat": 5, "owl": 1}, "train/")
    if own_test:
        files |= labelled_files({"cat": 2}, "test/")
    dataset = build_dataset(open_labelled(write_folder(tmp_path / "a", files)), DatasetSpec(test="none"))
    assert dataset.class_counts == [5, 1]
    assert dataset.split_sizes["test"] == 0 and len(dataset.images) == 6


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"fit": "pad"}, "fit 'pad' needs an image_size"),
        ({"value_range": [0, 9]}, "value_range needs bit_depth 'scale'"),
        ({"bit_depth": "scale", "value_range": [9, 9]}, r"must ascend, but is \[9, 9\]"),
        ({"bit_depth": "scale", "value_range": [0, 65536]}, "less than 65536"),
        ({"background": "white"}, "background"),
    ],
)
def test_settings_that_do_not_go_together_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        PoolSpec.model_validate(values)
