"""The array that a registration fills: on disk it is no memory of the process."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import psutil
import pytest

from colt_core.data import Limits, image_array
from colt_core.data.digests import BLOCK_BYTES


def test_written_images_do_not_stay_in_the_memory_of_the_process(tmp_path: Path) -> None:
    if sys.platform != "linux":
        pytest.skip("the kernel's table of maps is Linux's")
    images = np.random.default_rng(0).integers(0, 256, (2048, 3, 64, 64), dtype=np.uint8)  # 24 MiB
    array = image_array.ImageArray(len(images), 64, tmp_path, Limits())
    for index in np.random.default_rng(1).permutation(len(images)).tolist():
        array.put(np.array([index]), images[index : index + 1])
    resident = [file.rss for file in psutil.Process().memory_maps() if file.path == str(tmp_path / "images.npy")]
    assert len(resident) == 1
    assert resident[0] < images.nbytes / 10
    array.finish(np.empty(0, dtype=np.int64))
    assert np.array_equal(np.load(tmp_path / "images.npy"), images)


@pytest.mark.parametrize("more", [0, 1])
def test_images_may_fill_whole_blocks(tmp_path: Path, more: int) -> None:
    images = np.random.default_rng(0).integers(0, 256, (2 * (BLOCK_BYTES // 192) + more, 3, 8, 8), dtype=np.uint8)
    array = image_array.ImageArray(len(images), 8, None, Limits())
    for some in np.array_split(np.arange(len(images)), 7):
        array.put(some, images[some])
    array.finish(np.empty(0, dtype=np.int64))
    assert np.array_equal(array.images, images)
