"""Each analysis against a case worked by hand, and what must hold of it whatever the numbers
are."""

from __future__ import annotations

import numpy as np
import pytest

from colt_core.analyses.alignment import alignment
from colt_core.analyses.cluster_minority import cluster_minority
from colt_core.analyses.connectivity import connectivity
from colt_core.analyses.feature_map import feature_map, neighbour_error
from colt_core.analyses.misclassification import misclassification_matrix
from colt_core.analyses.tail_share import tail_share
from colt_core.analyses.uniformity import uniformity


def sphere(*shape: int) -> np.ndarray:
    z = np.random.default_rng(shape).normal(size=shape)
    return (z / np.linalg.norm(z, axis=-1, keepdims=True)).astype(np.float32)


def circle(*degrees: float) -> list[list[float]]:
    return [[np.cos(angle), np.sin(angle)] for angle in np.radians(degrees)]


def rotation(dim: int) -> np.ndarray:
    return np.linalg.qr(np.random.default_rng(dim).normal(size=(dim, dim)))[0].astype(np.float32)


# ---- uniformity


def test_uniformity_by_hand() -> None:
    # Squared distances 2, 4 and 2; so log((2 exp(-4) + exp(-8)) / 3) = log((0.0366313 + 0.0003355)
    # / 3).
    z = np.array(circle(0, 90, 180), dtype=np.float32)
    assert uniformity(z) == pytest.approx(-4.39634, abs=1e-5)


def test_uniformity_of_one_point_is_0_and_of_opposite_ones_the_least() -> None:
    assert uniformity(np.repeat(sphere(1, 5), 4, axis=0)) == pytest.approx(0, abs=1e-6)
    assert uniformity(np.array(circle(0, 180), dtype=np.float32)) == pytest.approx(-8)


def test_uniformity_is_the_slow_mean_whatever_the_block() -> None:
    z = sphere(23, 6)
    slow = [np.exp(-2 * np.sum((z[a].astype(float) - z[b]) ** 2)) for a in range(23) for b in range(a)]
    for block in (1, 70, 22 * 23, 1000):  # 1, 3, 22 and all 23 rows
        assert uniformity(z, block) == pytest.approx(np.log(np.mean(slow)), abs=1e-5)


def test_uniformity_sees_no_order_and_no_rotation() -> None:
    z = sphere(40, 8)
    assert uniformity(z[np.random.default_rng(0).permutation(40)]) == pytest.approx(uniformity(z), abs=1e-6)
    assert uniformity(z @ rotation(8)) == pytest.approx(uniformity(z), abs=1e-5)


def test_uniformity_needs_normalised_pairs() -> None:
    with pytest.raises(ValueError, match="only one"):
        uniformity(sphere(1, 3))
    with pytest.raises(ValueError, match="row 1 has length 2"):
        uniformity(np.array([[1, 0], [0, 2]], dtype=np.float32))


# ---- alignment


def test_alignment_by_hand() -> None:
    # Squared distances of the three pairs: 2, 0 and 4.
    view1, view2 = (np.array(circle(*of), dtype=np.float32) for of in ((0, 0, 90), (90, 0, 270)))
    assert alignment(view1, view2) == pytest.approx(2)


def test_alignment_sees_no_order_no_rotation_and_no_side() -> None:
    view1, view2 = sphere(20, 3, 6), sphere(3, 20, 6).reshape(20, 3, 6)
    value, order = alignment(view1, view2), np.random.default_rng(0).permutation(20)
    assert 0 < value < 4
    assert alignment(view2, view1) == value
    assert alignment(view1[order], view2[order]) == pytest.approx(value)
    assert alignment(view1 @ rotation(6), view2 @ rotation(6)) == pytest.approx(value, abs=1e-5)


@pytest.mark.parametrize(("view1", "view2"), [(sphere(2, 3), sphere(3, 3)), (sphere(0, 3), sphere(0, 3))])
def test_alignment_needs_pairs(view1: np.ndarray, view2: np.ndarray) -> None:
    with pytest.raises(ValueError, match="pairs of views"):
        alignment(view1, view2)


# ---- tail share


