"""A pool check: each measure worked by hand, and the three verdicts on made-up data."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from colt_core import CheckpointReady, PoolCheckSettings, check_pool, compare_pool
from colt_core.data import ImageDataset, ImagePool
from colt_core.data.dataset import PARTS
from colt_core.pools.check import check_pool_with_backbone, used_images
from colt_core.pools.kinds import PoolCheckResult
from colt_core.pools.nearness import expected_reach, nearest_of_own_class, nearness
from colt_core.pools.pixels import differences, look_like, statistics_of
from colt_core.training.checkpoint import load_backbone
from colt_core.training.embed import extract_features
from tests.support import tiny_runs
from tests.support.tiny_dataset import DATA

COUNTS = (60, 24, 12)
SIDE = 16
Float32 = NDArray[np.float32]
UInt8 = NDArray[np.uint8]


def on_circle(*degrees: float) -> Float32:
    radians = np.deg2rad(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=1).astype(np.float32)


def test_a_training_image_is_reached_within_the_distance_of_its_fifth_neighbour() -> None:
    near = nearness(on_circle(0, 1, 2, 3, 4, 5, 100), on_circle(-4.9, 180))
    # From 0 the fifth neighbour is at 5 degrees, and from 1 at 4. From 100 it is at 99.
    assert near.to_fifth == pytest.approx(np.cos(np.deg2rad([5, 4, 3, 3, 4, 5, 99])), abs=1e-6)
    assert near.to_next == pytest.approx(np.cos(np.deg2rad([1, 1, 1, 1, 1, 1, 95])), abs=1e-6)
    assert near.to_pool == pytest.approx(np.cos(np.deg2rad([4.9, 5.9, 6.9, 7.9, 8.9, 9.9, 80])), abs=1e-6)
    assert near.reached.tolist() == [True, False, False, False, False, False, True]
    assert near.pool_to_fifth == pytest.approx(np.cos(np.deg2rad([8.9, 178])), abs=1e-6)
    assert near.neighbors.tolist() == [[0, 1, 2, 3, 4], [6, 5, 4, 3, 2]]
    assert near.within.tolist() == [True, False]


def test_pool_embeddings_of_half_precision_are_compared_alike() -> None:
    rng = np.random.default_rng(0)
    train, pool = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (rng.normal(size=(n, 8)) for n in (40, 30)))
    half = pool.astype(np.float16)
    one, other = (nearness(train.astype(np.float32), z) for z in (half, half.astype(np.float32)))
    assert np.array_equal(one.to_pool, other.to_pool) and np.array_equal(one.neighbors, other.neighbors)


@pytest.mark.parametrize(
    ("train", "pool", "share"), [(10, 10, 1 - 0.5**5), (10, 0, 0.0), (30, 10, 1 - 0.75**5), (3, 3, 0.75)]
)
def test_what_a_pool_of_the_datas_own_kind_would_reach(train: int, pool: int, share: float) -> None:
    assert expected_reach(train, pool) == pytest.approx(share)


def test_the_expectation_holds_for_new_images_of_the_same_kind() -> None:
    rng = np.random.default_rng(0)
    drawn = rng.normal(size=(3000, 6))
    z = (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)
    for pool in (200, 1000, 2000):
        reached = nearness(z[:1000], z[1000 : 1000 + pool]).reached.mean()
        assert reached == pytest.approx(expected_reach(1000, pool), abs=0.04)


def test_similarity_within_a_class_leaves_the_image_itself_out() -> None:
    nearest = nearest_of_own_class(on_circle(0, 10, 40, 41), np.array([0, 0, 1, 0]))
    assert nearest == pytest.approx(
        [np.cos(np.deg2rad(10)), np.cos(np.deg2rad(10)), np.nan, np.cos(np.deg2rad(31))], nan_ok=True
    )


def test_pixels_are_measured_by_hand() -> None:
    stripes = np.zeros((1, 3, 4, 4), dtype=np.uint8)
    stripes[..., ::2] = 100  # neighbours across differ by 100, those below each other not at all
    assert statistics_of(stripes)[0] == pytest.approx([50, 50, np.sqrt(100**2 / 2)])
    assert differences(stripes, stripes[..., ::-1]).tolist() == [0]  # mirrored
    assert differences(stripes, stripes + 3) == pytest.approx([3])
    gray = np.arange(0, 200, dtype=np.uint8)[:, None, None, None] * np.ones((1, 3, 4, 4), np.uint8)
    assert look_like(gray[[0, 1, 100, 198, 199]], gray).tolist() == [False, True, True, True, False]


def smooth(rng: np.random.Generator, count: int, level: float) -> UInt8:
    """Images of a few large patches, so that a shift by one pixel changes little."""
    coarse = rng.normal(level, 40, (count, 3, 4, 4)).clip(0, 255).astype(np.uint8)
    large = [Image.fromarray(one.transpose(1, 2, 0)).resize((SIDE, SIDE), Image.Resampling.BICUBIC) for one in coarse]
    return np.stack([np.asarray(one).transpose(2, 0, 1) for one in large])


def features(rng: np.random.Generator, labels: NDArray[np.int64]) -> Float32:
    """Around one direction for each class, in eight dimensions."""
    z = np.eye(8)[labels] + rng.normal(0, 0.25, (len(labels), 8))
    return (z / np.linalg.norm(z, axis=1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def made() -> tuple[ImageDataset, Float32]:
    """Three classes and a test part, with features."""
    rng = np.random.default_rng(1)
    labels = np.concatenate([np.repeat(range(3), COUNTS), np.repeat(range(3), 10)])
    parts = {"train": np.arange(96), "probe": np.arange(10), "val": np.empty(0, np.int64), "test": np.arange(96, 126)}
    return ImageDataset(smooth(rng, 126, 120), labels, ("head", "body", "tail"), parts), features(rng, labels)


def checked(made: tuple[ImageDataset, Float32], images: UInt8, pool_z: Float32, **options: Any) -> PoolCheckResult:
    dataset, z = made
    return compare_pool(dataset, ImagePool(images), z, pool_z, 20, num_clusters=4, **options)


def verdicts(result: PoolCheckResult) -> dict[str, str]:
    return {finding.about: finding.verdict for finding in result.findings}


def test_new_images_of_the_same_kind_are_useful(made: tuple[ImageDataset, Float32]) -> None:
    rng = np.random.default_rng(2)
    result = checked(made, smooth(rng, 150, 120), features(rng, rng.integers(0, 3, 150)))
    assert result.verdict == "useful"
    assert verdicts(result) == {
        "near_duplicates": "no leak",
        "tail": "useful",
        "in_distribution": "useful",
        "budget": "useful",
    }
    assert result.reach.verdict == ["useful"] * 3 and result.near_duplicates.count == 0
    assert result.use.tailness_from == "class_sizes" and sum(c.budget for c in result.use.clusters) == 20
    # The tail cluster is the most tail-like, and gets the most.
    most = max(result.use.clusters, key=lambda cluster: cluster.budget)
    assert most.few_share is not None and most.few_share > 0.5


def test_a_pool_that_leaves_out_the_tail_is_useless(made: tuple[ImageDataset, Float32]) -> None:
    rng = np.random.default_rng(2)
    result = checked(made, smooth(rng, 150, 120), features(rng, rng.integers(0, 2, 150)))
    assert (result.verdict, verdicts(result)["tail"]) == ("useless", "useless")
    assert result.reach.verdict == ["useful", "useful", "useless"]
    assert "'tail'" in next(one.detail for one in result.findings if one.about == "tail")


def test_noise_is_useless_even_where_the_encoder_maps_it_into_the_midst_of_the_data(
    made: tuple[ImageDataset, Float32],
) -> None:
    rng = np.random.default_rng(3)
    images = rng.integers(0, 256, (150, 3, SIDE, SIDE), dtype=np.uint8)
    one_place = np.repeat(made[1][:1], 150, axis=0)
    result = checked(made, images, one_place)
    assert result.verdict == "useless" and result.in_distribution == 0
    assert verdicts(result) == {
        "near_duplicates": "no leak",
        "tail": "useless",
        "in_distribution": "useless",
        "budget": "useless",
    }
    assert (result.use.near_no_class, result.use.near_no_tail_class) == (20, 20)


def test_a_pool_of_training_images_is_a_leak(made: tuple[ImageDataset, Float32]) -> None:
    dataset, z = made
    result = checked(made, dataset.images[:96], z[:96])
    assert (result.verdict, verdicts(result)["near_duplicates"]) == ("leak", "leak")
    assert result.near_duplicates.exact_by_part == dict.fromkeys(PARTS, 0) | {"train": 96}
    assert result.use.near_duplicates == 20
    assert result.near_duplicates.examples[0].difference == 0


def test_copies_that_were_encoded_anew_or_mirrored_are_found_and_others_not(made: tuple[ImageDataset, Float32]) -> None:
    dataset, z = made
    rng = np.random.default_rng(4)
    file = io.BytesIO()
    Image.fromarray(dataset.images[100].transpose(1, 2, 0)).save(file, "JPEG", quality=90, subsampling=0)
    encoded = np.asarray(Image.open(file)).transpose(2, 0, 1)
    copies = np.stack([encoded, dataset.images[3, :, :, ::-1]])
    images = np.concatenate([copies, smooth(rng, 398, 120)])
    others = features(rng, rng.integers(0, 3, 398))
    result = checked(made, images, np.concatenate([z[[100, 3]], others]))
    found = [(one.pool_index, one.index, one.part, one.label) for one in result.near_duplicates.examples]
    assert found == [(0, 100, "test", 0), (1, 3, "train", 0)]
    assert result.near_duplicates.exact_by_part == dict.fromkeys(PARTS, 0) | {"train": 1}
    assert verdicts(result)["near_duplicates"] == "leak"  # one of 30 test images is more than 1 %


def test_what_does_not_go_together_is_named(made: tuple[ImageDataset, Float32]) -> None:
    dataset, z = made
    pool = ImagePool(dataset.images[:50])
    for changed, told in (
        ({"budget": 51}, "budget must be in 1..50"),
        ({"used_z": z[1:]}, "used_z has 125 rows for 126 images"),
        ({"pool_z": 2 * z[:50]}, "pool_z must be L2-normalised"),
        ({"tailness": np.zeros(5, np.float32)}, "tailness has 5 scores for 96"),
        ({"pool": ImagePool(np.zeros((50, 3, 8, 8), np.uint8))}, "16 px, of the pool 8 px"),
    ):
        given: dict[str, Any] = {"pool": pool, "used_z": z, "pool_z": z[:50], "budget": 5, "num_clusters": 4} | changed
        with pytest.raises(ValueError, match=told.replace(".", r"\.")):
            compare_pool(dataset, **given)


def test_the_encoder_of_a_checkpoint_is_asked() -> None:
    state = next(
        event.state for event in tiny_runs.run(tiny_runs.config(epochs=3)) if isinstance(event, CheckpointReady)
    )
    pool = ImagePool(DATA.images[DATA.parts["test"]])
    own = check_pool(PoolCheckSettings(budget=5), state, DATA, pool, trained_on_it=True)
    assert own.verdict == "leak" and own.near_duplicates.exact_by_part["test"] == len(pool)
    assert own.use.tailness_from == "checkpoint"
    other = check_pool(PoolCheckSettings(budget=5), state, DATA, pool, trained_on_it=False)
    assert other.use.tailness_from == "class_sizes" and other.reach == own.reach
    assert used_images(DATA).tolist() == list(range(56))
    backbone, _ = load_backbone(state)
    settings = PoolCheckSettings(budget=5)
    by_features = check_pool_with_backbone(settings, backbone, DATA, pool)
    data_z, pool_z = (extract_features(backbone, images) for images in (DATA.images, pool.images))
    data_z, pool_z = (z / np.linalg.norm(z, axis=1, keepdims=True) for z in (data_z, pool_z))
    assert by_features.use.tailness_from == "class_sizes" and by_features.verdict == "leak"
    assert by_features.near_duplicates.by_part == compare_pool(DATA, pool, data_z, pool_z, 5).near_duplicates.by_part
    json = own.model_dump_json()
    assert PoolCheckResult.model_validate_json(json) == own and "NaN" not in json
