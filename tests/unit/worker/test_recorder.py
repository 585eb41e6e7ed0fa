from __future__ import annotations

import errno
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import psycopg
import pytest
import torch
from sqlalchemy import Engine, event, select, update
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from colt_core.config import PretrainConfig
from colt_core.data.warnings import DataWarning
from colt_core.events import (
    CheckpointReady,
    Cluster,
    EpochDone,
    Finished,
    PickingStop,
    RoundDone,
    RunStarted,
    StepDone,
    Warned,
)
from colt_core.training.profile import PHASES
from store import leases
from store.artifacts import Stored, get_artifacts
from store.database import reading, writing
from store.leases import Lease, LeaseLost
from store.models import Checkpoint, Job, JobEvent, Metric, RoundScores, SamplingRound, TailnessEpoch
from store.repositories import profile, recording, rounds
from store.settings import get_settings
from tests.support.rows import add_dataset, add_job
from tests.support.tiny_runs import config as tiny
from tests.support.tiny_runs import run
from worker.checkpoints import CheckpointFolder
from worker.recorder import FLUSH_STEPS, Recorder

LABELS = np.array([0, 0, 1, 3], dtype=np.int64)  # no image of class 2
FINISHED = Finished(epoch=9, step=99)


@pytest.fixture
def lease(configured: Engine) -> Lease:
    add_job(configured, add_dataset(configured, status="ready"))
    with writing(configured) as session:
        lease = leases.claim(session, Job, "me", 60)
    assert lease is not None
    return lease


@pytest.fixture
def recorder(lease: Lease) -> Recorder:
    return make_recorder(lease)


def make_recorder(lease: Lease, previous: tuple[int, ...] = (), num_processes: int = 1) -> Recorder:
    config = PretrainConfig(sampler="none", epochs=4, batch_size=2, num_processes=num_processes)
    folder = CheckpointFolder(get_artifacts(), lease.id)
    return Recorder(lease, config, LABELS, 4, folder, epoch=0, previous=np.array(previous, dtype=np.int64))


def step(number: int, distribution_loss: float | None = None) -> StepDone:
    return StepDone(1, number, 20, 3.0 + number, 2.0, distribution_loss, 0.5, 0.25)


def epoch(number: int, at_step: int, tailness: list[float]) -> EpochDone:
    profile = {"data": 0.25, "forward_backward": 0.5, "tailness": 0.0625, "round": 0.0}
    return EpochDone(number, at_step, 2.5, np.array(tailness, dtype=np.float32), 4, 1.0, profile)


def sampling_round(number: int, at_epoch: int, at_step: int, selected: list[int]) -> RoundDone:
    return RoundDone(
        round=number,
        epoch=at_epoch,
        step=at_step,
        clusters=(Cluster(3, -0.5, 0.25, 1), Cluster(1, -0.25, 0.75, 1)),
        id_cluster=np.array([0, 0, 0, 1]),
        selected=np.array(selected),
        ood_tailness=np.array([-0.1, -0.2, -0.3], dtype=np.float32),
        ood_cluster=np.array([0, 1, 1]),
        ood_similarity=np.array([0.9, 0.8, 0.7], dtype=np.float32),
        nearest=np.array([[pick, 3] for pick in selected]),
        nearest_similarity=np.array([[0.5, pick / 16] for pick in selected], dtype=np.float32),
        ood_embedded=2,
        seconds=0.5,
    )


def metrics(engine: Engine) -> dict[tuple[str, int], float]:
    with reading(engine) as session:
        return {(row.name, row.step): row.value for row in session.scalars(select(Metric))}


def told(engine: Engine, kind: str) -> list[dict[str, Any]]:
    with reading(engine) as session:
        return list(session.scalars(select(JobEvent.data).where(JobEvent.kind == kind).order_by(JobEvent.id)))


def test_steps_become_points_and_progress(configured: Engine, recorder: Recorder) -> None:
    recorder.record(step(1))
    recorder.record(step(2, distribution_loss=7.0))
    recorder.record(FINISHED)
    points = metrics(configured)
    assert {name for name, at in points if at == 1} == {"loss", "contrastive_loss", "learning_rate"}
    assert points["loss", 2] == 5.0 and points["distribution_loss", 2] == 7.0
    with reading(configured) as session:
        job = session.scalars(select(Job)).one()
    assert (job.step, job.steps, job.images_per_second, job.eta_seconds) == (2, 20, 8.0, 4.5)
    assert told(configured, "progress") == [
        {"epoch": 0, "epochs": 4, "step": 2, "steps": 20, "images_per_second": 8.0, "eta_seconds": 4.5}
    ]
    assert told(configured, "metric")[0]["step"] == 2