def test_tail_share_by_hand() -> None:
    #                   by tailness: 9  8  7  6  5  4  3  2  1  0
    labels_by_tailness = np.array([2, 0, 2, 0, 1, 0, 1, 0, 0, 0])
    shuffled = np.random.default_rng(0).permutation(10)
    tailness, labels = np.arange(9, -1, -1, dtype=np.float32)[shuffled], labels_by_tailness[shuffled]
    # Class 2 is 2 of 10. Of the first 1: 1 of 1, over 0.2. Of the first ceil(2.5) = 3: 2 of 3. Of
    # 5: 2 of 5.
    assert tail_share(tailness, labels, [2], [10, 25, 50, 100]) == pytest.approx([5, 2 / 3 / 0.2, 2, 1])
    # Class 0 is 6 of 10. 0 of 1; 1 of 3; 2 of 5; all.
    assert tail_share(tailness, labels, [0], [10, 25, 50, 100]) == pytest.approx([0, 1 / 3 / 0.6, 0.4 / 0.6, 1])
    assert tail_share(tailness, labels, [], [10, 100]) == [None, None]
    assert tail_share(tailness, labels, [3], [10]) == [None]


def test_of_equal_tailness_the_first_images_are_taken() -> None:
    labels = np.array([0, 0, 1, 1])
    assert tail_share(np.zeros(4, dtype=np.float32), labels, [0], [50]) == [2]
    assert tail_share(np.zeros(4, dtype=np.float32), labels, [1], [50]) == [0]


@pytest.mark.parametrize(("gamma", "count", "taken"), [(7, 100, 7), (1.1, 3000, 33)])
def test_the_percentage_is_taken_of_the_decimal(gamma: float, count: int, taken: int) -> None:
    # In floats 7 / 100 * 100 is above 7, and 1.1 * 3000 / 100 above 33.
    labels = np.zeros(count, dtype=np.int64)
    labels[0] = 1  # of highest tailness: 1 of those taken, over 1 of all
    assert tail_share(-labels.cumsum().astype(np.float32), labels, [1], [gamma]) == pytest.approx([count / taken])


def test_tail_share_refuses_what_it_cannot_count() -> None:
    with pytest.raises(ValueError, match="one score for each label"):
        tail_share(np.zeros(3, dtype=np.float32), np.zeros(4, dtype=np.int64), [0], [10])
    for gamma in (0, 100.5, float("nan")):
        with pytest.raises(ValueError, match="gamma"):
            tail_share(np.zeros(3, dtype=np.float32), np.zeros(3, dtype=np.int64), [0], [gamma])


# ---- clusters


def test_cluster_minority_by_hand() -> None:
    # Cluster 0: minority 0 of 1, tailness 0. Cluster 1 is empty. Cluster 2: 1 of 2, mean 1.
    # Cluster 3: 2 of 2, mean 1.
    cluster = np.array([3, 0, 2, 2, 3])
    labels = np.array([7, 0, 1, 5, 5])
    tailness = np.array([1, 0, 3, -1, 1], dtype=np.float32)
    found = cluster_minority(tailness, cluster, labels, minority=[5, 7])
    assert found.size == [1, 2, 2]
    assert found.minority_share == [0, 0.5, 1]
    assert found.tailness == [0, 1, 1]
    # Means 1/2 and 2/3; Sxy = (-1/2)(-2/3) + (1/2)(1/3) = 1/2; Sxx = 1/2; Syy = 4/9 + 1/9 + 1/9 =
    # 2/3.
    assert found.slope == pytest.approx(1)
    assert found.intercept == pytest.approx(1 / 6)
    assert found.r == pytest.approx(0.5 / (0.5 * 2 / 3) ** 0.5)


def test_no_line_through_one_share_and_no_correlation_with_a_constant() -> None:
    labels, cluster = np.array([0, 1, 0, 1]), np.array([0, 0, 1, 1])
    found = cluster_minority(np.arange(4, dtype=np.float32), cluster, labels, [1])
    assert (found.slope, found.intercept, found.r) == (None, None, None)
    found = cluster_minority(np.full(4, -0.1, dtype=np.float32), np.array([0, 1, 1, 1]), labels, [1])
    assert found.slope == pytest.approx(0, abs=1e-7) and found.r is None
    with pytest.raises(ValueError, match="differ in length"):
        cluster_minority(np.zeros(3, dtype=np.float32), cluster, labels, [1])


