"""Requests the evaluations of arms that are backbones."""

from __future__ import annotations

from sqlalchemy.orm import Session

from api.backbones import evaluations
from store.models import BackboneWeights, Dataset, Experiment
from store.repositories import experiments, registrations
from store.repositories.backbone_runs import backbone_runs


def queue(session: Session, experiment: Experiment, submitter: str | None) -> None:
    """Request the evaluations that have no result, and to which none will come.

    Raises:
        NotFound, Conflict, Unprocessable, TooManyRequests: as `evaluations.request`.
    """
    runs = [run for run in backbone_runs(session, experiment, experiments.arms(session, experiment.id)) if run.stopped]
    # All in one order, so that two experiments do not wait for each other.
    for backbone_id in sorted({run.backbone_id for run in runs}):
        registrations.lock(session, BackboneWeights, backbone_id)
    for dataset_id in sorted({run.dataset_id for run in runs}):
        registrations.lock(session, Dataset, dataset_id)
    for run in runs:
        evaluations.request(session, run.backbone_id, run.dataset_id, run.settings, submitter)
