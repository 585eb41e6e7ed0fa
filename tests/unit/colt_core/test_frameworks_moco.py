"""MoCo v2 against a slow reference that is written down as the paper reads: one anchor, one key,
one step at a time."""

from __future__ import annotations

import math
from copy import deepcopy

import pytest
import torch
from pydantic import ValidationError
from torch import Tensor, nn

from colt_core.batch import Batch
from colt_core.config import PretrainConfig
from colt_core.events import CheckpointReady, StepDone
from colt_core.frameworks.build import build_framework
from colt_core.frameworks.moco import MoCo, MoCoOutputs
from colt_core.training.checkpoint import load_backbone
from tests.support.tiny_runs import config, difference, kinds, run, stop_after

TAU = 0.2


def moco(queue_size: int = 12, key_momentum: float = 0.9) -> MoCo:
    made = config(framework="moco", queue_size=queue_size, key_momentum=key_momentum)
    framework = build_framework(made, 26)
    assert isinstance(framework, MoCo)
    return framework


def batch_of(size: int) -> Batch:
    return Batch(torch.empty(0), torch.zeros(size, dtype=torch.bool), torch.arange(size), True)


def views(size: int, seed: int = 0) -> Tensor:
    return torch.randn(2 * size, 3, 16, 16, generator=torch.Generator().manual_seed(seed))


def slow_losses(queries: Tensor, keys: Tensor, queue: Tensor) -> list[float]:
    """-log( exp(q.k+ / tau) / (exp(q.k+ / tau) + sum over the queue of exp(q.k / tau)) ), a
    sample's two directions."""
    size = len(queries) // 2
    losses = []
    for i in range(size):
        both = []
        for query, key in ((queries[i], keys[size + i]), (queries[size + i], keys[i])):
            positive = math.exp(float(query @ key) / TAU)
            negatives = sum(math.exp(float(query @ other) / TAU) for other in queue)
            both.append(-math.log(positive / (positive + negatives)))
        losses.append(sum(both) / 2)
    return losses


def test_the_loss_is_that_of_the_formula() -> None:
    framework = moco()
    outputs = framework(views(5))
    found = framework.loss(outputs, batch_of(5), TAU)
    expected = slow_losses(outputs.z.detach(), outputs.keys, framework.queue_QD)
    assert found.per_sample.tolist() == pytest.approx(expected, rel=1e-5)
    assert float(found.mean) == pytest.approx(sum(expected) / 5, rel=1e-5)
    assert found.probability is None and found.log_norm is None  # it has no NT-Xent softmax to share


def test_keys_come_from_the_key_encoder_which_starts_as_a_copy() -> None:
    framework = moco()
    outputs = framework(views(4))
    torch.testing.assert_close(outputs.keys, outputs.z.detach())  # the same weights, and the same batch statistics
    assert not outputs.keys.requires_grad and outputs.z.requires_grad
    with torch.no_grad():
        framework.key_projector.fc2.weight.mul_(-1)
    other = framework(views(4))
    assert not torch.allclose(other.keys, other.z)


def test_a_step_moves_the_key_encoder_and_the_queue_as_written_out() -> None:
    framework = moco(queue_size=7, key_momentum=0.75)
    queue, slow_oldest = framework.queue_QD.clone(), 0
    optimizer = torch.optim.SGD([p for p in framework.parameters() if p.requires_grad], lr=0.5)
    for number, size in enumerate((2, 3, 5)):  # 4, 6 and 10 keys: the last are more than the queue holds
        followers = [deepcopy(framework.key_backbone), deepcopy(framework.key_projector)]
        outputs = framework(views(size, seed=number))
        optimizer.zero_grad()
        framework.loss(outputs, batch_of(size), TAU).mean.backward()
        optimizer.step()
        framework.after_step(outputs, batch_of(size))
        for before, trained, now in zip(
            followers,
            (framework.backbone, framework.projector),
            (framework.key_backbone, framework.key_projector),
            strict=True,
        ):
            for name, parameter in now.named_parameters():
                expected = 0.75 * before.get_parameter(name) + 0.25 * trained.get_parameter(name)
                torch.testing.assert_close(parameter, expected.detach())
        for key in outputs.keys[-7:]:
            queue[slow_oldest] = key
            slow_oldest = (slow_oldest + 1) % 7
        assert torch.equal(framework.queue_QD, queue)
    assert int(framework.oldest) == slow_oldest


def test_only_the_trained_encoder_gets_gradients_and_batch_norm_of_the_key_encoder_sees_its_batches() -> None:
    framework = moco()
    before = framework.key_backbone.bn1.running_mean.clone()
    framework.loss(framework(views(4)), batch_of(4), TAU).mean.backward()
    for name, parameter in framework.named_parameters():
        assert (parameter.grad is None) == name.startswith("key_"), name
    assert not torch.equal(framework.key_backbone.bn1.running_mean, before)


def test_the_queue_begins_with_unit_directions_of_the_seed() -> None:
    first, again = moco(50), moco(50)
    other = build_framework(config(framework="moco", queue_size=50, seed=1), 26)
    assert torch.equal(first.queue_QD, again.queue_QD) and not torch.equal(first.queue_QD, other.queue_QD)
    torch.testing.assert_close(first.queue_QD.norm(dim=1), torch.ones(50))


def test_embeddings_are_the_query_encoders() -> None:
    framework = moco().eval()
    images = views(3)
    expected = nn.functional.normalize(framework.projector(framework.backbone(images)), dim=1)
    torch.testing.assert_close(framework.embed(images), expected)
    assert isinstance(framework(images), MoCoOutputs)


def test_queue_and_key_encoder_are_in_the_checkpoint_and_a_run_resumes_exactly() -> None:
    made = config(framework="moco", queue_size=20)
    whole = run(made)
    for stop in (3, 10):  # within the first epoch, and after a round
        before = run(made, should_stop=stop_after(stop))
        state = before[-2].state
        assert {"queue_QD", "oldest", "key_backbone.conv1.weight"} <= state["framework"].keys()
        after = run(made, resume_from=state)
        assert difference(before[:-2] + after, whole) is None
    backbone, _ = load_backbone(kinds(whole, CheckpointReady)[-1].state)
    weights = kinds(whole, CheckpointReady)[-1].state["framework"]
    assert torch.equal(backbone.conv1.weight, weights["backbone.conv1.weight"])


def test_settings_count() -> None:
    runs = [kinds(run(config(framework="moco", **changed)), StepDone) for changed in ({}, {"queue_size": 8})]
    assert difference(*runs)
    slower = kinds(run(config(framework="moco", key_momentum=0.5)), StepDone)
    assert difference(runs[0], slower)


def test_a_queue_that_no_checkpoint_should_hold_is_refused() -> None:
    told = r"16385 keys of projection_dim 4096 are too many.*at most 16384"
    with pytest.raises(ValidationError, match=told) as error:
        PretrainConfig.resolve({"framework": "moco", "queue_size": 16385, "projection_dim": 4096})
    assert error.value.errors()[0]["loc"] == ("queue_size",)
    assert PretrainConfig.resolve({"framework": "moco", "queue_size": 16384, "projection_dim": 4096})
