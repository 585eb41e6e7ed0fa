"""Raw tailness against loops that follow the definition, and the tracker's moving average."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from colt_core.tailness import TailnessTracker, negative_tailness


def embeddings(batch_size: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.nn.functional.normalize(
        torch.randn(2 * batch_size, 8, generator=generator, dtype=torch.float64), dim=1
    )


def slow_tailness(z: Tensor, tau: float, k: int, counted: list[bool] | None = None) -> Tensor:
    """`counted` says which samples are in norms and among negatives."""
    batch_size = len(z) // 2
    counted = [True] * batch_size if counted is None else counted
    scores = []
    for sample in range(batch_size):
        views = []
        for i in (sample, sample + batch_size):
            columns = [a for a in range(2 * batch_size) if a != i and counted[a % batch_size]]
            norm = sum(float(torch.exp(z[i] @ z[a] / tau)) for a in columns)
            negatives = [a for a in columns if a % batch_size != sample]
            views.append([float(torch.exp(z[i] @ z[j] / tau)) / norm for j in negatives])
        mean = sorted(((one + two) / 2 for one, two in zip(*views, strict=True)), reverse=True)
        scores.append(-sum(mean[:k]))
    return torch.tensor(scores, dtype=torch.float64)


@pytest.mark.parametrize(("batch_size", "k"), [(2, 1), (2, 10), (6, 3), (6, 10)])
def test_tailness_is_the_definition(batch_size: int, k: int) -> None:
    z = embeddings(batch_size)
    torch.testing.assert_close(negative_tailness(z, 0.2, k), slow_tailness(z, 0.2, k))


def test_a_share_of_the_negatives() -> None:
    z = embeddings(6)  # 10 negatives
    torch.testing.assert_close(negative_tailness(z, 0.2, 0.3), slow_tailness(z, 0.2, 3))
    torch.testing.assert_close(negative_tailness(z, 0.2, 0.01), slow_tailness(z, 0.2, 1))


def test_no_more_columns_than_there_are_negatives() -> None:
    z = embeddings(3)
    torch.testing.assert_close(negative_tailness(z, 0.2, 100), negative_tailness(z, 0.2, 4))
    assert negative_tailness(embeddings(1), 0.2, 10).tolist() == [0]


def test_ood_left_out_scores_id_as_without_them() -> None:
    z = embeddings(7)
    is_ood = torch.tensor([False, True, False, False, True, True, False])
    keep = (~is_ood).repeat(2)
    for top_k in (2, 0.5):
        scores = negative_tailness(z, 0.2, top_k, is_ood, ood_in_negatives=False)
        torch.testing.assert_close(scores[~is_ood], negative_tailness(z[keep], 0.2, top_k))
        assert scores.isfinite().all()
    assert not torch.allclose(scores, negative_tailness(z, 0.2, 0.5))


def test_ood_left_out_of_a_batch_with_one_id_sample_or_none() -> None:
    z = embeddings(3)
    one = negative_tailness(z, 0.2, 10, torch.tensor([True, False, True]), ood_in_negatives=False)
    assert one[1] == 0
    none = negative_tailness(z, 0.2, 10, torch.ones(3, dtype=torch.bool), ood_in_negatives=False)
    assert none.tolist() == [0, 0, 0]


@settings(max_examples=25)
@given(batch_size=st.integers(2, 12), top_k=st.integers(1, 30), seed=st.integers(0, 10_000))
def test_order_of_samples_and_views_does_not_matter(batch_size: int, top_k: int, seed: int) -> None:
    z = embeddings(batch_size, seed)
    order = torch.randperm(batch_size, generator=torch.Generator().manual_seed(seed + 1))
    scores = negative_tailness(z, 0.2, top_k)
    permuted = torch.cat([z[:batch_size][order], z[batch_size:][order]])
    torch.testing.assert_close(negative_tailness(permuted, 0.2, top_k), scores[order])
    torch.testing.assert_close(negative_tailness(torch.cat([z[batch_size:], z[:batch_size]]), 0.2, top_k), scores)
    assert ((scores >= -1) & (scores <= 0)).all()


def test_duplicated_images_score_alike_and_lower_than_a_lone_one() -> None:
    z = embeddings(5)
    z = torch.cat([z[:5], z[5:]]).view(2, 5, -1)
    z[:, 1] = z[:, 0]
    scores = negative_tailness(z.reshape(10, -1), 0.2, 2)
    torch.testing.assert_close(scores[0], scores[1])
    lone = torch.zeros(2, 1, 8, dtype=torch.float64)
    lone[..., 0] = 1
    crowd = torch.zeros(2, 4, 8, dtype=torch.float64)
    crowd[..., 1] = 1
    crowded = torch.cat([lone, crowd], dim=1).reshape(10, -1)
    scores = negative_tailness(crowded, 0.2, 3)
    assert (scores[0] > scores[1:]).all()


def test_bfloat16_is_scored_in_float32_without_a_gradient() -> None:
    z = embeddings(32).bfloat16().requires_grad_()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        scores = negative_tailness(z, 0.05, 10)
    assert not scores.requires_grad
    assert scores.dtype == torch.float32
    torch.testing.assert_close(scores.double(), negative_tailness(z.double(), 0.05, 10), rtol=1e-5, atol=0)


@pytest.mark.parametrize("top_k", [0, -3, 2.5, 0.0])
def test_an_impossible_top_k_is_named(top_k: float) -> None:
    with pytest.raises(ValueError, match=f"not {top_k}"):
        negative_tailness(embeddings(3), 0.2, top_k)


def test_leaving_ood_out_needs_to_know_them() -> None:
    with pytest.raises(ValueError, match="is_ood"):
        negative_tailness(embeddings(3), 0.2, 10, ood_in_negatives=False)


def test_first_value_as_it_is_then_the_moving_average() -> None:
    tracker = TailnessTracker(3, momentum=0.75)
    tracker.update(torch.tensor([2, 0]), torch.tensor([-0.5, -0.25]))
    assert tracker.scores()[[0, 2]].tolist() == [-0.25, -0.5]
    tracker.update(torch.tensor([2]), torch.tensor([-1.0]))
    assert tracker.scores()[2] == 0.75 * -0.5 + 0.25 * -1.0


def test_a_first_score_of_zero_counts_as_seen() -> None:
    tracker = TailnessTracker(1, momentum=0.5)
    tracker.update(torch.tensor([0]), torch.tensor([0.0]))
    tracker.update(torch.tensor([0]), torch.tensor([-1.0]))
    assert tracker.scores().tolist() == [-0.5]


def test_never_seen_samples_are_neither_head_nor_tail() -> None:
    tracker = TailnessTracker(3, momentum=0.97)
    assert tracker.scores().tolist() == [0, 0, 0]
    tracker.update(torch.tensor([0, 1]), torch.tensor([-0.5, -0.25]))
    assert tracker.scores().tolist() == [-0.5, -0.25, -0.375]
    tracker.update(torch.tensor([2]), torch.tensor([-1.0]))
    assert tracker.scores()[2] == -1


def test_tracker_goes_on_from_its_state() -> None:
    tracker, other = TailnessTracker(4, 0.9), TailnessTracker(4, 0.9)
    tracker.update(torch.tensor([0, 3]), torch.tensor([-0.5, -0.1]))
    state = tracker.state_dict()
    other.load_state_dict(state)
    for each in (tracker, other):
        each.update(torch.tensor([0, 1]), torch.tensor([-0.3, -0.2]))
    assert torch.equal(tracker.scores(), other.scores())
    # A copy: later updates do not reach it.
    assert state["seen"].tolist() == [True, False, False, True]
    assert state["score"].tolist() == pytest.approx([-0.5, 0, 0, -0.1])
    with pytest.raises(ValueError, match="4 samples, but the tracker has 5"):
        TailnessTracker(5, 0.9).load_state_dict(state)


@pytest.mark.parametrize(
    ("index", "raw", "error", "named"),
    [
        ([0, 3], [0.0, 0.0], IndexError, r"3 is outside 0\.\.2"),
        ([-1, 1], [0.0, 0.0], IndexError, "-1 is outside"),
        ([1, 1], [0.0, 0.0], ValueError, "repeats"),
        ([1], [0.0, 0.0], ValueError, "same length"),
        ([0, 1], [0.0, float("nan")], ValueError, "not finite"),
    ],
)
def test_a_wrong_update_changes_nothing(index: list[int], raw: list[float], error: type[Exception], named: str) -> None:
    tracker = TailnessTracker(3, 0.9)
    with pytest.raises(error, match=named):
        tracker.update(torch.tensor(index), torch.tensor(raw))
    assert not tracker.state_dict()["seen"].any()


def test_tracker_rejects_what_cannot_be() -> None:
    with pytest.raises(ValueError, match="num_samples"):
        TailnessTracker(0, 0.9)
    with pytest.raises(ValueError, match=r"momentum .* not 1"):
        TailnessTracker(3, 1)
