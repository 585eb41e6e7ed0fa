"""Which image goes to which part, and that a data set survives its folder."""

from __future__ import annotations

import dataclasses
import math
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from colt_core.data import (
    DataError,
    DatasetSpec,
    ImageDataset,
    ImagePool,
    LongTail,
    build_dataset,
    build_pool,
    is_artifact,
)
from colt_core.data.dataset import PARTS
from colt_core.data.labelled import labelled
from colt_core.data.parts import choose_parts, probe_part
from colt_core.data.sources import ArrayImages, LabelledSource, UnlabelledSource
from colt_core.data.spec import PoolSpec
from colt_core.data.warnings import DataWarning


def _source(counts: list[int], test: int = 0, size: int = 8) -> LabelledSource:
    """Images whose pixels are their source position, so that any mix-up shows."""
    train, classes = np.repeat(np.arange(len(counts)), counts), len(counts)
    labels = np.concatenate([np.random.default_rng(0).permutation(train), np.tile(np.arange(classes), test)])
    positions = np.arange(len(labels))
    images = np.zeros((len(labels), size, size, 3), dtype=np.uint8)
    images[:, 0, 0, 0], images[:, 0, 0, 1] = positions % 256, positions // 256
    images[:, 0, 0, 2] = 1  # so that none is blank
    parts = {"train": positions[: len(train)]}
    if test:
        parts["test"] = positions[len(train) :]
    return labelled(ArrayImages([("images", images)]), labels, [f"class {c}" for c in range(classes)], parts)


def _positions(images: np.ndarray) -> np.ndarray:
    return images[:, 0, 0, 0].astype(int) + 256 * images[:, 1, 0, 0].astype(int)


def test_cifar10_lt_has_the_parts_of_the_paper() -> None:
    source = _source([5000] * 10, test=1000)
    parts = choose_parts(source, DatasetSpec(long_tail=LongTail(profile="exp", max_per_class=4500)))
    assert {name: len(indices) for name, indices in parts.items()} == {"train": 11_165, "probe": 5_000, "test": 10_000}
    assert np.bincount(source.labels[parts["probe"]]).tolist() == [500] * 10
    assert not np.intersect1d(parts["probe"], parts["train"]).size  # 500 a class are left of each, so none is shared


@settings(max_examples=40)
@given(
    counts=st.lists(st.integers(3, 90), min_size=2, max_size=6),
    test=st.integers(0, 2),
    ratio=st.none() | st.floats(1, 4),
    seed=st.integers(0, 3),
)
def test_parts_hold_what_they_promise(counts: list[int], test: int, ratio: float | None, seed: int) -> None:
    source = _source(counts, test)
    rarest = min(counts) - (0 if test else max(1, round(0.2 * min(counts))))
    long_tail = None if ratio is None or rarest < ratio else LongTail(profile="exp", imbalance_ratio=ratio, seed=seed)
    dataset = build_dataset(source, DatasetSpec(long_tail=long_tail, seed=seed))
    n = dataset.split_sizes["train"]
    assert np.array_equal(dataset.parts["train"], np.arange(n))
    probe = np.bincount(dataset.part("probe")[1], minlength=len(counts))
    held_back = np.bincount(dataset.part("test")[1], minlength=len(counts)) if not test else 0
    assert (probe >= np.minimum(50, np.array(counts) - held_back)).all()
    if ratio is None:
        assert probe.max() <= 50  # nothing is left over, so that every image serves pretraining too
    assert not np.intersect1d(dataset.parts["test"], np.union1d(dataset.parts["train"], dataset.parts["probe"])).size
    assert set(dataset.part("test")[1]) == set(range(len(counts)))
    positions = _positions(dataset.images)
    assert len(np.unique(positions)) == len(positions)  # nothing is stored twice
    assert np.array_equal(source.labels[positions], dataset.labels)  # and every label stayed with its image


def test_a_class_short_of_leftovers_is_topped_up_from_its_training_images() -> None:
    labels = np.repeat([0, 1, 2], [100, 100, 60])
    candidates = np.arange(260)
    train = np.concatenate([np.arange(90), np.arange(100, 150), np.arange(200, 210)])
    probe = probe_part(labels, candidates, train, seed=0)
    # The rarest class has 60 images in all, so P = min(60, max(50, 6)) = 50; class 0 has 10 left,
    # so 40 are topped up.
    assert np.bincount(labels[probe]).tolist() == [50, 50, 50]
    shared = np.intersect1d(probe, train)
    assert np.bincount(labels[shared], minlength=3).tolist() == [40, 0, 0]


def test_more_leftovers_than_the_least_are_all_used_evenly() -> None:
    labels = np.repeat([0, 1], [1000, 1000])
    train = np.concatenate([np.arange(700), np.arange(1000, 1007)])
    probe = probe_part(labels, np.arange(2000), train, seed=0)
    assert np.bincount(labels[probe]).tolist() == [300, 300]
    assert not np.intersect1d(probe, train).size