def test_quick_steps_are_written_in_batches(configured: Engine, recorder: Recorder) -> None:
    for number in range(1, 2 * FLUSH_STEPS + 1):
        recorder.record(step(number, distribution_loss=1.0))
    recorder.record(FINISHED)
    assert len(metrics(configured)) == 4 * 2 * FLUSH_STEPS


def test_quick_epochs_are_told_of_about_once_a_second(configured: Engine, recorder: Recorder) -> None:
    began = time.monotonic()
    for number in range(1, 21):
        recorder.record(step(number))
        recorder.record(epoch(number, number, [0, 0, 0, 0]))
    recorder.record(step(21))
    recorder.flush()
    recorder.record(FINISHED)  # nothing new, but something untold
    seconds = time.monotonic() - began
    events = told(configured, "progress")
    assert 2 <= len(events) <= 3 + seconds  # the first, the last, and one a second
    assert events[-1]["step"] == 21 and events[-1]["epoch"] == 20
    assert {at for name, at in metrics(configured) if name == "loss"} == set(range(1, 22))


def test_an_epoch_is_recorded_with_means_by_class(configured: Engine, recorder: Recorder) -> None:
    recorder.record(epoch(1, 2, [-1.0, -3.0, -4.0, -5.0]))
    with reading(configured) as session:
        row = session.scalars(select(TailnessEpoch)).one()
        assert row.class_means == [-2.0, -4.0, None, -5.0]
        assert np.frombuffer(row.scores, "<f4").tolist() == [-1.0, -3.0, -4.0, -5.0]
        job = session.scalars(select(Job)).one()
        assert (job.epoch, job.loss) == (1, 2.5)
    assert metrics(configured)["epoch_loss", 2] == 2.5


def test_an_epoch_tells_where_its_time_went(configured: Engine, lease: Lease, recorder: Recorder) -> None:
    recorder.record(epoch(1, 2, [0, 0, 0, 0]))
    assert {(name, at): value for (name, at), value in metrics(configured).items() if name != "epoch_loss"} == {
        ("epoch_seconds", 2): 1.0,
        ("data_seconds", 2): 0.25,
        ("forward_backward_seconds", 2): 0.5,
        ("tailness_seconds", 2): 0.0625,
        ("round_seconds", 2): 0.0,
    }
    recorder.record(epoch(2, 4, [0, 0, 0, 0]))
    with reading(configured) as session:
        spent = profile.spent(session, lease.id)
    assert spent.phases == {"data": 0.5, "forward_backward": 1.0, "tailness": 0.125, "round": 0.0}
    assert (spent.epochs, spent.other, spent.evaluation) == (2, 0.375, None)
    assert profile.PHASES == PHASES, "the store keeps all that the library measures"


@pytest.mark.parametrize(
    ("started", "num_processes", "line"),
    [
        (
            RunStarted(0, 0, "cpu", "bf16", "this CPU multiplies in bf16 (AVX-512 BF16)", 2),
            1,
            "on the CPU with 2 threads, bf16: this CPU multiplies in bf16 (AVX-512 BF16)",
        ),
        (
            RunStarted(3, 12, "cpu", "fp32", "as configured", 1),
            2,
            "on the CPU with 1 thread in each of 2 processes, fp32: as configured",
        ),
        (
            RunStarted(0, 0, "cuda", "bf16", "this GPU multiplies in bf16 (NVIDIA A100)", 8),
            1,
            "on the GPU, bf16: this GPU multiplies in bf16 (NVIDIA A100)",
        ),
    ],
)
def test_a_run_says_on_what_and_how_it_computes(
    configured: Engine, lease: Lease, started: RunStarted, num_processes: int, line: str
) -> None:
    make_recorder(lease, num_processes=num_processes).record(started)
    assert told(configured, "log") == [{"lines": [line]}]
    with reading(configured) as session:
        compute = session.scalars(select(Job)).one().compute
        assert compute is not None
        versions = compute.pop("versions")
        assert compute == {
            "device": started.device,
            "precision": started.precision,
            "reason": started.reason,
            "threads": started.threads,
        }
        assert versions["torch"] == torch.__version__ and versions["python"] == platform.python_version()


def test_a_warning_stands_on_the_job_and_in_its_stream_at_once(
    configured: Engine, lease: Lease, recorder: Recorder
) -> None:
    overlap = {"code": "overlap", "detail": "Of the data.", "count": 3, "examples": ["a.png"]}
    with writing(configured) as session:
        leases.write(session, lease, warnings=[overlap])
    for detail in ("After epoch 1.", "After epoch 2."):  # the second by an attempt that resumed before it
        recorder.record(step(1))
        recorder.record(epoch(1, 1, [0, 0, 0, 0]))
        recorder.record(Warned(1, 1, DataWarning("collapse", detail, 1, ("epoch 1",))))
        expected = {"code": "collapse", "detail": detail, "count": 1, "examples": ["epoch 1"]}
        with reading(configured) as session:
            assert session.scalars(select(Job)).one().warnings == [overlap, expected]
        assert told(configured, "warning") == [{"epoch": 1, "step": 1, **expected}]
        with writing(configured) as session:
            recording.discard_after(session, lease.id, epoch=0, step=0, rounds=0)
    assert told(configured, "warning") == []


