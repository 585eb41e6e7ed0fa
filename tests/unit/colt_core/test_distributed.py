"""Ranks that share a batch: rows, gathered embeddings, batch norm and gradients are those of one
process.

Functions named `_on_...` run in each of several real processes, joined by gloo.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from colt_core.batch import Batch
from colt_core.distributed import (
    GlobalBatchNorm,
    Ranks,
    gather_outputs,
    gather_rows,
    gather_views,
    process_group,
    sum_gradients,
    with_global_statistics,
)
from colt_core.frameworks.build import build_framework
from colt_core.frameworks.kinds import frameworks
from colt_core.losses import distribution_contrastive
from colt_core.seeding import generator
from colt_core.training.pretrain import pretrain
from tests.support.rank_processes import OnRanks
from tests.support.tiny_runs import POOL, TRAIN, config


@pytest.fixture(params=[2, 3])
def on_ranks(request: pytest.FixtureRequest, ranks_of: Callable[[int], OnRanks]) -> OnRanks:
    return ranks_of(request.param)


@pytest.mark.parametrize("size", [1, 2, 3, 8])
def test_every_row_is_in_exactly_one_shard(size: int) -> None:
    for count in range(40):
        shards = [Ranks(rank, size).shard(count) for rank in range(size)]
        assert [row for shard in shards for row in range(count)[shard]] == list(range(count))
        lengths = [shard.stop - shard.start for shard in shards]
        assert max(lengths) - min(lengths) <= 1


def _on_gathered_rows(ranks: Ranks) -> None:
    for total in (0, 1, 2, 3, 7, 12):
        rows = torch.arange(total * 2.0).reshape(total, 2)
        assert torch.equal(gather_rows(rows[ranks.shard(total)], total, ranks), rows)
    with pytest.raises(ValueError, match="rows"):
        gather_rows(torch.zeros(9, 2), 8, ranks)


def test_rows_are_gathered_in_order_whatever_the_sizes(on_ranks: OnRanks) -> None:
    on_ranks(_on_gathered_rows)


def _own_views(stacked: Tensor, ranks: Ranks) -> Tensor:
    view1, view2 = stacked.chunk(2)
    own = ranks.shard(len(view1))
    return torch.cat([view1[own], view2[own]])


def _on_gathered_views(ranks: Ranks) -> None:
    for batch_size in (2, 3, 4, 7, 10):
        z_2BD = torch.randn(2 * batch_size, 5, generator=generator(0, "z", batch_size))
        weights = torch.randn(2 * batch_size, 5, generator=generator(0, "weights", batch_size))
        own = _own_views(z_2BD, ranks).requires_grad_()
        gathered = gather_views(own, batch_size, ranks)
        assert torch.equal(gathered, z_2BD)
        (gathered * weights).sum().backward()
        assert own.grad is not None
        assert torch.equal(own.grad, _own_views(weights, ranks))


def test_views_are_gathered_in_the_stacked_order_and_each_rank_has_its_rows_gradient(on_ranks: OnRanks) -> None:
    on_ranks(_on_gathered_views)


def _on_batch_norm(ranks: Ranks) -> None:
    for rows, shape in ((2, (3,)), (5, (3,)), (2, (3, 4, 2)), (7, (3, 4, 4))):
        draw = generator(0, "batch norm", rows, len(shape))
        x = 3 + 2 * torch.randn(rows, *shape, generator=draw)
        upstream = torch.randn(rows, *shape, generator=draw)
        one: nn.Module = nn.BatchNorm1d(3) if len(shape) == 1 else nn.BatchNorm2d(3)
        with torch.no_grad():
            one.weight.copy_(torch.tensor([0.5, -1.0, 2.0]))
            one.bias.copy_(torch.tensor([1.0, 0.0, -1.0]))
        many = nn.Sequential(type(one)(3))
        many[0].load_state_dict(one.state_dict())
        with_global_statistics(many)
        assert isinstance(many[0], GlobalBatchNorm)
        own = ranks.shard(rows)
        whole, part = x.clone().requires_grad_(), x[own].clone().requires_grad_()
        for _ in range(2):  # running statistics move twice
            expected, found = one(whole), many(part)
            torch.testing.assert_close(found, expected[own])
        expected.backward(upstream)
        found.backward(upstream[own])
        sum_gradients(many, ranks)
        assert whole.grad is not None and part.grad is not None
        torch.testing.assert_close(part.grad, whole.grad[own], rtol=1e-4, atol=1e-5)
        for name, parameter in one.named_parameters():
            torch.testing.assert_close(many[0].get_parameter(name).grad, parameter.grad, rtol=1e-4, atol=1e-5)
        assert list(many[0].state_dict()) == list(one.state_dict())
        torch.testing.assert_close(dict(many[0].state_dict()), dict(one.state_dict()))
        torch.testing.assert_close(many.eval()(x), one.eval()(x))


def test_batch_norm_is_that_of_the_joined_rows_where_ranks_have_few_or_none(on_ranks: OnRanks) -> None:
    on_ranks(_on_batch_norm)


def _on_half_precision_batch_norm(ranks: Ranks) -> None:
    draw, own = generator(0, "bf16"), ranks.shard(8)
    whole = torch.randn(8, 3, 4, 4, generator=draw).bfloat16()
    # What is common to all rows cancels out, and would not in half precision.
    upstream = (torch.randn(8, 3, 4, 4, generator=draw) + 10).bfloat16()
    expected = nn.BatchNorm2d(3)(whole)
    in_full = whole.detach().float().requires_grad_()
    nn.BatchNorm2d(3)(in_full).backward(upstream.float())
    many = nn.Sequential(nn.BatchNorm2d(3))
    with_global_statistics(many)
    part = whole.detach()[own].requires_grad_()
    found = many(part)
    assert found.dtype == torch.bfloat16
    found.backward(upstream[own])
    assert in_full.grad is not None and part.grad is not None and part.grad.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), expected[own].float(), rtol=1e-2, atol=1e-2)
    torch.testing.assert_close(part.grad.float(), in_full.grad[own], rtol=1e-2, atol=1e-3)


def test_batch_norm_of_bfloat16(on_ranks: OnRanks) -> None:
    on_ranks(_on_half_precision_batch_norm)


def _on_loss_and_gradient(ranks: Ranks, framework: str) -> None:
    made = config(framework=framework)
    # In float64, as batch norm of two samples blows rounding up: z is rounded to float32 in the
    # same way everywhere.
    one, many = (build_framework(made, 26).double().train() for _ in range(2))
    with_global_statistics(many)
    for network in (one, many):
        network.begin_epoch(made.epochs)  # losses that begin late are among those compared
    for batch_size in range(2, 10):
        draw = generator(0, "images", batch_size)
        images = torch.randn(2 * batch_size, 3, 8, 8, generator=draw, dtype=torch.float64)
        is_ood_B = torch.rand(batch_size, generator=draw) < 0.4
        losses = []
        for network, place in ((one, Ranks()), (many, ranks)):
            network.zero_grad()
            outputs = gather_outputs(network(_own_views(images, place)), batch_size, place)
            batch = Batch(images, is_ood_B, torch.arange(batch_size), True)
            own_loss = network.loss(outputs, batch, 0.5)
            loss = own_loss.mean + distribution_contrastive(outputs.z, is_ood_B, 0.5)
            loss.backward()
            sum_gradients(network, place)
            network.after_step(outputs, batch)
            losses.append(loss.detach())
        torch.testing.assert_close(losses[1], losses[0], rtol=1e-6, atol=1e-6)
        expected = {name: parameter.grad for name, parameter in one.named_parameters()}
        found = {name: parameter.grad for name, parameter in many.named_parameters()}
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(dict(many.state_dict()), dict(one.state_dict()), rtol=1e-6, atol=1e-7)


@pytest.mark.parametrize("framework", list(frameworks))
def test_loss_and_gradients_are_those_of_one_process_for_every_batch_size(on_ranks: OnRanks, framework: str) -> None:
    on_ranks(_on_loss_and_gradient, framework)


def _on_disagreement(ranks: Ranks) -> None:
    assert ranks.broadcast_bool(ranks.rank == 0)
    assert not ranks.broadcast_bool(ranks.rank != 0)
    ranks.check_same(4, 2)
    with pytest.raises(RuntimeError, match="not at the same point"):
        ranks.check_same(4, ranks.rank)


def test_rank_0_decides_and_ranks_that_differ_are_told(on_ranks: OnRanks) -> None:
    on_ranks(_on_disagreement)


def test_a_run_of_several_processes_says_how_to_start_them() -> None:
    made = config(num_processes=3)
    with pytest.raises(ValueError, match="torchrun --nproc-per-node 3"), process_group(made):
        pass
    with pytest.raises(ValueError, match=r"torchrun --nproc-per-node 3"):
        pretrain(made, TRAIN, POOL)
    assert made.model_copy(update={"batch_size": 5}).data_problems(26, 30) == [
        ("num_processes", "3 processes get fewer than 2 images each of batch_size 5")
    ]
