"""The .npz route: shapes that count as images, and headers that are not believed."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from colt_core.data import (
    DataError,
    DatasetSpec,
    Limits,
    PoolSpec,
    build_dataset,
    build_pool,
    open_labelled,
    open_unlabelled,
)
from colt_core.data.npz import map_npy
from colt_core.data.sources import UnlabelledSource

LABELS = np.array([0, 1] * 5)
GRAY = np.random.default_rng(0).integers(0, 256, (10, 12, 12)).astype(np.uint8)


def _save(path: Path, **arrays: Any) -> Path:
    np.savez(path, **arrays)
    return path


@pytest.mark.parametrize("shape", [(10, 12, 12), (10, 12, 12, 1), (10, 12, 12, 3)])
def test_shapes_that_are_images(tmp_path: Path, shape: tuple[int, ...]) -> None:
    images = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    pool = build_pool(open_unlabelled(_save(tmp_path / "a.npz", images=images)), PoolSpec())
    expected = np.broadcast_to(images.reshape(10, 12, 12, -1), (10, 12, 12, 3)).transpose(0, 3, 1, 2)
    assert np.array_equal(pool.images, expected)


def test_compressed_and_fortran_order_and_no_suffix(tmp_path: Path) -> None:
    with (tmp_path / "upload").open("wb") as file:
        np.savez_compressed(file, images=np.asfortranarray(GRAY), labels=LABELS.astype(np.uint8))
    source = open_labelled(tmp_path / "upload")
    pool = build_pool(UnlabelledSource(source.images), PoolSpec())
    assert np.array_equal(pool.images[:, 0], GRAY)


def test_a_test_part_is_kept_and_resized(tmp_path: Path) -> None:
    path = _save(
        tmp_path / "a.npz",
        images=GRAY,
        labels=LABELS,
        test_images=np.zeros((3, 20, 30, 3), dtype=np.uint8),
        test_labels=np.array([1, 1, 0]),
    )
    dataset = build_dataset(open_labelled(path), DatasetSpec(image_size=12))
    assert dataset.part("test")[1].tolist() == [1, 1, 0]
    assert dataset.class_names == ("0", "1")
    with pytest.raises(DataError, match=r"test_images\[0\]' is 30 x 20 pixels; set image_size"):
        build_dataset(open_labelled(path), DatasetSpec())


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"arr_0": GRAY}, r"no array 'images' \(found: 'arr_0'\)"),
        ({"images": GRAY}, "no array 'labels'"),
        ({"images": GRAY.astype(np.float32), "labels": LABELS}, "'images' must be uint8"),
        ({"images": GRAY[0], "labels": LABELS}, "must have the shape"),
        ({"images": GRAY.reshape(10, 6, 12, 2), "labels": LABELS}, "must have the shape"),
        ({"images": GRAY[:0], "labels": LABELS[:0]}, "'images' holds no images"),
        ({"images": GRAY, "labels": LABELS[:9]}, "one number for each of the 10 images"),
        ({"images": GRAY, "labels": LABELS.astype(float)}, r"'labels' must be integers or texts.*astype\(int\)"),
        (
            {"images": GRAY, "labels": np.zeros((10, 14), np.uint8)},
            "'labels' has 14 values for each image, as multi-label",
        ),
        ({"images": GRAY, "labels": np.array(["a", "\x00b"] * 5)}, "cannot be shown"),
        ({"images": GRAY, "labels": LABELS - 1}, "'labels' holds -1"),
        ({"images": GRAY, "labels": LABELS * 0}, "only one class"),
        ({"images": GRAY, "labels": LABELS * 3}, "2 of 4 classes have no training image: '1', '2'"),
        ({"images": GRAY, "labels": LABELS * 2**40}, "larger than the number of images"),
        ({"images": GRAY, "labels": np.uint64(LABELS) * np.uint64(2**63)}, "must be 0..C-1"),
        ({"images": GRAY, "labels": LABELS, "test_images": GRAY}, "together.* only 'test_images' of the"),
        ({"images": GRAY, "labels": LABELS, "val_labels": LABELS}, "together.* only 'val_labels' of the val part"),
        (
            {"images": GRAY, "labels": LABELS, "x_train": GRAY},
            "'images' and 'x_train', which both are the train images",
        ),
        ({"val_images": GRAY, "val_labels": LABELS}, "no array 'images' .found: 'val_images', 'val_labels'"),
        ({"images": GRAY, "labels": LABELS, "test_images": GRAY, "test_labels": LABELS + 1}, "label 2 is outside 0..1"),
    ],
)
def test_what_does_not_fit_is_named(tmp_path: Path, arrays: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        open_labelled(_save(tmp_path / "a.npz", **arrays))


KEYS = {
    "own": ("images", "labels", "val_images", "val_labels", "test_images", "test_labels"),
    "MedMNIST": ("train_images", "train_labels", "val_images", "val_labels", "test_images", "test_labels"),
    "Keras": ("x_train", "y_train", "x_val", "y_val", "x_test", "y_test"),
    "capitals": ("X_train", "Y_train", "X_valid", "Y_valid", "X_test", "Y_test"),
}


@pytest.mark.parametrize("keys", KEYS.values(), ids=KEYS)
@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
def test_keys_of_medmnist_and_keras_are_read_and_no_part_is_dropped(
    tmp_path: Path, keys: tuple[str, ...], shape: tuple[int, ...]
) -> None:
    """They were refused, and `val_*` was dropped without a word (FL-bench#185, MedMNIST#38)."""
    arrays: dict[str, Any] = {}
    for count, images, labels in zip((10, 4, 6), keys[::2], keys[1::2], strict=True):
        arrays |= {images: GRAY[:count], labels: LABELS[:count].astype(np.uint8).reshape(shape)}
    source = open_labelled(_save(tmp_path / "a.npz", **arrays))
    assert {part: len(positions) for part, positions in source.parts.items()} == {"train": 10, "val": 4, "test": 6}
    assert source.labels.tolist() == [0, 1] * 10 and source.warnings == ()
    dataset = build_dataset(source, DatasetSpec())
    assert np.array_equal(dataset.part("test")[0][:, 0], GRAY[:6])
    pool = open_unlabelled(tmp_path / "a.npz")
    assert len(pool.images) == 10
    assert [(w.code, w.examples) for w in pool.warnings] == [("parts_left_out", (keys[2], keys[4]))]


def test_arrays_of_other_names_are_named(tmp_path: Path) -> None:
    path = _save(tmp_path / "a.npz", images=GRAY, labels=LABELS, extra_images=GRAY, weights=np.zeros(3))
    for source in (open_labelled(path), open_unlabelled(path)):
        (warning,) = source.warnings
        assert (warning.code, warning.examples) == ("arrays_passed_over", ("extra_images", "weights"))


def test_labels_that_count_from_one_are_shifted_and_it_is_said(tmp_path: Path) -> None:
    source = open_labelled(_save(tmp_path / "a.npz", images=GRAY, labels=LABELS + 1))
    assert (source.labels.tolist(), source.class_names) == (LABELS.tolist(), ("1", "2"))
    assert [(warning.code, warning.count) for warning in source.warnings] == [("labels_shifted", 10)]


def test_labels_may_be_texts(tmp_path: Path) -> None:
    for dtype in ("U8", "S8"):
        names = np.array(["dog", "cat"] * 5).astype(dtype)
        source = open_labelled(_save(tmp_path / "a.npz", images=GRAY, labels=names))
        assert (source.labels.tolist(), source.class_names) == ([1, 0] * 5, ("cat", "dog"))


def test_channels_may_come_first(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (10, 3, 12, 12)).astype(np.uint8)
    pool = build_pool(open_unlabelled(_save(tmp_path / "a.npz", images=images)), PoolSpec())
    assert np.array_equal(pool.images, images)


class _Bomb:
    """Unpickling it would leave a trace."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return (Path.touch, (self.path,))


def test_arrays_of_objects_are_refused_and_never_unpickled(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    path = _save(tmp_path / "a.npz", images=GRAY, labels=np.array([_Bomb(trace)] * 10, dtype=object))
    with pytest.raises(DataError, match="'labels' holds Python objects"):
        open_labelled(path)
    assert not trace.exists()


def _npz_with_header(path: Path, shape: tuple[int, ...], data: bytes, descr: str = "|u1") -> Path:
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(stream, {"descr": descr, "fortran_order": False, "shape": shape})
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("images.npy", stream.getvalue() + data)
    return path


def test_a_header_that_claims_more_than_there_is(tmp_path: Path) -> None:
    for shape in ((10**9, 32, 32), (-1, 8, 8), (2**62, 4, 4)):
        with pytest.raises(DataError, match="claims the shape"):
            open_unlabelled(_npz_with_header(tmp_path / "a.npz", shape, bytes(100)))


def test_a_zip_header_that_backs_the_lie_is_found_by_the_data(tmp_path: Path) -> None:
    path = _npz_with_header(tmp_path / "a.npz", (1000, 10, 10), bytes(100))
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, content.index(b"PK\x01\x02") + 24, 200_000)
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"cut short|damaged"):
        open_unlabelled(path)


def test_size_and_ratio_are_capped(tmp_path: Path) -> None:
    np.savez_compressed(tmp_path / "a.npz", images=np.zeros((100, 32, 32), dtype=np.uint8))
    with pytest.raises(DataError, match="more than 100,000 bytes"):
        open_unlabelled(tmp_path / "a.npz", limits=Limits(max_bytes=100_000))
    with pytest.raises(DataError, match="times its size"):
        open_unlabelled(tmp_path / "a.npz", limits=Limits(ratio_free_bytes=1000))


def test_damage(tmp_path: Path) -> None:
    path = _save(tmp_path / "a.npz", images=GRAY)
    content = bytearray(path.read_bytes())
    content[400] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(DataError, match="damaged"):
        open_unlabelled(path)


@pytest.mark.parametrize("shape", [(10, 12, 12), (10, 12, 12, 1), (10, 12, 12, 3)])
@pytest.mark.parametrize("order", ["C", "F"])
def test_one_npy_is_a_pool_read_from_the_file(tmp_path: Path, shape: tuple[int, ...], order: Literal["C", "F"]) -> None:
    images = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    np.save(tmp_path / "300K.npy", np.asarray(images, order=order))
    source = open_unlabelled(tmp_path / "300K.npy")
    pool = build_pool(source, PoolSpec(), into=tmp_path / "pool")
    expected = np.broadcast_to(images.reshape(10, 12, 12, -1), (10, 12, 12, 3)).transpose(0, 3, 1, 2)
    assert np.array_equal(pool.images, expected)
    assert build_pool(source, PoolSpec(image_size=8)).images.shape == (10, 3, 8, 8)
    assert isinstance(map_npy(tmp_path / "300K.npy").base, np.memmap)  # a pool of gigabytes is not read at once


def test_an_npy_that_is_no_pool_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"

    def refusal(limits: Limits | None = None) -> str:
        with pytest.raises(DataError) as caught:
            open_unlabelled(path, limits=limits)
        return str(caught.value)

    np.save(path, np.array([{}], dtype=object))
    assert "Python objects" in refusal()
    np.save(path, np.zeros((2, 12, 12), dtype=np.float32))
    assert "must be uint8" in refusal()
    np.save(path, np.zeros((0, 12, 12, 3), dtype=np.uint8))
    assert "no images" in refusal()
    np.save(path, GRAY)
    assert "more than 100" in refusal(Limits(max_bytes=100))
    assert "more than 9" in refusal(Limits(max_files=9))
    with pytest.raises(DataError, match="no labels"):
        open_labelled(path)
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert "cut short" in refusal()
    path.write_bytes(whole[:40])
    assert "damaged" in refusal()


@pytest.mark.parametrize(
    "shape", ["(" + "-" * 9000 + "1,)", "(" * 300 + ")" * 300, "(True, 12, 12)", "(10.0, 12, 12)", "(10, -12, -12)"]
)
def test_a_header_that_only_python_could_love(tmp_path: Path, shape: str) -> None:
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    path = tmp_path / "a.npy"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(2000))
    with pytest.raises(DataError, match="numpy"):
        map_npy(path)