def test_a_round_is_recorded_with_its_overlap_with_the_one_before(configured: Engine, lease: Lease) -> None:
    recorder = make_recorder(lease, previous=(1, 2))  # picked by an earlier attempt
    recorder.record(sampling_round(2, 2, 4, selected=[2, 0]))
    recorder.record(sampling_round(3, 3, 6, selected=[0, 2]))
    with reading(configured) as session:
        second, third = session.scalars(select(SamplingRound).order_by(SamplingRound.round))
        assert (second.overlap, third.overlap) == (0.5, 1.0)
        assert (second.num_selected, second.num_embedded) == (2, 2)
        assert second.clusters[0] == {
            "size": 3,
            "tailness": -0.5,
            "weight": 0.25,
            "budget": 1,
            "class_counts": [2, 1, 0, 0],
        }
        scores = rounds.pool_scores(session, lease.id, 2)
        assert scores is not None and scores.picks.tolist() == [0, 2]
        assert scores.column("tailness").tolist() == pytest.approx([-0.1, -0.2, -0.3])
        assert scores.column("similarity").tolist() == pytest.approx([0.9, 0.8, 0.7])
        assert scores.column("cluster").tolist() == [0, 1, 1]
        assert [seen.selected for seen in rounds.sample_history(session, lease.id, 1, 9)] == [False, False]
        assert [seen.selected for seen in rounds.sample_history(session, lease.id, 2, 9)] == [True, True]
        kept = session.get_one(RoundScores, (lease.id, 2))
        assert get_artifacts().holds(kept.file or "", Stored(28, kept.sha256))
        assert np.frombuffer(second.id_cluster, "<u2").tolist() == [0, 0, 0, 1]
        assert np.frombuffer(second.nearest or b"", "<i4").tolist() == [0, 3, 2, 3]  # pool image 0, then 2
        assert np.frombuffer(second.nearest_similarity or b"", "<f2").tolist() == [0.5, 0, 0.5, 0.125]
    assert [(event["round"], event["num_embedded"]) for event in told(configured, "round")] == [(2, 2), (3, 2)]


def test_a_round_that_stopped_says_why_in_its_row_event_and_line(configured: Engine, recorder: Recorder) -> None:
    stop = PickingStop(similarity=0.25, reference=0.5, share=0.75)
    recorder.record(replace(sampling_round(1, 2, 4, selected=[1]), stop=stop))
    recorder.record(FINISHED)
    with reading(configured) as session:
        row = session.scalars(select(SamplingRound)).one()
        assert (row.num_selected, row.budget, row.picked_from) == (1, 2, "pool")
        assert row.stop == {"similarity": 0.25, "reference": 0.5, "share": 0.75}
    (event,) = told(configured, "round")
    assert (event["num_selected"], event["budget"], event["stop"]) == (1, 2, row.stop)
    lines = [line for data in told(configured, "log") for line in data["lines"]]
    assert lines == [
        "round 1 before epoch 2: 1 of 2 OOD images picked; the pool has no more like them. "
        "The last have a mean cosine of 0.25, below 0.75 times the 0.50 of early ones"
    ]


def test_repeated_training_images_are_recorded_as_no_picks_of_the_pool(configured: Engine, recorder: Recorder) -> None:
    """Training image i is not pool image i: nobody who reads the row finds a pick of the pool."""
    none = np.empty(0)
    repeated = replace(
        sampling_round(1, 2, 4, selected=[3, 3, 0]),
        repeats=True,
        ood_embedded=0,
        ood_tailness=none,
        ood_cluster=none,
        ood_similarity=none,
        nearest=np.empty((0, 4), np.int64),
        nearest_similarity=np.empty((0, 4), np.float32),
    )
    recorder.record(repeated)
    recorder.record(replace(repeated, round=2, epoch=3, selected=np.array([3, 1, 1])))
    recorder.record(FINISHED)
    with reading(configured) as session:
        first, second = session.scalars(select(SamplingRound).order_by(SamplingRound.round))
        assert (first.num_selected, first.num_embedded, first.picked_from) == (3, 0, "train")
        assert (first.nearest, first.nearest_similarity) == (None, None)
        assert (first.overlap, second.overlap) == (None, pytest.approx(1 / 3))
        assert session.scalars(select(RoundScores)).all() == [] and len(first.id_cluster) == 8
        assert len(rounds.picks(session, first.job_id).index) == 0
        assert rounds.sample_history(session, first.job_id, 0, 10) == []
    lines = [line for data in told(configured, "log") for line in data["lines"]]
    assert lines[0] == "round 1 before epoch 2: 3 training images repeated"


