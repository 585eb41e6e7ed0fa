"""The losses against slow, obvious loops that follow the formulas word for word, and against
gradcheck."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from colt_core.losses import distribution_contrastive, log_norm, nt_xent, similarity_softmax
from tests.support.slow import slow_nt_xent

DENOMINATORS = ["all", "cross_domain"]


def embeddings(batch_size: int, dim: int = 8, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.nn.functional.normalize(torch.randn(2 * batch_size, dim, generator=generator, dtype=dtype), dim=1)


def ood_mask(batch_size: int, num_ood: int, seed: int = 0) -> Tensor:
    return torch.randperm(batch_size, generator=torch.Generator().manual_seed(seed)) < num_ood


def slow_distribution(z: Tensor, is_ood: Tensor, tau: float, denominator: str) -> Tensor:
    n = len(z)
    phi = [bool(is_ood[i % (n // 2)]) for i in range(n)]
    total = z.new_zeros(())
    for i in range(n):
        positives = [p for p in range(n) if p != i and phi[p] == phi[i]]
        for p in positives:
            numerator = torch.exp(z[i] @ z[p] / tau)
            if denominator == "all":
                below = sum(torch.exp(z[i] @ z[a] / tau) for a in range(n) if a != i)
            else:
                below = numerator + sum(torch.exp(z[i] @ z[a] / tau) for a in range(n) if phi[a] != phi[i])
            total = total - torch.log(numerator / below) / len(positives)
    return total / n


def gradient(loss: Tensor, z: Tensor) -> Tensor:
    (grad,) = torch.autograd.grad(loss, z)
    return grad


@pytest.mark.parametrize(("batch_size", "tau"), [(1, 0.2), (2, 0.2), (5, 0.07), (6, 1.0)])
def test_nt_xent_is_the_formula(batch_size: int, tau: float) -> None:
    z = embeddings(batch_size).requires_grad_()
    loss, per_sample = nt_xent(z, tau)
    slow_loss, slow_per_sample = slow_nt_xent(z, tau)
    torch.testing.assert_close(loss, slow_loss)
    torch.testing.assert_close(per_sample, slow_per_sample)
    torch.testing.assert_close(gradient(loss, z), gradient(slow_loss, z))


@pytest.mark.parametrize("denominator", DENOMINATORS)
@pytest.mark.parametrize(("batch_size", "num_ood"), [(2, 1), (5, 1), (5, 2), (5, 4), (4, 4)])
@pytest.mark.parametrize("tau", [0.1, 0.7])
def test_distribution_loss_is_the_formula(batch_size: int, num_ood: int, denominator: str, tau: float) -> None:
    z, is_ood = embeddings(batch_size).requires_grad_(), ood_mask(batch_size, num_ood)
    loss = distribution_contrastive(z, is_ood, tau, denominator)
    slow = slow_distribution(z, is_ood, tau, denominator)
    torch.testing.assert_close(loss, slow)
    torch.testing.assert_close(gradient(loss, z), gradient(slow, z))


def test_gradients_pass_gradcheck() -> None:
    z = torch.randn(8, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(3)).requires_grad_()
    is_ood = ood_mask(4, 2)

    def unit(x: Tensor) -> Tensor:
        return torch.nn.functional.normalize(x, dim=1)

    assert torch.autograd.gradcheck(lambda x: log_norm(unit(x), 0.3), z)
    assert torch.autograd.gradcheck(lambda x: nt_xent(unit(x), 0.3)[1], z)
    for denominator in DENOMINATORS:
        assert torch.autograd.gradcheck(lambda x, d=denominator: distribution_contrastive(unit(x), is_ood, 0.3, d), z)


@pytest.mark.parametrize("denominator", DENOMINATORS)
def test_without_ood_the_term_is_zero_and_pulls_on_nothing(denominator: str) -> None:
    z = embeddings(4).requires_grad_()
    loss = distribution_contrastive(z, ood_mask(4, 0), 0.2, denominator)
    assert loss.item() == 0
    assert not gradient(loss, z).any()


def test_ood_alone_has_no_other_distribution_to_keep_apart_from() -> None:
    z = embeddings(4).requires_grad_()
    loss = distribution_contrastive(z, ood_mask(4, 4), 0.2, "cross_domain")
    assert loss.item() == 0
    assert not gradient(loss, z).any()


@pytest.mark.parametrize("denominator", DENOMINATORS)
def test_the_term_is_lower_for_distributions_that_lie_apart(denominator: str) -> None:
    is_ood = torch.tensor([False, False, True, True])
    apart = embeddings(4)
    apart[:, 0] += torch.where(is_ood.repeat(2), 5.0, -5.0)
    apart = torch.nn.functional.normalize(apart, dim=1)
    mixed = distribution_contrastive(embeddings(4), is_ood, 0.2, denominator)
    assert distribution_contrastive(apart, is_ood, 0.2, denominator) < mixed


def test_a_shared_normaliser_changes_neither_loss_nor_gradient() -> None:
    z, is_ood = embeddings(6).requires_grad_(), ood_mask(6, 2)
    shared = log_norm(z, 0.2)
    together = nt_xent(z, 0.2, shared)[0] + 0.2 * distribution_contrastive(z, is_ood, 0.2, "all", shared)
    alone = nt_xent(z, 0.2)[0] + 0.2 * distribution_contrastive(z, is_ood, 0.2, "all")
    torch.testing.assert_close(together, alone)
    torch.testing.assert_close(gradient(together, z), gradient(alone, z))


@settings(max_examples=25)
@given(
    batch_size=st.integers(2, 9),
    num_ood=st.integers(0, 9),
    seed=st.integers(0, 10_000),
    denominator=st.sampled_from(DENOMINATORS),
)
def test_order_of_samples_and_views_does_not_matter(batch_size: int, num_ood: int, seed: int, denominator: str) -> None:
    z, is_ood = embeddings(batch_size, seed=seed), ood_mask(batch_size, num_ood, seed)
    order = torch.randperm(batch_size, generator=torch.Generator().manual_seed(seed + 1))
    permuted = torch.cat([z[:batch_size][order], z[batch_size:][order]])
    swapped = torch.cat([z[batch_size:], z[:batch_size]])
    loss, per_sample = nt_xent(z, 0.2)
    distribution = distribution_contrastive(z, is_ood, 0.2, denominator)
    torch.testing.assert_close(nt_xent(permuted, 0.2)[1], per_sample[order])
    torch.testing.assert_close(nt_xent(swapped, 0.2)[1], per_sample)
    torch.testing.assert_close(per_sample.mean(), loss)
    torch.testing.assert_close(distribution_contrastive(permuted, is_ood[order], 0.2, denominator), distribution)
    torch.testing.assert_close(distribution_contrastive(swapped, is_ood, 0.2, denominator), distribution)


@settings(max_examples=25)
@given(
    num_ood=st.integers(0, 4), tau=st.floats(0.005, 10), same=st.booleans(), denominator=st.sampled_from(DENOMINATORS)
)
def test_never_a_nan(num_ood: int, tau: float, same: bool, denominator: str) -> None:
    z = embeddings(4, dtype=torch.float32)
    z = (z[:1].repeat(8, 1) if same else z).requires_grad_()
    loss = nt_xent(z, tau)[0] + distribution_contrastive(z, ood_mask(4, num_ood), tau, denominator)
    assert loss.isfinite()
    assert gradient(loss, z).isfinite().all()


def test_identical_embeddings_give_the_logarithm_of_their_number() -> None:
    z = embeddings(1)[:1].repeat(16, 1)
    assert nt_xent(z, 0.2)[0].item() == pytest.approx(math.log(15))


@pytest.mark.parametrize("denominator", DENOMINATORS)
def test_bfloat16_and_autocast_compute_in_float32(denominator: str) -> None:
    z, is_ood = embeddings(32, dim=64).bfloat16(), ood_mask(32, 9)
    exact = nt_xent(z.double(), 0.05)[0], distribution_contrastive(z.double(), is_ood, 0.05, denominator)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = nt_xent(z, 0.05)[0], distribution_contrastive(z, is_ood, 0.05, denominator)
    for ours, wanted in zip(inside, exact, strict=True):
        assert ours.dtype == torch.float32
        assert ours.item() == pytest.approx(wanted.item(), rel=1e-5)


@pytest.mark.parametrize("denominator", DENOMINATORS)
def test_gradients_are_those_of_float32_under_autocast(denominator: str) -> None:
    z, is_ood = embeddings(32, dim=64, dtype=torch.float32).requires_grad_(), ood_mask(32, 9)

    def total_gradient() -> Tensor:
        return gradient(nt_xent(z, 0.05)[0] + distribution_contrastive(z, is_ood, 0.05, denominator), z)

    outside = total_gradient()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = total_gradient()
    assert torch.equal(inside, outside)


@pytest.mark.parametrize(
    ("z", "tau", "named"),
    [
        (torch.ones(3, 2), 0.2, r"\(3, 2\)"),
        (torch.ones(0, 2), 0.2, r"\(0, 2\)"),
        (torch.ones(4), 0.2, r"\(4,\)"),
        (torch.ones(4, 2), 0.0, "temperature must be positive, not 0.0"),
        (torch.ones(4, 2), math.nan, "nan"),
    ],
)
def test_wrong_embeddings_are_named(z: Tensor, tau: float, named: str) -> None:
    with pytest.raises(ValueError, match=named):
        nt_xent(z, tau)


def test_wrong_mask_and_denominator_are_named() -> None:
    with pytest.raises(ValueError, match=r"int64"):
        distribution_contrastive(embeddings(2), torch.tensor([0, 1]), 0.2)
    with pytest.raises(ValueError, match=r"\(3,\)"):
        distribution_contrastive(embeddings(2), torch.ones(3, dtype=torch.bool), 0.2)
    with pytest.raises(ValueError, match="'none'"):
        distribution_contrastive(embeddings(2), ood_mask(2, 1), 0.2, "none")


@pytest.mark.parametrize("tau", [0.05, 0.02])
def test_small_losses_are_those_of_float64(tau: float) -> None:
    """By a difference of logits of size 1 / tau they were off by 7e-6, and negative at 0.02."""
    z = embeddings(24, dim=64, dtype=torch.float32)
    z[24:] = torch.nn.functional.normalize(z[:24] + 0.02 * z[24:], dim=1)
    exact = nt_xent(z.double(), tau)[1]
    alone = nt_xent(z, tau)[1]
    shared = nt_xent(z, tau, *similarity_softmax(z, tau))[1]
    assert exact.min() < 1e-3
    for ours in (alone, shared):
        assert ours.min() >= 0
        assert (ours - exact).abs().max() < 6e-7
    by_difference = nt_xent(z, tau, log_norm(z, tau))[1]
    assert (by_difference - exact).abs().max() > 1e-6


def test_a_probability_that_vanishes_leaves_the_loss_by_difference() -> None:
    z = torch.eye(4).repeat(2, 1)[[0, 1, 2, 3, 4, 5, 7, 6]].requires_grad_()  # two partners are orthogonal
    loss, per_sample = nt_xent(z, 0.005)
    exact = nt_xent(z.detach().double(), 0.005)[1]
    assert per_sample.tolist() == pytest.approx(exact.tolist(), rel=1e-6, abs=1e-6)
    assert per_sample[2] > 199 and gradient(loss, z).isfinite().all()
