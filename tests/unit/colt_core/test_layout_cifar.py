"""The archives of CIFAR, read as torchvision reads them, and nothing unpickled."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import pickletools
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from torchvision.datasets import CIFAR10

from colt_core.data import DataError, DatasetSpec, Limits, PoolSpec, build_dataset, build_pool, open_labelled
from colt_core.data import open_unlabelled as open_pool
from colt_core.data.layouts.plain_pickle import PlainArray, load_plain
from tests.support.data_files import write_folder, write_tar, write_zip
from tests.support.layout_files import python2_pickle

RNG = np.random.default_rng(0)
NAMES = ["airplane", "automobile", "bird"]
PIXELS = RNG.integers(0, 256, (30, 3072)).astype(np.uint8)
LABELS = (np.arange(30) % 3).tolist()
WRITERS: dict[str, Callable[[Any], bytes]] = {
    "python 2": python2_pickle,
    "protocol 2": lambda value: pickle.dumps(value, protocol=2),
    "protocol 4": lambda value: pickle.dumps(value, protocol=4),
    "protocol 5": lambda value: pickle.dumps(value, protocol=5),
}


def python_archive(write: Callable[[Any], bytes] = python2_pickle) -> dict[str, bytes]:
    """Two batches of 12, and 6 test images."""
    rows = {"data_batch_1": slice(0, 12), "data_batch_2": slice(12, 24), "test_batch": slice(24, 30)}
    files = {
        name: {"batch_label": name, "labels": LABELS[of], "data": PIXELS[of], "filenames": ["x.png"] * 6}
        for name, of in rows.items()
    }
    return {f"cifar-10-batches-py/{name}": write(batch) for name, batch in files.items()} | {
        "cifar-10-batches-py/batches.meta": write({"num_cases_per_batch": 12, "label_names": NAMES, "num_vis": 3072}),
        "cifar-10-batches-py/readme.html": b"<html>",
    }


def check(source: Any) -> None:
    dataset = build_dataset(source, DatasetSpec())
    assert (dataset.layout, dataset.class_names) == ("cifar", tuple(NAMES))
    for part, of in (("train", slice(0, 24)), ("test", slice(24, 30))):
        images, labels = dataset.part(part)
        assert np.array_equal(images.reshape(-1, 3072), PIXELS[of]) and labels.tolist() == LABELS[of]


@pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS)
@pytest.mark.parametrize("pack", ["tar.gz", "folder"])
def test_the_python_archive_in_all_its_forms(tmp_path: Path, write: Callable[[Any], bytes], pack: str) -> None:
    """It was refused as no images (reported of people who have the archive as downloaded)."""
    path, files = tmp_path / f"d.{pack}", python_archive(write)
    write_folder(path, files) if pack == "folder" else write_tar(path, files.items(), "w:gz")
    source = open_labelled(path)
    check(source)
    assert source.warnings == ()
    pool = open_pool(path)
    assert np.array_equal(build_pool(pool, PoolSpec()).images.reshape(-1, 3072), PIXELS[:24])
    assert [(warning.code, warning.count) for warning in pool.warnings] == [("parts_left_out", 1)]


def test_the_images_are_those_that_torchvision_reads(tmp_path: Path) -> None:
    files = python_archive()
    write_folder(tmp_path, files)
    sums = {name.split("/")[1]: hashlib.md5(content).hexdigest() for name, content in files.items()}

    class Small(CIFAR10):
        train_list: ClassVar = [(name, sums[name]) for name in ("data_batch_1", "data_batch_2")]
        test_list: ClassVar = [("test_batch", sums["test_batch"])]
        meta: ClassVar = {"filename": "batches.meta", "key": "label_names", "md5": sums["batches.meta"]}

    source = open_labelled(tmp_path)
    dataset = build_dataset(source, DatasetSpec())
    for part in ("train", "test"):
        theirs = Small(str(tmp_path), train=part == "train")
        images, labels = dataset.part(part)
        assert np.array_equal(images.transpose(0, 2, 3, 1), theirs.data) and labels.tolist() == theirs.targets
        assert list(dataset.class_names) == theirs.classes


def test_the_python_archive_of_cifar_100_gives_its_fine_labels(tmp_path: Path) -> None:
    def batch(of: slice) -> bytes:
        return python2_pickle({"fine_labels": LABELS[of], "coarse_labels": [0] * 30, "data": PIXELS[of]})

    meta = python2_pickle({"fine_label_names": NAMES, "coarse_label_names": ["all"]})
    files = {"train": batch(slice(0, 24)), "test": batch(slice(24, 30)), "meta": meta, "file.txt~": b""}
    check(open_labelled(write_folder(tmp_path / "cifar-100-python", files)))


def test_the_binary_archives(tmp_path: Path) -> None:
    def records(of: slice, coarse: bool = False) -> bytes:
        return b"".join(
            b"\7" * coarse + bytes([c]) + row.tobytes() for c, row in zip(LABELS[of], PIXELS[of], strict=True)
        )

    ten = {
        "data_batch_1.bin": records(slice(0, 12)),
        "data_batch_2.bin": records(slice(12, 24)),
        "test_batch.bin": records(slice(24, 30)),
        "batches.meta.txt": ("\n".join(NAMES) + "\n\n").encode(),
    }
    check(open_labelled(write_zip(tmp_path / "a.zip", ten.items())))
    hundred = {
        "train.bin": records(slice(0, 24), coarse=True),
        "test.bin": records(slice(24, 30), coarse=True),
        "fine_label_names.txt": "\n".join(NAMES).encode(),
        "coarse_label_names.txt": b"all",
    }
    check(open_labelled(write_folder(tmp_path / "d", hundred)))


def test_downsampled_imagenet_has_labels_from_one_and_its_own_size(tmp_path: Path) -> None:
    def batch(of: slice) -> bytes:
        return pickle.dumps(
            {"data": PIXELS[of, : 3 * 64], "labels": [c + 1 for c in LABELS[of]], "mean": PIXELS[0] / 2}
        )

    files = {f"train_data_batch_{i}": batch(slice(3 * i, 3 * i + 3)) for i in range(1, 10)} | {
        "val_data": batch(slice(3))
    }
    source = open_labelled(write_folder(tmp_path / "d", files))
    assert {part: len(positions) for part, positions in source.parts.items()} == {"train": 27, "val": 3}
    assert [warning.code for warning in source.warnings] == ["labels_shifted"]
    assert build_dataset(source, DatasetSpec()).image_size == 8


class _Bomb:
    """Unpickling it would run a command."""

    def __init__(self, call: tuple[Any, ...]) -> None:
        self.call = call

    def __reduce__(self) -> Any:
        return self.call


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_objects_are_refused_by_name_and_nothing_runs(tmp_path: Path, protocol: int) -> None:
    trace = tmp_path / "trace"
    bombs = [_Bomb((os.mkdir, (str(trace),))), _Bomb((eval, ("1",))), _Bomb((np.load, ("x", None, True))), io.BytesIO]
    for bomb in bombs:
        content = pickle.dumps({"data": PIXELS, "labels": bomb}, protocol=protocol)
        files = python_archive() | {"cifar-10-batches-py/data_batch_2": content}
        with pytest.raises(DataError, match=r"'cifar-10-batches-py/data_batch_2' (holds|is not) a"):
            open_labelled(write_folder(tmp_path / "d", files))
    assert not trace.exists()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"data": PIXELS[:12].astype(np.float32)}, "must be uint8 rows of 3 x S x S values; they are float32"),
        ({"data": PIXELS[:12, :100]}, r"must be uint8 rows .* of shape \(12, 100\)"),
        ({"data": PIXELS[:12].tolist()}, "has no array 'data'"),
        ({"data": np.array([[None]])}, "holds a Python object|no array of numbers"),
        ({"labels": LABELS[:11]}, r"has 12 images, but labels of shape \(11,\)"),
        ({"labels": ["cat"] * 12}, "has no list of whole numbers 'labels' or 'fine_labels'"),
        ({"labels": [5] * 12}, r"label 5 is outside 0\.\.2"),
    ],
)
def test_a_batch_that_does_not_fit_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    batch = {"data": PIXELS[:12], "labels": LABELS[:12]} | change
    files = python_archive() | {"cifar-10-batches-py/data_batch_1": pickle.dumps(batch)}
    with pytest.raises(DataError, match=message):
        open_labelled(write_folder(tmp_path / "d", files))


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "data_batch_1",
            python2_pickle({"data": PIXELS})[:500],
            "'data_batch_1' is not a pickle of plain values, or a",
        ),
        ("data_batch_1", b"", "'data_batch_1' is not a pickle of plain values, or a damaged one"),
        (
            "data_batch_1.bin",
            bytes(3073 * 2 + 1),
            r"'data_batch_1\.bin' has 6,147 bytes, which are not records of 3,073",
        ),
    ],
)
def test_damage_is_named(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    for read in (open_labelled, open_pool):
        with pytest.raises(DataError, match=message):
            read(write_folder(tmp_path / "d", {name: content}))


def test_batches_that_do_not_fit_into_memory_together_are_refused(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "d", python_archive())
    with pytest.raises(DataError, match=r"data_batch_2' and the files read with it are larger than 60,000 bytes"):
        open_labelled(folder, limits=Limits(max_memory_bytes=60_000))
    with pytest.raises(DataError, match=r"data_batch_1' is larger than 1,000 bytes"):
        open_pool(folder, limits=Limits(max_array_bytes=1000))


def test_equal_class_names_are_replaced_by_numbers_and_it_is_said(tmp_path: Path) -> None:
    files = python_archive() | {"cifar-10-batches-py/batches.meta": python2_pickle({"label_names": ["a"] * 3})}
    source = open_labelled(write_folder(tmp_path / "d", files))
    assert source.class_names == ("0", "1", "2")
    assert [warning.code for warning in source.warnings] == ["class_names_not_distinct"]


@pytest.mark.parametrize("dtype", ["<i8", ">i4", "u1", "<f4"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_in_pickles_are_those_of_numpy(dtype: str, order: Any) -> None:
    array = np.asarray(np.arange(24).reshape(4, 6), dtype=dtype, order=order)
    for write in WRITERS.values():
        plain = load_plain(write([array]), "x")[0]
        assert isinstance(plain, PlainArray)
        assert plain.array("x").dtype == array.dtype and np.array_equal(plain.array("x"), array)


def test_a_memo_of_any_number_costs_nothing() -> None:
    """The C unpickler allocates a table up to the largest number: 34 GB here."""
    content = b"\x80\x02K\x01r\xff\xff\xff\x7fj\xff\xff\xff\x7f\x86."
    assert load_plain(content, "x") == (1, 1)
    assert any(opcode.name == "LONG_BINPUT" for opcode, *_ in pickletools.genops(content))
