"""`python -m tests.support.measured_runs FOLDER`: runs of a service's trainer, and what each used.

It reads a list of runs from its input as JSON, and prints what they used in the same order. Each
run is a process of its own, forked off one that has imported everything and computed nothing.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import traceback
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import faiss  # noqa: F401 (a round imports it, which is memory of the base process)
import numpy as np
import sklearn.cluster  # noqa: F401
import torch
from sqlalchemy import func, select

from colt_core.config import PretrainConfig
from colt_core.training.pretrain import pretrain
from store import leases
from store.artifacts import get_artifacts
from store.database import get_engine, reading, writing
from store.models import Job, Metric
from tests.support.files import files_under
from tests.support.rows import add_dataset, add_job
from tests.support.settings import worker_settings
from worker.checkpoints import CheckpointFolder
from worker.recorder import Recorder

CLASSES = 10
_WARM_UP: dict[str, Any] = {"epochs": 2, "batch_size": 8, "width": 4, "backbone": "resnet10", "checkpoint_interval": 1}
_WARM_UP |= {"warmup_epochs": 1, "sample_budget": 8, "num_clusters": 3, "lr_warmup_epochs": 0, "projection_dim": 8}


@dataclass(frozen=True)
class Used:
    """What a run used.

    Attributes:
        base: bytes resident before it, after a tiny run of the same kind.
        peak: bytes resident at its peak.
        checkpoint: bytes of its last checkpoint's files.
        metrics: rows of its curves.
        database: bytes by which the database grew.
        scores: bytes of the files with the scores of its rounds.
    """

    base: int
    peak: int
    checkpoint: int
    metrics: int
    database: int
    scores: int


def main(folder: Path) -> None:
    template = folder / "template.db"
    torch.set_num_threads(1)
    used = []
    for number, run in enumerate(json.load(sys.stdin)):
        into, result = folder / str(number), folder / f"{number}.json"
        child = os.fork()
        if child == 0:
            try:
                result.write_text(json.dumps(asdict(_used(run, template, into))))
            except BaseException:
                traceback.print_exc()
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if status != 0:
            sys.exit(f"run {number} failed")
        used.append(json.loads(result.read_text()))
    json.dump(used, sys.stdout)


def _used(run: dict[str, Any], template: Path, into: Path) -> Used:
    config = PretrainConfig.resolve(run["config"])
    images, pool = (_images(run[name], run["image_size"]) for name in ("num_train", "num_pool"))
    into.mkdir()
    shutil.copy(template, into / "colt.db")
    with worker_settings(into, f"sqlite:///{into / 'colt.db'}"):
        for _ in pretrain(_tiny(run["config"]), images[:32], pool[:32] if len(pool) else None):
            pass
        recorder, artifact = _recorder(config, len(images))
        _fold_log()
        before, base = (into / "colt.db").stat().st_size, _resident("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
        for event in pretrain(config, images, pool if len(pool) else None):
            recorder.record(event)
        peak = _resident("VmHWM")
        _fold_log()
        with reading() as session:
            metrics = session.scalar(select(func.count()).select_from(Metric)) or 0
        written = list(files_under(artifact))
        checkpoints = [path.parent for path in written if path.parent.parent.name == "checkpoints"]
        last = max(checkpoints, key=lambda folder: int(folder.name.split("-")[1]))
        checkpoint = sum(path.stat().st_size for path in last.iterdir())
        scores = sum(path.stat().st_size for path in written if path.parent.name == "rounds")
        return Used(base, peak, checkpoint, metrics, (into / "colt.db").stat().st_size - before, scores)


def _images(count: int, side: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 3, side, side), dtype=np.uint8)


def _tiny(settings: dict[str, Any]) -> PretrainConfig:
    kept = {name: settings[name] for name in ("framework", "sampler", "precision", "optimizer") if name in settings}
    if kept.get("sampler") == "none":
        dropped = ("sample_budget", "warmup_epochs")
        return PretrainConfig.resolve({name: _WARM_UP[name] for name in _WARM_UP if name not in dropped} | kept)
    return PretrainConfig.resolve(_WARM_UP | kept)


def _recorder(config: PretrainConfig, num_train: int) -> tuple[Recorder, Path]:
    engine = get_engine()
    dataset = add_dataset(engine, status="ready")
    job = add_job(engine, dataset, config=config.model_dump(mode="json"), epochs=config.epochs)
    with writing() as session:
        lease = leases.claim(session, Job, "me", 3600)
    assert lease is not None
    labels = np.arange(num_train, dtype=np.int64) % CLASSES
    folder = CheckpointFolder(get_artifacts(), job.id)
    recorder = Recorder(lease, config, labels, CLASSES, folder, epoch=0, previous=np.empty(0, dtype=np.int64))
    return recorder, Path(os.environ["COLT_HOME"]) / "artifacts"


def _fold_log() -> None:
    """Write the write-ahead log into the database file."""
    with get_engine().connect() as connection:
        connection.connection.driver_connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # type: ignore[union-attr]


def _resident(what: str) -> int:
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(what))
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main(Path(sys.argv[1]))
