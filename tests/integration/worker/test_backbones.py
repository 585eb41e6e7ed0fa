"""Registering backbones, and evaluating them, by the real programs."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from safetensors.torch import load_file, save_file
from sqlalchemy import Engine

from colt_core.analyses.kinds import AlignmentConfig, FeatureMapConfig
from colt_core.analyses.run import analyze_backbone
from colt_core.backbones.stored import random_backbone
from colt_core.data.dataset import ImagePool
from colt_core.events import CheckpointReady
from colt_core.pixels import MEAN, STD
from colt_core.pools.kinds import PoolCheckResult, PoolCheckSettings
from colt_core.probes.evaluate import evaluate
from colt_core.probes.kinds import ProbeSettings
from colt_core.training.checkpoint import load_backbone
from colt_core.training.device import Compute
from store.artifacts import get_artifacts
from store.database import reading, writing
from store.models import Analysis, BackboneWeights, Evaluation, OodPool, PoolCheck, Upload, new_id
from store.orphans import find_orphans
from store.repositories import checkpoint_work
from tests.support.claims import one_worker
from tests.support.rows import add_dataset, add_job
from tests.support.tiny_dataset import DATA
from tests.support.tiny_runs import config, kinds, run
from worker import backbones
from worker.checkpoints import CheckpointFolder
from worker.child import WorkFailed

SMALL = {"backbone": "resnet10", "width": 4, "stem": "cifar-stride2"}
POOL = 12


@pytest.fixture(autouse=True)
def _service(configured: Engine) -> None:
    """The worker's settings and database."""


def upload(tmp_path: Path, name: str, content: Any) -> str:
    path = tmp_path / name
    (save_file if name.endswith(".safetensors") else torch.save)(content, path)
    row = Upload(id=new_id(), filename=name, bytes=0, sha256="", artifact="")
    row.artifact = f"uploads/{row.id}/{name}"
    stored = get_artifacts().write(row.artifact, [path.read_bytes()])
    row.bytes, row.sha256 = stored.bytes, stored.sha256
    with writing() as session:
        session.add(row)
    return row.id


def add(source: dict[str, Any], name: str = "net", **spec: Any) -> str:
    settings = {"source": source, "mean": list(MEAN), "std": list(STD), **SMALL}
    row = BackboneWeights(name=name, spec=settings | spec)
    with writing() as session:
        session.add(row)
    return row.id


def add_pool(tmp_path: Path) -> str:
    """Of training images."""
    row = OodPool(name="pool", spec={}, status="ready")
    with writing() as session:
        session.add(row)
    ImagePool(DATA.images[:POOL]).save(tmp_path / "pool")
    written = get_artifacts().take_folder(tmp_path / "pool", row.artifact)
    with writing() as session:
        session.get_one(OodPool, row.id).files = {name: asdict(of) for name, of in written.items()}
    return row.id


def shown(row_id: str) -> BackboneWeights:
    with reading() as session:
        row = session.get_one(BackboneWeights, row_id)
        _ = row.names  # deferred
        return row