def test_parts_are_a_function_of_the_seed() -> None:
    source = _source([40, 30, 20])
    first, again, other = (choose_parts(source, DatasetSpec(seed=seed)) for seed in (1, 1, 2))
    assert all(np.array_equal(first[name], again[name]) for name in first)
    assert not np.array_equal(first["test"], other["test"])


def test_the_test_part_is_stratified() -> None:
    parts = choose_parts(source := _source([100, 50, 10]), DatasetSpec(test_fraction=0.3))
    assert np.bincount(source.labels[parts["test"]]).tolist() == [30, 15, 3]


NATURAL = [130, 120, 110, 100, 90, 80, 70, 60, 50]


@pytest.mark.parametrize("rarest", [40, 2, 1])
def test_a_rare_class_does_not_shrink_the_probe_part_of_the_others(rarest: int) -> None:
    """A tail by nature (LDAM-DRW#10, LIFT#14): one rare class once left every class one image."""
    dataset = build_dataset(_source([*NATURAL, rarest], test=4), DatasetSpec())
    assert dataset.counts("probe") == [50] * 9 + [rarest]
    rare = [warning.examples for warning in dataset.warnings if warning.code == "few_probe_images"]
    assert rare == ([] if rarest == 40 else [("class 9",)])


def test_a_rare_class_does_not_hold_back_the_leftovers_of_a_cut() -> None:
    labels = np.repeat(range(4), [1000, 1000, 1000, 60])
    train = np.concatenate([np.arange(400), np.arange(1000, 1186), np.arange(2000, 2086), np.arange(3000, 3040)])
    probe = probe_part(labels, np.arange(3060), train, seed=0)
    assert np.bincount(labels[probe]).tolist() == [600, 600, 600, 60]  # of the last 20 are left, and 40 are trained on
    shared = np.intersect1d(probe, train)
    assert np.bincount(labels[shared], minlength=4).tolist() == [0, 0, 0, 40]


def test_where_no_class_is_rare_all_classes_give_equally_many() -> None:
    sizes = [1300, 1000, 732]  # as ImageNet's: 732 is more than half of 1000
    labels, starts = np.repeat(range(3), sizes), np.cumsum([0, *sizes])
    train = np.concatenate([np.arange(first, first + kept) for first, kept in zip(starts, (700, 70, 7), strict=False)])
    probe = probe_part(labels, np.arange(sum(sizes)), train, seed=0)
    assert np.bincount(labels[probe]).tolist() == [600] * 3


def _counts(source: LabelledSource, part: np.ndarray) -> list[int]:
    return np.bincount(source.labels[part], minlength=len(source.class_names)).tolist()


def test_a_class_of_one_image_is_trained_on_and_named() -> None:
    """One such class refused a whole registration, and was the only one named (mteb#519)."""
    dataset = build_dataset(_source([60, 60, 1, 2, 3, 1]), DatasetSpec())
    assert dataset.class_counts == [48, 48, 1, 1, 2, 1]
    assert dataset.counts("test") == [12, 12, 0, 1, 1, 0]
    assert dataset.counts("probe") == [48, 48, 0, 1, 2, 0]
    found = {warning.code: (warning.count, warning.examples) for warning in dataset.warnings}
    assert found == {
        "single_image_classes": (2, ("class 2", "class 5")),
        "few_probe_images": (2, ("class 3", "class 4")),
    }
    assert "2 classes ('class 2', 'class 5') have a single image" in dataset.warnings[0].detail


def test_a_class_of_one_image_beside_a_test_part_of_others() -> None:
    source = _source([9, 9, 1, 1], test=2)
    test = source.parts["test"]
    source.parts["test"] = test[source.labels[test] != 3]
    parts = choose_parts(source, DatasetSpec())
    # Class 2 has test images, so that one image to learn from is better than none.
    assert _counts(source, parts["probe"]) == [9, 9, 1, 0]
    assert _counts(source, parts["train"]) == [9, 9, 1, 1]


def test_classes_of_one_image_alone_leave_nothing_to_test() -> None:
    with pytest.raises(DataError, match="every class has a single image, so none is left for a test part; add"):
        choose_parts(_source([1, 1, 1]), DatasetSpec())


def test_a_list_may_take_all_images_of_a_class() -> None:
    source = _source([10, 10, 10])
    listed = np.concatenate([np.flatnonzero(source.labels == c)[:kept] for c, kept in enumerate((5, 10, 5))])
    parts = choose_parts(dataclasses.replace(source, listed=np.sort(listed)), DatasetSpec())
    assert [_counts(source, parts[name])[1] for name in ("train", "test", "probe")] == [10, 0, 10]
    assert _counts(source, parts["test"]) == [1, 0, 1]
    with pytest.raises(DataError, match="the list names every image, so none is left for a test part"):
        choose_parts(dataclasses.replace(source, listed=source.parts["train"]), DatasetSpec())


