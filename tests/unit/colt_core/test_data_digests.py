"""Digests of images, and what they tell: copies, leaks between parts, images under two labels."""

from __future__ import annotations

from hashlib import shake_128
from pathlib import Path

import numpy as np
import pytest

from colt_core.data.digests import DIGESTS, SortedDigests, are_blank, digests_of, image_digests
from colt_core.data.findings import found_between, found_in_dataset, found_in_pool

EMPTY = np.empty(0, np.int64)


def images(count: int, size: int = 8, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 3, size, size)).astype(np.uint8)


def sorted_digests(*of_images: int) -> SortedDigests:
    """Of images that are equal where the numbers are."""
    return SortedDigests.of(image_digests(images(10)[list(of_images)]))


@pytest.mark.parametrize("size", [8, 9, 33])
def test_any_changed_byte_changes_the_digest(size: int) -> None:
    image = images(1, size)[0]
    changed = np.repeat(image[None], image.size, axis=0)
    flat = changed.reshape(image.size, -1)
    flat[np.arange(image.size), np.arange(image.size)] ^= 1
    digests = image_digests(np.concatenate([image[None], changed, image[None]]))
    assert digests[0] == digests[-1]
    assert len(set(digests.tolist())) == image.size + 1


def test_images_that_a_weak_sum_confuses_have_other_digests() -> None:
    """Equal sums of bytes and words, channels exchanged, values that cancel in the top bits."""
    image = images(1)[0]
    top = np.zeros((2, 3, 8, 8), np.uint8)
    top[0, 0, 0, [7, 3]] = top[1, 0, 0, [6, 2]] = 128
    blank = np.stack([np.full((3, 8, 8), value, np.uint8) for value in range(256)])
    alike = np.concatenate([image[None], image[None, ::-1], image[None, :, ::-1], np.roll(image, 8)[None], top, blank])
    assert len(set(image_digests(alike).tolist())) == len(alike)


def test_digests_are_those_of_the_formula_and_of_earlier_versions() -> None:
    """Stored digests are compared with new ones, so the function may never change."""
    ramp = (np.arange(2 * 3 * 8 * 8) % 251).astype(np.uint8).reshape(2, 3, 8, 8)
    found = [f"{digest:016x}" for digest in image_digests(ramp)]
    assert found == ["e23ec30a51bd6a6b", "00d465b847d30099"]
    key = [int(word) for word in np.frombuffer(shake_128(b"colt_core image digests").digest(4 * 48), "<u4")]
    for digest, image in zip(found, ramp, strict=True):
        word = [(int(m) + k) % 2**32 for m, k in zip(image.reshape(-1).view("<u4"), key, strict=True)]
        assert int(digest, 16) == sum(word[i] * word[i + 24] for i in range(24)) % 2**64


def test_many_images_are_digested_in_blocks() -> None:
    many = images(300, 32)
    assert np.array_equal(digests_of(many), image_digests(many))
    assert np.array_equal(digests_of(many)[7:9], image_digests(many[7:9]))


def test_blank_is_one_colour() -> None:
    some = images(4)
    some[1] = 7
    some[2] = np.array([1, 2, 3])[:, None, None]
    some[3, :, 0] = 5  # its first line alone
    assert are_blank(some).tolist() == [False, True, True, False]


def test_digests_survive_their_file(tmp_path: Path) -> None:
    digests = sorted_digests(3, 1, 3)
    digests.save(tmp_path)
    loaded = SortedDigests.load(tmp_path / DIGESTS)
    assert np.array_equal(loaded.digest, digests.digest) and np.array_equal(loaded.index, digests.index)
    np.save(tmp_path / DIGESTS, np.zeros(3))
    with pytest.raises(ValueError, match="does not hold digests"):
        SortedDigests.load(tmp_path / DIGESTS)


def test_copies_leaks_and_contradicting_labels_of_a_data_set() -> None:
    #                         0  1  2  3  4  5  6  7
    digests = sorted_digests(0, 1, 2, 0, 0, 3, 4, 1)
    labels = np.array([0, 1, 1, 0, 0, 1, 0, 0])
    parts = {"train": np.arange(4), "probe": np.array([3, 4]), "val": np.array([5]), "test": np.array([6, 7])}
    found = found_in_dataset(digests, np.array([6]), labels, ("cat", "dog"), parts, "{}.png".format)
    by_code = {warning.code: (warning.count, warning.examples) for warning in found}
    assert by_code == {
        "blank_images": (1, (6,)),
        "duplicates_within_train": (1, (0, 3)),
        "duplicates_within_probe": (1, (3, 4)),
        "same_image_under_two_labels": (2, (1, 7)),
        "test_images_in_training": (1, (7, 1)),
    }
    details = {warning.code: warning.detail for warning in found}
    assert "1 image of the test part is in the train or probe part too" in details["test_images_in_training"]
    assert "'1.png' ('dog') and '7.png' ('cat')" in details["same_image_under_two_labels"]


def test_a_probe_image_that_is_a_training_image_is_no_copy() -> None:
    parts = {"train": np.arange(3), "probe": np.array([2]), "val": EMPTY, "test": np.array([3])}
    assert found_in_dataset(sorted_digests(0, 1, 2, 3), EMPTY, np.zeros(4, int), ("a",), parts, str) == ()


@pytest.mark.parametrize(
    ("of_images", "blank", "expected"),
    [
        ([0, 1, 2], [], {}),
        ([5] * 400, [], {"duplicates_within_pool": (399, (0, 1))}),
        ([0, 1] * 20, [], {"duplicates_within_pool": (38, (0, 2, 1, 3))}),
        ([0] * 40, range(40), {"blank_images": (40, tuple(range(10))), "duplicates_within_pool": (39, (0, 1))}),
    ],
    ids=["none", "one image 400 times", "two images", "all black"],
)
def test_copies_and_blanks_of_a_pool(
    of_images: list[int], blank: list[int], expected: dict[str, tuple[int, tuple[int, ...]]]
) -> None:
    found = found_in_pool(sorted_digests(*of_images), np.array(blank, dtype=np.int64), str)
    assert {warning.code: (warning.count, warning.examples) for warning in found} == expected


def test_a_pool_that_holds_test_or_training_images_is_found_out() -> None:
    dataset = sorted_digests(0, 1, 2, 3, 4)
    trained, tested = dataset.among(np.array([0, 1, 2])), dataset.among(np.array([3, 4]))
    found = found_between(sorted_digests(9, 4, 0, 2, 4), trained, tested, True)
    assert {warning.code: (warning.count, warning.examples) for warning in found} == {
        "pool_holds_test_images": (2, (1, 4)),
        "pool_holds_training_images": (2, (2, 3)),
    }
    assert "pool image 1 is image 4 of the data set" in found[0].detail
    assert found_between(sorted_digests(7, 8), trained, tested, True) == ()
    assert found_between(sorted_digests(4), trained, dataset.among(EMPTY), True) == ()


def test_training_data_that_hold_the_test_images_of_other_data_are_found_out() -> None:
    (leak,) = found_between(None, sorted_digests(9, 3, 3, 8), sorted_digests(7, 3), False)
    assert (leak.code, leak.count, leak.examples) == ("training_holds_test_images", 2, (1, 2))