def test_each_source_becomes_weights_that_are_evaluated(tmp_path: Path, home: Path, configured: Engine) -> None:
    dataset = add_dataset(configured, status="ready")
    DATA.save(tmp_path / "data")
    written = get_artifacts().take_folder(tmp_path / "data", dataset.artifact)
    with writing() as session:
        session.get_one(type(dataset), dataset.id).files = {name: asdict(of) for name, of in written.items()}
    resnet = torchvision.models.resnet18(weights=None)
    held = {"epoch": 1, "state_dict": {f"module.{name}": value for name, value in resnet.state_dict().items()}}
    source = {"kind": "upload", "upload_id": upload(tmp_path, "theirs.pth", held)}
    of_file = add(source, backbone="resnet18", width=64, stem="imagenet", mean=[0.5] * 3)
    of_seed = add({"kind": "random", "seed": 7})
    probe = ProbeSettings(kind="knn", neighbors=3)
    with one_worker(home) as work:
        for row_id in (of_file, of_seed):
            work(BackboneWeights)
            assert (shown(row_id).status, shown(row_id).problem) == ("ready", None)
        with writing() as session:
            asked = [
                checkpoint_work.add_of_backbone(
                    session, Evaluation, row_id, probe.model_dump(mode="json"), subject={"dataset_id": dataset.id}
                ).id
                for row_id in (of_file, of_seed)
            ]
        for _ in asked:
            work(Evaluation)
        pool, checked = add_pool(tmp_path), PoolCheckSettings(budget=3)
        with writing() as session:
            subject = {"dataset_id": dataset.id, "ood_pool_id": pool}
            check = checkpoint_work.add_of_backbone(
                session, PoolCheck, of_file, checked.model_dump(mode="json"), subject=subject
            ).id
        work(PoolCheck)
        mapped, thresholds = FeatureMapConfig(method="pca"), {"low": 9, "high": 13}
        with writing() as session:
            analyses = [
                checkpoint_work.add_of_backbone(
                    session,
                    Analysis,
                    of_file,
                    settings.model_dump(mode="json"),
                    subject={"dataset_id": dataset.id, "assumed": assumed},
                ).id
                for settings, assumed in ((mapped, {}), (AlignmentConfig(), {"group_thresholds": thresholds}))
            ]
        for _ in analyses:
            work(Analysis)

    row = shown(of_file)
    assert row.matched_share == 1.0 and row.names is not None
    assert (row.names["prefix"], row.names["missing"]) == ("state_dict.module.", [])
    assert set(row.names["unexpected"]) == {"state_dict.module.fc.weight", "state_dict.module.fc.bias"}
    kept = load_file(home / "artifacts" / row.artifact / backbones.WEIGHTS)
    assert all(torch.equal(value, resnet.state_dict()[name]) for name, value in kept.items())
    found = backbones.load(of_seed)
    initial = random_backbone(found.architecture, seed=7)
    assert all(torch.equal(value, initial.state_dict()[name]) for name, value in found.state_dict().items())
    for backbone_id, evaluation_id in zip((of_file, of_seed), asked, strict=True):
        with reading() as session:
            evaluation = session.get_one(Evaluation, evaluation_id)
        assert (evaluation.status, evaluation.error) == ("succeeded", None)
        expected = evaluate(backbones.load(backbone_id), DATA, probe)
        assert evaluation.accuracy == expected.accuracy and evaluation.per_class_accuracy is not None
        assert tuple(evaluation.per_class_accuracy) == tuple(expected.per_class_accuracy)
    with reading() as session:
        row_of_check = session.get_one(PoolCheck, check)
        assert (row_of_check.status, row_of_check.error) == ("succeeded", None)
        found_check = PoolCheckResult.model_validate(row_of_check.result)
    assert found_check.verdict == "leak" and found_check.near_duplicates.exact_by_part["train"] == POOL
    assert (found_check.num_pool, found_check.use.budget, found_check.use.tailness_from) == (POOL, 3, "class_sizes")
    results = []
    for analysis_id in analyses:
        with reading() as session:
            analysis = session.get_one(Analysis, analysis_id)
            assert (analysis.status, analysis.error) == ("succeeded", None)
            results.append(analysis.result)
    backbone = backbones.load(of_file)
    Compute.choose().module(backbone)  # as the worker does: another memory layout rounds otherwise
    of_library = analyze_backbone(mapped, backbone, DATA)
    assert results[0] == of_library.model_dump(mode="json")
    body, tail = results[1]["by_class"][1:]
    assert results[1]["group"]["few"] == pytest.approx((body + tail) / 2)  # by the thresholds of the row
    assert find_orphans(get_artifacts(), age=0) == []

    start = CheckpointFolder(get_artifacts(), "job").start(
        add_job(configured, dataset, start_backbone_id=of_seed, start_from={"backbone_id": of_seed, "name": "net"})
    )
    assert isinstance(start, type(found)) and torch.equal(start.conv1.weight, found.conv1.weight)
    with pytest.raises(WorkFailed, match="the backbone was deleted"):
        backbones.load("none")


def test_a_checkpoint_becomes_a_backbone_that_outlives_it(home: Path, configured: Engine) -> None:
    job = add_job(configured, add_dataset(configured, status="ready"), status="succeeded")
    (event,) = kinds(run(config(sampler="none", epochs=1)), CheckpointReady)
    assert isinstance(event, CheckpointReady)
    checkpoint = CheckpointFolder(get_artifacts(), job.id).store(event)
    with writing() as session:
        session.add(checkpoint)
    ready, late = (add({"kind": "checkpoint", "checkpoint_id": checkpoint.id}, name) for name in ("now", "too late"))
    with one_worker(home) as work:
        work(BackboneWeights)
        get_artifacts().delete(checkpoint.artifact)
        work(BackboneWeights)
    expected, _ = load_backbone(event.state)
    assert all(
        torch.equal(value, expected.state_dict()[name]) for name, value in backbones.load(ready).state_dict().items()
    )
    assert shown(late).status == "failed" and "the checkpoint is gone or damaged" in str(shown(late).problem)


def test_a_file_that_is_refused_says_why_and_leaves_nothing(tmp_path: Path, home: Path) -> None:
    half = {name: value for name, value in _weights().items() if not name.startswith("layer4")}
    odd = {"\0" * 3 + "\u202e" + "x" * 1000: torch.zeros(1)}
    files = {
        "half.pt": (half | odd, "weights, and at least 90% are needed: it lacks layer4.0.conv1.weight"),
        "unsafe.pt": ({"a": Path("x")}, "beside tensors"),
        "zeros.safetensors": (_weights() | {"bn1.running_var": -torch.ones(4)}, "a variance below zero"),
    }
    for name, (content, told) in files.items():
        row_id = add({"kind": "upload", "upload_id": upload(tmp_path, name, content)})
        with one_worker(home) as work:
            work(BackboneWeights)
        row = shown(row_id)
        assert row.status == "failed" and row.problem is not None and told in row.problem["detail"], row.problem
        assert not (home / "artifacts" / row.folder).exists()
        if name == "half.pt":
            assert row.names is not None and len(row.names["unexpected"][0]) == 200
            assert row.names["unexpected"][0].isprintable() and row.matched_share < 0.9
            assert row.names["matched"] == list(half)


def _weights() -> dict[str, torch.Tensor]:
    state = random_backbone(BackboneWeights(spec=SMALL).architecture, seed=0).state_dict()
    return {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}