# ---- misclassification


def test_misclassification_by_hand() -> None:
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 2])
    predictions = np.array([0, 0, 1, 2, 0, 0, 1, 0])
    found = misclassification_matrix(predictions, labels, class_counts=[5, 90, 20])
    assert found.counts == [[2, 1, 1], [2, 1, 0], [1, 0, 0]]
    # 5 wrong of 8. Balanced: row 0 5 * 4/8 / 2 = 1.25 a cell, row 1 5 * 3/8 / 2 = 0.9375, row 2 5 *
    # 1/8 / 2 = 0.3125.
    assert found.normalized == [[None, 0.8, 0.8], [pytest.approx(32 / 15), None, 0], [3.2, 0, None]]
    assert found.order == [1, 2, 0]


def test_balanced_confusion_is_1_everywhere() -> None:
    # Each of 4 classes: 2 right, and one error into each other class: W / (C (C - 1)) = 12 / 12 =
    # 1.
    pairs = [(true, predicted) for true in range(4) for predicted in [true, *range(4)]]
    labels, predictions = (np.array(column) for column in zip(*pairs, strict=True))
    found = misclassification_matrix(predictions, labels, [1, 1, 1, 1])
    assert found.normalized == [[None if i == j else 1 for j in range(4)] for i in range(4)]


def test_where_nothing_can_be_divided_stands_null() -> None:
    right = np.array([0, 1, 1])
    assert misclassification_matrix(right, right, [1, 1]).normalized == [[None, None], [None, None]]
    # Class 2 has no test image; what is wrongly called 2 counts all the same: 1 wrong of 2,
    # expected 1/4 a cell.
    found = misclassification_matrix(np.array([2, 1]), np.array([0, 1]), [3, 2, 1])
    assert found.normalized == [[None, 0, 4], [0, None, 0], [None, None, None]]
    assert misclassification_matrix(np.array([0]), np.array([0]), [3]).normalized == [[None]]
    with pytest.raises(ValueError, match="predictions must be in"):
        misclassification_matrix(np.array([2]), np.array([1]), [1, 1])


# ---- connectivity


def test_connectivity_by_hand() -> None:
    # Nearest views of a, b: 90 and 120 degrees, chord 2 sin 15 = 0.518. Of b, c: 180 and 240, 1.0.
    # Of a, c: 0 and 250, 2 sin 55 = 1.638. The OOD image is 1.0 from a (300 and 360), 1.414 from b
    # (180 and 270), 0.347 from c (250, 270).
    a, b, c = circle(0, 90), circle(120, 180), circle(240, 250)
    other_class = circle(91, 121)
    z = np.array([a, other_class, b, c], dtype=np.float32)
    ood = np.array([circle(300, 270)], dtype=np.float32)
    labels = np.array([4, 0, 4, 4])
    thresholds = [0.5, 0.53, 1.01, 1.5, 1.7]
    found = connectivity(z, labels, thresholds, ood)
    assert found.num_pairs == 3
    assert found.without_ood == pytest.approx([0, 1 / 3, 2 / 3, 2 / 3, 1])
    assert found.with_ood == pytest.approx([0, 1 / 3, 1, 1, 1])
    for none in (None, ood[:0]):
        assert connectivity(z, labels, thresholds, none).with_ood == found.without_ood


def test_a_bridge_is_one_and_the_same_image() -> None:
    # Each of the pair has an OOD image right beside it, and the two OOD images share a point: no
    # bridge all the same.
    z = np.array([circle(0), circle(180)], dtype=np.float32).repeat(2, axis=1)
    ood = np.array([circle(1, 90), circle(179, 90)], dtype=np.float32)
    assert connectivity(z, np.array([0, 0]), [0.1], ood).with_ood == [0]
    assert connectivity(z, np.array([0, 0]), [0.1], np.array([circle(1, 179)], dtype=np.float32)).with_ood == [1]


