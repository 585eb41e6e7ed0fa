"""Samples that need no network, torchvision's files, and what importing them costs."""

from __future__ import annotations

import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from colt_core.data import (
    DataError,
    DatasetSource,
    DatasetSpec,
    LongTail,
    PoolSource,
    PoolSpec,
    build_dataset,
    build_pool,
    sample_labelled,
    sample_unlabelled,
    torchvision_labelled,
    torchvision_unlabelled,
)
from colt_core.data.conversion import ToPixels


def test_digits_can_be_cut_by_twenty() -> None:
    dataset = build_dataset(
        sample_labelled("digits"), DatasetSpec(long_tail=LongTail(profile="exp", imbalance_ratio=20))
    )
    assert dataset.class_names == tuple("0123456789")
    assert dataset.class_counts == [139, 99, 71, 51, 36, 26, 18, 13, 9, 6]
    assert dataset.split_sizes == {"train": 468, "probe": 500, "val": 0, "test": 359}
    assert dataset.image_size == 32
    assert (dataset.images[:, 0] == dataset.images[:, 1]).all()


def test_digits_look_like_their_source() -> None:
    from sklearn.datasets import load_digits

    digits = load_digits()
    (_, [pixels]) = next(iter(sample_labelled("digits").images.read(np.array([7]), ToPixels())))
    small = pixels[0].reshape(8, 4, 8, 4).mean(axis=(1, 3))
    assert np.corrcoef(small.ravel(), digits.images[7].ravel())[0, 1] > 0.95


def test_glyphs_and_patches_are_many_different_images_and_always_the_same() -> None:
    pool = build_pool(sample_unlabelled("glyphs-and-patches"), PoolSpec())
    again = sample_unlabelled("glyphs-and-patches").images.read(np.array([0, 1199, 1999]), ToPixels())
    assert pool.images.shape == (2000, 3, 32, 32)
    assert all(np.array_equal(pool.images[position], image) for position, image in again)
    assert len({image.tobytes() for image in pool.images}) == 2000
    assert (pool.images[:1200].std(axis=(1, 2, 3)) > 10).all()  # every glyph contrasts with its ground


def test_names_that_do_not_exist() -> None:
    with pytest.raises(ValueError, match="letters"):
        sample_labelled("letters")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="digits"):
        sample_unlabelled("digits")  # type: ignore[arg-type]


def _write_mnist(folder: Path, images: np.ndarray, labels: np.ndarray) -> None:
    """The files of MNIST, in its format."""
    raw = folder / "MNIST/raw"
    raw.mkdir(parents=True)
    for split in ("train", "t10k"):
        head = struct.pack(">IIII", 0x803, *images.shape)
        (raw / f"{split}-images-idx3-ubyte").write_bytes(head + images.tobytes())
        (raw / f"{split}-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x801, len(labels)) + labels.tobytes())


def test_torchvision_reads_what_is_on_the_server(tmp_path: Path) -> None:
    images = np.random.default_rng(0).integers(0, 256, (40, 28, 28)).astype(np.uint8)
    _write_mnist(tmp_path, images, np.tile(np.arange(10, dtype=np.uint8), 4))
    dataset = build_dataset(torchvision_labelled("MNIST", tmp_path), DatasetSpec())
    assert dataset.split_sizes == {"train": 40, "probe": 40, "val": 0, "test": 40}
    assert dataset.class_names[3] == "3 - three"
    assert np.array_equal(dataset.images[:40, 1], images)
    assert len(build_pool(torchvision_unlabelled("MNIST", tmp_path), PoolSpec(image_size=32))) == 40


def test_torchvision_downloads_only_when_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="CIFAR10 is not on this server") as caught:
        torchvision_labelled("CIFAR10", tmp_path)
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize(
    "source",
    [
        {"kind": "upload", "upload_id": "abc"},
        {"kind": "path", "path": "cifar10.zip"},
        {"kind": "torchvision", "name": "CIFAR10", "download": True},
        {"kind": "sample", "name": "digits"},
    ],
)
def test_every_kind_of_source_is_understood(source: dict) -> None:
    parsed = TypeAdapter(DatasetSource).validate_python(source)
    assert parsed.model_dump() == source


@pytest.mark.parametrize(
    "source",
    [
        {"kind": "ftp"},
        {"kind": "upload"},
        {"kind": "torchvision", "name": "Kinetics"},
        {"kind": "sample", "name": "glyphs-and-patches"},
        {"kind": "path", "path": "x", "upload_id": "y"},
    ],
)
def test_no_other_source_is(source: dict) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(DatasetSource).validate_python(source)


def test_a_pool_has_its_own_sample() -> None:
    assert TypeAdapter(PoolSource).validate_python({"kind": "sample", "name": "glyphs-and-patches"}).kind == "sample"


def test_specifications_cost_neither_torch_nor_scikit_learn() -> None:
    code = (
        "import sys, colt_core.data, colt_core.data.spec, colt_core.data.groups, colt_core.probes.kinds;"
        "print([name for name in ('torch', 'torchvision', 'sklearn', 'faiss', 'scipy') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
