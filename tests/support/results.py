"""Rows and artifacts as a worker leaves them, small enough to check by hand."""

from __future__ import annotations

import io
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from colt_core.config import PretrainConfig
from colt_core.data.digests import DIGESTS, SortedDigests, digests_of
from colt_core.pixels import MEAN, STD
from store.artifacts import get_artifacts
from store.database import writing
from store.models import (
    BackboneWeights,
    Checkpoint,
    Dataset,
    Experiment,
    ExperimentArm,
    ExperimentRun,
    Job,
    OodPool,
    Registered,
    RoundScores,
    SamplingRound,
    TailnessEpoch,
    Worker,
    new_id,
)
from store.pool_scores import packed
from store.repositories import events, recording

# 3 classes; the training part comes first and is long-tailed: 6, 3 and 1 images.
TRAIN_LABELS = np.array([0, 0, 0, 0, 0, 0, 1, 1, 1, 2])
PROBE_LABELS = np.repeat([0, 1, 2], [5, 5, 4])
TEST_LABELS = np.repeat([0, 1, 2], 4)
NAMES = ["cat", "dog", "owl"]
POOL_SIZE = 8


def npy(array: NDArray[Any]) -> bytes:
    """The array as a file."""
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


class Rows:
    def pixels(self, count: int, size: int = 8) -> NDArray[np.uint8]:
        """Image i is of the colour (i, 2i, 3i)."""
        colours = np.arange(count)[:, None] * np.array([1, 2, 3])
        return np.broadcast_to(colours[:, :, None, None], (count, 3, size, size)).astype(np.uint8)

    def dataset(
        self, name: str = "animals", status: str = "ready", image_size: int = 8, digests: bool = False, **values: Any
    ) -> Dataset:
        """Without `digests`, as an earlier version left it."""
        labels = np.concatenate([TRAIN_LABELS, PROBE_LABELS, TEST_LABELS]).astype(np.int64)
        # One training image of the rarest class serves the probe part too.
        probe = np.concatenate([[9], np.arange(10, 24)])
        parts = {"train": np.arange(10), "probe": probe, "test": np.arange(24, 36)}
        row = Dataset(
            id=new_id(),
            name=name,
            status=status,
            spec={"source": {"kind": "sample", "name": "digits"}},
            problem=None,
        )
        if status == "ready":
            row.progress, row.image_size, row.num_samples, row.num_classes = 1.0, image_size, len(labels), 3
            row.class_names, row.class_counts = NAMES, [6, 3, 1]
            row.split_sizes = {"train": 10, "probe": 15, "val": 0, "test": 12}
            row.groups = {"many": [0], "medium": [1], "few": [2]}
            row.stored_as = row.folder_of("attempt")  # and the pool as an earlier version left it
            packed = io.BytesIO()
            np.savez(packed, **parts)
            for file, content in (
                ("images.npy", npy(self.pixels(len(labels), image_size))),
                ("labels.npy", npy(labels)),
                ("parts.npz", packed.getvalue()),
            ):
                get_artifacts().write(f"{row.artifact}/{file}", [content])
            if digests:
                self._digest(row, self.pixels(len(labels), image_size))
            for field, value in values.items():
                setattr(row, field, value)
        if status == "failed":
            row.problem = {"type": "about:blank", "title": "Registration failed", "status": 422, "detail": "no images"}
        with writing() as session:
            session.add(row)
        return row

    def unlabelled(self, name: str = "scans", count: int = 10, digests: bool = False, first: int = 0) -> Dataset:
        """A ready data set of images without labels: those of `dataset` from `first` on."""
        row = Dataset(id=new_id(), name=name, status="ready", spec={"source": {"kind": "sample"}, "labels": False})
        row.progress, row.image_size, row.num_samples = 1.0, 8, count
        row.split_sizes = {"train": count, "probe": 0, "val": 0, "test": 0}
        row.stored_as = row.folder_of("attempt")
        images = self.pixels(first + count)[first:]
        get_artifacts().write(f"{row.artifact}/images.npy", [npy(images)])
        if digests:
            self._digest(row, images)
        with writing() as session:
            session.add(row)
        return row

    def pool(
        self,
        name: str = "glyphs",
        status: str = "ready",
        image_size: int = 8,
        digests: bool = False,
        first: int = 0,
        **values: Any,
    ) -> OodPool:
        """Its images are those of the data set from `first` on. `digests`: as for a data set."""
        row = OodPool(id=new_id(), name=name, status=status, spec={"source": {"kind": "sample"}})
        if status == "ready":
            row.progress, row.image_size, row.num_samples = 1.0, image_size, POOL_SIZE
            images = self.pixels(first + POOL_SIZE, image_size)[first:]
            get_artifacts().write(f"{row.artifact}/images.npy", [npy(images)])
            if digests:
                self._digest(row, images)
            for field, value in values.items():
                setattr(row, field, value)
        with writing() as session:
            session.add(row)
        return row

    def _digest(self, row: Registered, images: NDArray[np.uint8]) -> None:
        ordered = SortedDigests.of(digests_of(images))
        content = npy(np.stack([ordered.digest, ordered.index.astype(np.uint64)]))
        row.files = {DIGESTS: asdict(get_artifacts().write(f"{row.artifact}/{DIGESTS}", [content]))}

    def backbone(self, status: str = "ready", **spec: Any) -> BackboneWeights:
        """Of the architecture of the preset `digits`, without its file."""
        settings = {"backbone": "resnet10", "width": 16, "stem": "cifar-stride2", "mean": list(MEAN), "std": list(STD)}
        row = BackboneWeights(
            id=new_id(), name="a net", status=status, spec={"source": {"kind": "random", "seed": 0}, **settings, **spec}
        )
        with writing() as session:
            session.add(row)
        return row

    def job(self, dataset: Dataset | None = None, pool: OodPool | None = None, **values: Any) -> Job:
        config = PretrainConfig.resolve({"preset": "digits", "sampler": "none", "batch_size": 4})
        defaults: dict[str, Any] = {
            "name": "a run",
            "dataset_id": (dataset or self.dataset()).id,
            "ood_pool_id": None if pool is None else pool.id,
            "config": config.model_dump(mode="json"),
            "framework": "simclr",
            "sampler": "none",
            "evaluations": ["linear"],
            "epochs": config.epochs,
            "status": "succeeded",
        }
        row = Job(id=new_id(), **{**defaults, **values})
        with writing() as session:
            session.add(row)
            session.flush()
            events.append(session, row.id, "status", {"status": "queued"})
        return row

    def event(self, job: Job, kind: str, **data: Any) -> None:
        with writing() as session:
            events.append(session, job.id, kind, data)

    def metric(self, job: Job, name: str, values: list[float]) -> None:
        with writing() as session:
            recording.add_metrics(session, job.id, [(name, step, value) for step, value in enumerate(values, 1)])

    def tailness(self, job: Job, epoch: int, scores: list[float]) -> None:
        values = np.array(scores, "<f4")
        means = [float(values[label == TRAIN_LABELS].mean()) for label in range(3)]
        with writing() as session:
            session.add(TailnessEpoch(job_id=job.id, epoch=epoch, class_means=means, scores=values.tobytes()))

    def sampling_round(
        self,
        job: Job,
        number: int,
        tailness: list[float],
        cluster: list[int],
        selected: list[int],
        nearest: list[list[int]] | None = None,
        in_row: bool = False,
    ) -> None:
        """Without `nearest`, the training images of each pick, as an earlier version left it. The
        first is at a cosine of 1, the next of 1/2, and so on. `in_row`: its scores of the pool too
        are as an earlier version left them."""
        similarity = np.linspace(0, 0.875, POOL_SIZE)[: len(tailness)]
        columns: dict[str, Any] = {}
        scores = None
        if in_row:
            columns["ood_tailness"] = np.array(tailness, "<f4").tobytes()
            columns["ood_cluster"] = np.array(cluster, "<u2").tobytes()
            columns["ood_similarity"] = similarity.astype("<f4").tobytes()
            columns["ood_selected"] = np.array(selected, "u1").tobytes()
        else:
            picked = np.flatnonzero(selected)
            key = f"jobs/{job.id}/rounds/{number}-{new_id()[:12]}.scores"
            stored = get_artifacts().write(key, packed(np.array(tailness), similarity, np.array(cluster), 2, picked))
            scores = RoundScores(job_id=job.id, round=number, images=len(tailness), file=key, **asdict(stored))
            scores.picks = picked.astype("<i4").tobytes()
        if nearest is not None:
            index = np.array(nearest, "<i4")
            cosine = np.broadcast_to(1 / np.arange(1, index.shape[1] + 1), index.shape)
            columns |= {"nearest": index.tobytes(), "nearest_similarity": cosine.astype("<f2").tobytes()}
        id_cluster = np.array([0, 0, 0, 0, 0, 0, *((0, 1) if number % 2 else (1, 0)), 1, 1], "<u2")
        with writing() as session:
            session.add(
                SamplingRound(
                    job_id=job.id,
                    round=number,
                    epoch=10 * number,
                    step=100 * number,
                    clusters=[
                        {"size": 7, "tailness": -0.5, "weight": 0.3, "budget": 1, "class_counts": [6, 1, 0]},
                        {"size": 3, "tailness": -0.1, "weight": 0.7, "budget": 2, "class_counts": [0, 2, 1]},
                    ],
                    num_selected=sum(selected),
                    overlap=None if number == 1 else 0.5,
                    num_embedded=4 * number,
                    seconds=0.25,
                    id_cluster=id_cluster.tobytes(),
                    **columns,
                )
            )
            if scores is not None:
                session.flush()
                session.add(scores)

    def checkpoint(self, job: Job, epoch: int, state: bytes = b"state", backbone: bytes = b"backbone") -> Checkpoint:
        folder = f"jobs/{job.id}/checkpoints/{epoch}-{epoch}"
        stored = get_artifacts().write(f"{folder}/checkpoint.pt", [state])
        get_artifacts().write(f"{folder}/backbone.safetensors", [backbone])
        row = Checkpoint(
            id=new_id(),
            job_id=job.id,
            epoch=epoch,
            step=epoch,
            artifact=folder,
            bytes=stored.bytes,
            sha256=stored.sha256,
        )
        with writing() as session:
            session.add(row)
        return row

    def experiment(self, job: Job) -> Experiment:
        """With one arm, whose only run is the job."""
        row = Experiment(
            id=new_id(),
            name="an experiment",
            dataset_ids=[job.dataset_id],
            ood_pool_id=job.ood_pool_id,
            seeds=[0],
            evaluations=["linear"],
            baseline="only",
        )
        with writing() as session:
            session.add(row)
            session.flush()
            session.add(ExperimentArm(experiment_id=row.id, position=0, name="only", config=job.config))
            run = ExperimentRun(experiment_id=row.id, arm=0, dataset_id=job.dataset_id, seed=0, job_id=job.id)
            session.add(run)
        return row

    def worker(self) -> None:
        with writing() as session:
            session.add(Worker(id=new_id()))