def test_connectivity_grows_and_sees_no_order_no_rotation_and_no_block() -> None:
    z, ood, labels = sphere(12, 3, 4), sphere(5, 3, 4), np.arange(12) % 2
    thresholds = list(np.linspace(0.05, 2, 20))
    found = connectivity(z, labels, thresholds, ood)
    without, bridged = np.array(found.without_ood), np.array(found.with_ood)
    assert (np.diff(without) >= 0).all() and (np.diff(bridged) >= 0).all() and (bridged >= without).all()
    assert without[0] < without[-1] == 1 and (bridged > without).any()
    order, views = np.random.default_rng(0).permutation(12), np.random.default_rng(0).permutation(3)
    assert connectivity(z[order][:, views], labels[order], thresholds, ood[::-1]) == found
    assert connectivity(z @ rotation(4), labels, thresholds, ood @ rotation(4)) == found
    assert connectivity(z, labels, thresholds, ood, block=1) == found


def test_connectivity_without_a_pair_and_of_what_does_not_fit() -> None:
    found = connectivity(sphere(2, 3, 4), np.array([0, 1]), [0.5])
    assert (found.num_pairs, found.without_ood, found.with_ood) == (0, [None], [None])
    with pytest.raises(ValueError, match="as many labels"):
        connectivity(sphere(2, 3, 4), np.array([0]), [0.5])
    with pytest.raises(ValueError, match="ood_z_MVD must be L2-normalised"):
        connectivity(sphere(2, 3, 4), np.array([0, 0]), [0.5], 2 * sphere(1, 3, 4))


# ---- map


def test_the_principal_components_by_hand() -> None:
    # On a line through (1, 0, 1) / sqrt 2 at 0, 1 and 5: centred -2, -1 and 3, the second component
    # 0.
    z = np.outer([0, 1, 5], np.array([1, 0, 1]) / 2**0.5).astype(np.float32)
    points = feature_map(z, "pca")
    assert np.sign(points[2, 0]) * points[:, 0] == pytest.approx([-2, -1, 3], abs=1e-5)
    assert points[:, 1] == pytest.approx([0, 0, 0], abs=1e-5)


def test_tsne_keeps_groups_together_and_is_a_function_of_its_seed() -> None:
    group = np.repeat([0, 1], 12)
    z = (np.eye(5)[group] + np.random.default_rng(0).normal(size=(24, 5)) * 0.01).astype(np.float32)
    points = feature_map(z, "tsne", seed=3)
    assert points.shape == (24, 2) and np.array_equal(points, feature_map(z, "tsne", seed=3))
    distance = np.linalg.norm(points[:, None] - points, axis=-1)
    np.fill_diagonal(distance, np.inf)
    assert (group[distance.argmin(axis=1)] == group).all()


@pytest.mark.parametrize("method", ["tsne", "pca"])
def test_the_smallest_maps(method: str) -> None:
    assert np.isfinite(feature_map(sphere(3, 4), method)).all()
    assert (feature_map(np.repeat(sphere(1, 4), 5, axis=0), method) == 0).all()
    with pytest.raises(ValueError, match="at least 3"):
        feature_map(sphere(2, 4), method)


def test_the_error_of_neighbours_leaves_out_the_image_itself() -> None:
    # Two tight bunches of 11; one image of bunch 1 lies in bunch 0, and so is wrong.
    centre = np.eye(4, dtype=np.float32)[:2].repeat(11, axis=0)
    z = centre + np.random.default_rng(0).normal(0, 0.01, centre.shape).astype(np.float32)
    z /= np.linalg.norm(z, axis=1, keepdims=True)
    labels = np.repeat([0, 1], 11)
    labels[0] = 1
    error = neighbour_error(z, labels)
    assert error[0] == 1
    assert error[1:11].tolist() == pytest.approx([0.1] * 10)
    assert (error[11:] == 0).all()
    # All equal: each still has ten others.
    assert (neighbour_error(np.repeat(z[:1], 30, axis=0), np.zeros(30, dtype=np.int64)) == 0).all()
    assert neighbour_error(z[[0, 11]], np.array([0, 1])).tolist() == [1, 1]