def test_a_data_set_survives_its_folder(tmp_path: Path) -> None:
    spec = DatasetSpec(long_tail=LongTail(profile="exp", imbalance_ratio=4))
    in_memory = build_dataset(_source([80, 70, 60]), spec)
    in_memory.save(tmp_path / "saved")
    build_dataset(_source([80, 70, 60]), spec, into=tmp_path / "written")
    for folder in ("saved", "written"):
        assert is_artifact(tmp_path / folder)
        loaded = ImageDataset.load(tmp_path / folder)
        assert np.array_equal(loaded.images, in_memory.images)
        assert np.array_equal(loaded.labels, in_memory.labels)
        assert loaded.class_names == in_memory.class_names
        assert all(np.array_equal(loaded.parts[name], in_memory.parts[name]) for name in PARTS)
        assert loaded.class_counts == in_memory.class_counts == [48, 24, 12]
        assert loaded.image_size == 8


def test_a_pool_survives_its_folder_and_is_not_a_data_set(tmp_path: Path) -> None:
    found = (DataWarning("blank", "Two images are blank.", 2, (0, 7)),)
    source = UnlabelledSource(_source([5, 5]).images, "folders", found)
    pool = build_pool(source, PoolSpec(image_size=16))
    pool.save(tmp_path / "saved")
    build_pool(source, PoolSpec(image_size=16), into=tmp_path / "written")
    for folder in ("saved", "written"):
        loaded = ImagePool.load(tmp_path / folder)
        assert np.array_equal(loaded.images, pool.images)
        assert (loaded.layout, loaded.warnings) == ("folders", pool.warnings) and found[0] in loaded.warnings
        with pytest.raises(DataError, match="is an OOD pool"):
            ImageDataset.load(tmp_path / folder)


def test_images_stay_on_disk(tmp_path: Path) -> None:
    build_dataset(_source([5, 5]), DatasetSpec(), into=tmp_path / "d")
    images, _ = ImageDataset.load(tmp_path / "d").part("train")
    assert isinstance(images, np.memmap)
    assert not images.flags.writeable


def test_a_pool_larger_than_memory_is_opened_unread(tmp_path: Path) -> None:
    ImagePool(np.zeros((1, 3, 32, 32), dtype=np.uint8)).save(tmp_path)
    shape = (10_000_000, 3, 32, 32)
    with (tmp_path / "images.npy").open("wb") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "|u1", "fortran_order": False, "shape": shape})
        file.truncate(file.tell() + math.prod(shape))  # a hole: 30 GB that take no space
    tracemalloc.start()
    try:
        pool = ImagePool.load(tmp_path)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()
    assert pool.images.shape == shape
    assert not pool.images[-1].any()


def test_a_damaged_folder_in_events(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="not a saved data set"):
        ImageDataset.load(tmp_path)
    build_dataset(_source([5, 5]), DatasetSpec(), into=tmp_path / "d")
    for name, message in [("labels.npy", "damaged"), ("images.npy", "cannot be read"), ("meta.json", "no readable")]:
        whole = (tmp_path / "d" / name).read_bytes()
        (tmp_path / "d" / name).write_bytes(whole[:5])
        with pytest.raises(DataError, match=message):
            ImageDataset.load(tmp_path / "d")
        (tmp_path / "d" / name).write_bytes(whole)
    (tmp_path / "d/meta.json").write_text('{"format": 99, "class_names": []}')
    with pytest.raises(DataError, match="does not read"):
        ImageDataset.load(tmp_path / "d")


IMAGES = np.zeros((4, 3, 8, 8), dtype=np.uint8)
PART = {"train": np.arange(2), "probe": np.arange(2), "val": np.arange(0), "test": np.arange(2, 4)}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"images": IMAGES[:, :, :, :4]}, r"shape \(N, 3, S, S\)"),
        ({"images": IMAGES.astype(np.float32)}, "uint8"),
        ({"labels": np.zeros(3, dtype=np.int64)}, "4 images need as many"),
        ({"labels": np.full(4, 2)}, "0..1"),
        ({"parts": {**PART, "train": np.arange(1, 3)}}, "must come first"),
        ({"parts": {**PART, "test": np.array([4])}}, "points outside"),
        ({"parts": {"train": np.arange(4)}}, "must have the parts"),
    ],
)
def test_arrays_that_do_not_fit_together_are_refused(changes: dict, message: str) -> None:
    good = {"images": IMAGES, "labels": np.array([0, 1, 0, 1]), "class_names": ("a", "b"), "parts": PART}
    ImageDataset(**good)
    with pytest.raises(DataError, match=message):
        ImageDataset(**{**good, **changes})
