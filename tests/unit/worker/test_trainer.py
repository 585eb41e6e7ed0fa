"""Which probes a job still runs, and which accuracy it shows."""

from __future__ import annotations

from sqlalchemy import Engine

from colt_core.data.groups import GroupThresholds
from colt_core.probes.kinds import KnnProbeConfig, LinearProbeConfig
from store import leases
from store.database import reading, writing
from store.models import Checkpoint, Evaluation, Job
from store.repositories import checkpoint_work
from store.statuses import WorkStatus
from tests.support.rows import add_dataset, add_job
from worker.trainer import outstanding, show_existing


def test_a_resumed_job_does_not_repeat_a_probe_that_an_older_version_ran() -> None:
    thresholds = GroupThresholds(low=20, high=100)
    document = {"low": 20, "high": 100}
    # As rows were written when one model held the settings of all probes.
    row = {"kind": "linear", "protocol": "fast", "shots": None, "neighbors": 20, "group_thresholds": None, "seed": 0}
    linear, knn = LinearProbeConfig(group_thresholds=thresholds), KnnProbeConfig(group_thresholds=thresholds)
    kinds = ["linear", "knn"]
    assert outstanding(kinds, thresholds, []) == [linear, knn]
    assert outstanding(kinds, thresholds, [row | {"group_thresholds": document}]) == [knn]
    assert outstanding(kinds, thresholds, [row | {"kind": "knn", "group_thresholds": document}]) == [linear]
    # Of other groups, seed or protocol it is another probe.
    assert outstanding(kinds, None, [row | {"group_thresholds": document}]) == [LinearProbeConfig(), KnnProbeConfig()]
    for other in ({"seed": 1}, {"protocol": "sgd"}):
        assert outstanding(["linear"], None, [row | other]) == [LinearProbeConfig()]
    # What this version writes counts as well.
    assert outstanding(kinds, thresholds, [settings.model_dump(mode="json") for settings in (knn, linear)]) == []


def test_a_job_shows_its_own_first_probe_although_a_client_requested_it_before(configured: Engine) -> None:
    job = add_job(configured, add_dataset(configured, status="ready"), evaluations=["linear"], accuracy=0.1)
    with writing(configured) as session:
        lease = leases.claim(session, Job, "me", 60)
        assert lease is not None
        checkpoint = Checkpoint(id="c", job_id=job.id, epoch=3, step=9, artifact="a", bytes=1, sha256="s")
        session.add(checkpoint)
        session.flush()
        results = {LinearProbeConfig(seed=1): 0.9, KnnProbeConfig(): 0.1, LinearProbeConfig(): 0.5}
        for settings, accuracy in results.items():
            row = checkpoint_work.add(session, Evaluation, checkpoint, settings.model_dump(mode="json"))
            row.status, row.accuracy = WorkStatus.SUCCEEDED, accuracy
            row.group_accuracy = {"many": 1.0, "medium": None, "few": accuracy / 2}
            row.group_std = accuracy / 4
    show_existing(lease, job, checkpoint, None)
    with reading(configured) as session:
        shown = session.get_one(Job, job.id)
        assert (shown.accuracy, shown.few, shown.std) == (0.5, 0.25, 0.125)
