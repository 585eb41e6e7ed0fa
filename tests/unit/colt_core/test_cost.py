"""Estimates of a run's parts, beside the parts themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from colt_core.architectures import STAGES
from colt_core.config import PretrainConfig
from colt_core.cost.dry_run import measured_activations
from colt_core.cost.memory import Activations, RunData
from colt_core.cost.run import run_cost
from colt_core.cost.shapes import encoder_shape
from colt_core.data import DataError, PoolSpec, build_pool
from colt_core.data.counts import counted, images_bytes
from colt_core.data.readers import open_unlabelled
from colt_core.events import CheckpointReady, EpochDone, RoundDone, StepDone
from colt_core.frameworks.build import build_framework
from colt_core.training.checkpoint import export_backbone, save_checkpoint
from tests.support.tiny_runs import POOL, TRAIN, config, kinds, run

FRAMEWORKS: list[dict[str, Any]] = [{"framework": kind} for kind in ("simclr", "sdclr", "bcl", "moco", "gh")]
FRAMEWORKS.append({"framework": "bcl", "bcl_variant": "D"})


@pytest.mark.parametrize("settings", FRAMEWORKS, ids=str)
@pytest.mark.parametrize(("backbone", "stem"), [*((name, "cifar") for name in STAGES), ("resnet50", "imagenet")])
def test_values_and_tensors_are_those_of_the_framework(backbone: str, stem: str, settings: dict[str, Any]) -> None:
    made = config(backbone=backbone, stem=stem, width=8, **settings)
    encoder = encoder_shape(backbone, 8, stem, made.projection_dim, 32)
    cost = made.framework.cost(encoder, made.projection_dim, 26)
    framework = build_framework(made, 26)
    trained = [parameter for parameter in framework.parameters() if parameter.requires_grad]
    assert encoder.parameters + cost.trained == sum(parameter.numel() for parameter in trained)
    assert encoder.features == framework.backbone.num_features
    state = framework.state_dict()
    assert encoder.tensors + cost.state_tensors == pytest.approx(len(state), abs=encoder.tensors / 10)
    bytes_ = sum(value.numel() * value.element_size() for value in state.values())
    assert 4 * encoder.state + cost.state_bytes == pytest.approx(bytes_, rel=0.02)
    assert 4 * encoder.backbone == pytest.approx(
        sum(v.numel() * v.element_size() for v in framework.backbone.state_dict().values()), rel=0.02
    )


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("settings", FRAMEWORKS, ids=str)
@pytest.mark.parametrize(
    ("backbone", "stem"), [("resnet10", "cifar-stride2"), ("resnet18", "cifar"), ("resnet50", "imagenet")]
)
def test_activations_of_shapes_are_those_that_autograd_keeps(
    backbone: str, stem: str, settings: dict[str, Any], precision: Any
) -> None:
    made = config(backbone=backbone, stem=stem, width=8, precision=precision, **settings)
    encoder = encoder_shape(backbone, 8, stem, made.projection_dim, 32)
    cost = made.framework.cost(encoder, made.projection_dim, 26)
    expected, found = Activations.of_shapes(encoder, cost, precision), measured_activations(made, 32)
    assert found.measured and not expected.measured
    assert expected.per_view == pytest.approx(found.per_view, rel=0.15)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"sampler": "none"},
        {"sampler": "mak"},
        {"pool_refresh": "candidates"},
        {"sampler": "idfill", "framework": "gh"},
    ],
    ids=str,
)
def test_counts_are_those_of_the_run(settings: dict[str, Any], tmp_path: Path) -> None:
    made = config(**settings)
    events = run(made)
    cost = run_cost(made, RunData(16, len(TRAIN), len(POOL)))
    checkpoints = [event for event in events if isinstance(event, CheckpointReady)]
    assert (cost.steps, cost.epochs) == (len(kinds(events, StepDone)), len(kinds(events, EpochDone)))
    assert (cost.rounds, cost.checkpoints) == (len(kinds(events, RoundDone)), len(checkpoints))
    assert (cost.pool_values, cost.tailness_values) == (
        cost.rounds * len(POOL) * made.sampler.uses_pool,
        4 * len(TRAIN),
    )
    assert cost.nearest_values == sum(done.nearest.size for done in kinds(events, RoundDone))
    save_checkpoint(checkpoints[0].state, tmp_path / "state.pt")
    export_backbone(checkpoints[0].state, tmp_path / "backbone.safetensors")
    written = sum(path.stat().st_size for path in tmp_path.iterdir())
    assert cost.checkpoint_bytes == pytest.approx(written, rel=0.2)


def test_the_largest_settings_are_counted_at_once() -> None:
    largest = PretrainConfig.resolve(
        {
            "backbone": "resnet50",
            "width": 256,
            "batch_size": 32_768,
            "epochs": 100_000,
            "checkpoint_interval": 1,
            "warmup_epochs": 1,
            "sample_interval": 1,
            "sample_budget": 100,
        }
    )
    cost = run_cost(largest, RunData(32, 50_000, 300_000))
    assert (cost.rounds, cost.checkpoints) == (99_999, 100_000)
    assert cost.memory.peak > 2**40 and cost.memory.largest == "step"


def test_images_are_approved_before_they_are_read(tmp_path: Path) -> None:
    np.save(tmp_path / "pool.npy", np.zeros((5, 8, 8), dtype=np.uint8))
    asked: list[int] = []

    def refuse(needed: int) -> None:
        asked.append(needed)
        raise DataError("too many")

    for size, side in ((1024, 1024), (None, 8)):
        with pytest.raises(DataError, match="too many"):
            build_pool(
                open_unlabelled(tmp_path / "pool.npy"),
                PoolSpec(image_size=size),
                into=tmp_path / "made",
                approve=refuse,
            )
        assert asked.pop() == images_bytes(5, side)
    assert not (tmp_path / "made").exists()


def test_images_are_counted_from_headers(tmp_path: Path) -> None:
    zeros = np.zeros((7, 9, 9), dtype=np.uint8)
    np.save(tmp_path / "a.npy", zeros)
    unread = np.zeros((5000, 4, 4))  # of no known name
    np.savez_compressed(tmp_path / "a.npz", images=zeros, labels=np.zeros(7), test_images=zeros[:2], masks=unread)
    assert counted(tmp_path / "a.npy", for_pool=True) == (7, 9)
    assert counted(tmp_path / "a.npz", for_pool=False) == (9, 9)
    assert counted(tmp_path / "a.npz", for_pool=True) == (7, 9)
    np.savez_compressed(tmp_path / "twice.npz", images=zeros, x=zeros)
    assert counted(tmp_path / "twice.npz", for_pool=True) is None
    (tmp_path / "b.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:100])
    assert counted(tmp_path / "b.npz", for_pool=False) is None