def test_scores_that_need_not_be_kept_are_dropped_with_their_file(
    configured: Engine, lease: Lease, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLT_KEEP_ROUND_SCORES", "last")
    get_settings.cache_clear()
    recorder = make_recorder(lease)
    for number in (1, 2, 3):
        recorder.record(sampling_round(number, number + 1, 2 * number, selected=[number - 1]))
    with reading(configured) as session:
        files = [row.file for row in session.scalars(select(RoundScores).order_by(RoundScores.round))]
        assert files[:2] == [None, None]
        assert rounds.picks(session, lease.id).round.tolist() == [1, 2, 3]
    kept = [key for key, _ in get_artifacts().files() if key.endswith(".scores")]
    assert kept == files[2:]


def test_the_first_round_overlaps_with_none(configured: Engine, recorder: Recorder) -> None:
    recorder.record(sampling_round(1, 2, 4, selected=[1]))
    with reading(configured) as session:
        assert session.scalars(select(SamplingRound)).one().overlap is None


def test_who_lost_the_job_records_nothing_more(configured: Engine, recorder: Recorder) -> None:
    with writing(configured) as session:
        session.execute(update(Job).values(lease_token="another's"))
    for late in (epoch(1, 2, [0, 0, 0, 0]), sampling_round(1, 2, 4, [0])):
        with pytest.raises(LeaseLost):
            recorder.record(late)
    with reading(configured) as session:
        assert session.scalars(select(TailnessEpoch)).all() == session.scalars(select(SamplingRound)).all() == []


def test_a_new_attempt_drops_what_lies_behind_its_checkpoint(
    configured: Engine, lease: Lease, recorder: Recorder
) -> None:
    for number in (1, 2):
        recorder.record(step(2 * number - 1))
        recorder.record(step(2 * number))
        recorder.record(epoch(number, 2 * number, [0, 0, 0, 0]))
        recorder.record(sampling_round(number, number + 1, 2 * number, [0]))
    with writing(configured) as session:
        recording.discard_after(session, lease.id, epoch=1, step=2, rounds=0)
    points = metrics(configured)
    assert {at for _, at in points} == {1, 2}
    assert [at for name, at in points if name == "data_seconds"] == [2]
    recorder.record(epoch(2, 4, [0, 0, 0, 0]))  # done again
    assert [at for name, at in metrics(configured) if name == "data_seconds"] == [2, 4]
    with reading(configured) as session:
        assert [row.epoch for row in session.scalars(select(TailnessEpoch))] == [1, 2]
        assert session.scalars(select(SamplingRound)).all() == []


@contextmanager
def answers_lost(engine: Engine) -> Iterator[list[int]]:
    """The database goes away behind the next commit: what it wrote is kept, but the worker does not
    learn it."""
    lost: list[int] = []

    def lose(session: Session) -> None:
        if not lost:
            lost.append(1)
            raise OperationalError("COMMIT", {}, psycopg.OperationalError("the connection is closed"))

    event.listen(Session, "after_commit", lose)
    try:
        yield lost
    finally:
        event.remove(Session, "after_commit", lose)


def test_what_came_through_unheard_is_not_written_again(configured: Engine, recorder: Recorder) -> None:
    recorder.record(step(1))
    with answers_lost(configured) as lost:
        recorder.record(sampling_round(1, 1, 1, [2]))
    assert lost and len(told(configured, "round")) == 1
    assert len(told(configured, "log")) == 1
    recorder.record(step(2))
    recorder.record(FINISHED)
    assert {at for name, at in metrics(configured) if name == "loss"} == {1, 2}


def test_a_checkpoint_is_progress(configured: Engine, recorder: Recorder) -> None:
    with writing(configured) as session:
        session.execute(update(Job).values(faults=2))
    recorder.record(step(1))
    recorder.record(epoch(1, 1, [0, 0, 0, 0]))
    with reading(configured) as session:
        assert session.scalars(select(Job.faults)).one() == 2
    state = next(event for event in run(tiny(sampler="none", epochs=1)) if isinstance(event, CheckpointReady))
    recorder.record(state)
    with reading(configured) as session:
        assert session.scalars(select(Job.faults)).one() == 0


def test_files_that_cannot_be_removed_yet_end_no_training(
    configured: Engine, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    state = next(event for event in run(tiny(sampler="none", epochs=1)) if isinstance(event, CheckpointReady))
    recorder.record(state)
    monkeypatch.setattr(type(get_artifacts()._fs), "rm", away)
    recorder.record(state)  # takes the place of the first, whose files stay
    with reading(configured) as session:
        assert len(session.scalars(select(Checkpoint.id)).all()) == 1
