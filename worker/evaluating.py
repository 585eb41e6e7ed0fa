"""Probing a checkpoint's backbone, and the columns that the result becomes."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from colt_core.data.dataset import ImageDataset
from colt_core.probes.kinds import ProbeSettings
from colt_core.snapshot import Snapshot
from worker.child import WorkFailed


def probe(state: Snapshot, dataset: ImageDataset, config: ProbeSettings) -> dict[str, Any]:
    """Evaluate the backbone in `state`, a loaded checkpoint.

    Returns:
        The result's columns of an `evaluations` row.

    Raises:
        WorkFailed: when the data set is too small for the probe.
    """
    from colt_core.probes.evaluate import evaluate
    from colt_core.training.checkpoint import load_backbone
    from colt_core.training.device import Compute

    backbone, pretrained = load_backbone(state)
    Compute.of(pretrained).module(backbone)
    try:
        result = evaluate(
            backbone,
            dataset,
            config,
            flip_probability=pretrained.flip_probability,
            precision=pretrained.precision,
        )
    except ValueError as error:
        raise WorkFailed(f"evaluation '{config.kind}': {error}") from error
    columns = asdict(result)
    for name in ("per_class_accuracy", "class_counts", "test_counts"):
        columns[name] = list(columns[name])
    return columns
