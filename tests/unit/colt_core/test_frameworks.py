"""What holds of every framework: order of samples, exchanged views, duplicates, OOD shares, tiny
batches, precision."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from colt_core.batch import Batch
from colt_core.frameworks.build import build_framework
from colt_core.frameworks.framework import Framework
from colt_core.frameworks.kinds import frameworks
from colt_core.losses import distribution_contrastive, nt_xent
from colt_core.tailness import negative_tailness
from tests.support.tiny_runs import config

# Every framework, with its defaults, and the one variant that is built on another.
FRAMEWORKS: list[dict[str, Any]] = [{"framework": kind} for kind in frameworks]
FRAMEWORKS.append({"framework": "bcl", "bcl_variant": "D"})
EVERY = pytest.mark.parametrize("made", FRAMEWORKS, ids=lambda made: "-".join(made.values()))


def framework(made: dict[str, Any]) -> Framework:
    """At the start of its first epoch, in float64 but for the embeddings."""
    built = build_framework(config(**made), 30).double()
    built.begin_epoch(1)
    return built


def views(batch_size: int, seed: int = 0) -> Tensor:
    return torch.randn(2 * batch_size, 3, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def swapped(views_2B3SS: Tensor) -> Tensor:
    return torch.cat(views_2B3SS.chunk(2)[::-1])


@EVERY
def test_permuting_a_batch_permutes_its_losses_and_scores(made: dict[str, Any]) -> None:
    model, both, order = framework(made), views(6), torch.tensor([3, 0, 5, 1, 2, 4])
    permuted = torch.cat([view[order] for view in both.chunk(2)])
    first, second = model(both).z, model(permuted).z
    torch.testing.assert_close(second, torch.cat([z[order] for z in first.chunk(2)]))
    torch.testing.assert_close(nt_xent(second, 0.2)[1], nt_xent(first, 0.2)[1][order])
    torch.testing.assert_close(negative_tailness(second, 0.2, 3), negative_tailness(first, 0.2, 3)[order])


@EVERY
def test_views_can_be_swapped_where_both_go_through_one_branch(made: dict[str, Any]) -> None:
    """SimCLR cannot tell its views apart. In SDCLR view 1 is the dense branch's by design; without
    a mask it is not."""
    model, both = framework(made), views(5)
    losses = [nt_xent(model(each).z, 0.2)[1] for each in (both, swapped(both))]
    if not hasattr(model, "pruned_backbone"):
        torch.testing.assert_close(*losses)
    else:
        assert not torch.allclose(*losses, rtol=1e-2)
        model.pruned_backbone.prune(model.backbone, 0.0)
        torch.testing.assert_close(*[nt_xent(model(each).z, 0.2)[1] for each in (both, swapped(both))])


@EVERY
def test_duplicated_images_have_one_embedding_loss_and_score(made: dict[str, Any]) -> None:
    both = views(5)
    for view in both.chunk(2):
        view[4] = view[1]
    z = framework(made)(both).z
    assert torch.equal(z[4], z[1]) and torch.equal(z[9], z[6])
    for score in (nt_xent(z, 0.2)[1], negative_tailness(z, 0.2, 3)):
        torch.testing.assert_close(score[4], score[1])


@EVERY
@settings(max_examples=6)
@given(batch_size=st.integers(2, 5), num_ood=st.integers(0, 5), seed=st.integers(0, 999))
def test_any_share_of_ood_images_in_any_batch_trains(
    made: dict[str, Any], batch_size: int, num_ood: int, seed: int
) -> None:
    """None, all, and a batch of two among them: every parameter gets a gradient, and it is
    finite."""
    model, is_ood = framework(made), torch.arange(batch_size) < num_ood
    outputs = model(views(batch_size, seed))
    z = outputs.z
    batch = Batch(torch.empty(0), is_ood, torch.arange(batch_size), True)
    loss = model.loss(outputs, batch, 0.2).mean + 0.2 * distribution_contrastive(z, is_ood, 0.2)
    loss.backward()
    assert loss.isfinite()
    trained = [p for p in model.parameters() if p.requires_grad]
    assert all(p.grad is not None and p.grad.isfinite().all() for p in trained)
    assert negative_tailness(z, 0.2, 10, is_ood).isfinite().all()


@EVERY
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_stays_close(made: dict[str, Any], dtype: torch.dtype) -> None:
    model, both = framework(made).float().to(memory_format=torch.channels_last), views(16).float()
    exact = model(both).z
    with torch.autocast("cpu", dtype=dtype):
        z = model(both).z
    assert z.dtype == torch.float32
    assert nn.functional.cosine_similarity(z, exact).min() > (0.98 if dtype == torch.bfloat16 else 0.9999)
    losses = [nt_xent(each, 0.2)[0] for each in (z, exact)]
    torch.testing.assert_close(*losses, rtol=0.02, atol=0)
    losses[0].backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters() if p.requires_grad)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_losses_and_scores_of_half_precision_embeddings(dtype: torch.dtype) -> None:
    """At a small temperature exp(1 / tau) is beyond float16; it is computed in float32."""
    z = nn.functional.normalize(views(8).flatten(1), dim=1).to(dtype)
    is_ood = torch.arange(8) < 3
    for function in (
        lambda x: nt_xent(x, 0.05)[1],
        lambda x: distribution_contrastive(x, is_ood, 0.05, "all"),
        lambda x: distribution_contrastive(x, is_ood, 0.05, "cross_domain"),
        lambda x: negative_tailness(x, 0.05, 4),
    ):
        torch.testing.assert_close(function(z), function(z.float()))
