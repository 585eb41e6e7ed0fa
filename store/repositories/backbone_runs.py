"""Arms of an experiment that are backbones: an evaluation on each data set in place of jobs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from colt_core.probes.kinds import ProbeSettings
from store.models import Evaluation, Experiment, ExperimentArm
from store.repositories import checkpoint_work
from store.statuses import WorkStatus

_STOPPED = (None, WorkStatus.FAILED, WorkStatus.CANCELLED, WorkStatus.CANCELLING)


@dataclass(frozen=True, slots=True)
class BackboneRun:
    """A backbone on one data set with one kind of probe, for every seed.

    Attributes:
        arm: its position.
        evaluation: the latest that has or will have a result; without one, the latest. None: it was
            deleted.
    """

    arm: int
    backbone_id: str
    dataset_id: str
    settings: ProbeSettings
    evaluation: Evaluation | None

    @property
    def status(self) -> WorkStatus | None:
        """None: the evaluation was deleted."""
        return None if self.evaluation is None else self.evaluation.status

    @property
    def stopped(self) -> bool:
        """Whether it has no result, and none will come."""
        return self.status in _STOPPED


def backbone_runs(
    session: Session, experiment: Experiment, arms: Sequence[ExperimentArm], kinds: Sequence[str] | None = None
) -> list[BackboneRun]:
    """By arm, then data set, then kind.

    Args:
        arms: all of the experiment.
        kinds: of probes. Default: the experiment's.
    """
    named = {arm.position: arm.backbone_id for arm in arms if arm.backbone_id is not None}
    if not named:
        return []
    # All arms that train have the same.
    thresholds = next((arm.config.get("group_thresholds") for arm in arms if arm.config is not None), None)
    kinds = kinds or experiment.evaluations
    found: dict[tuple[str | None, str | None, str], list[Evaluation]] = {}
    for row in checkpoint_work.of_backbones(session, set(named.values()), experiment.dataset_ids, kinds):
        found.setdefault((row.backbone_id, row.dataset_id, row.kind), []).append(row)
    runs = []
    for position, backbone_id in named.items():
        for dataset_id in experiment.dataset_ids:
            for kind in kinds:
                settings = ProbeSettings(kind=kind, group_thresholds=thresholds)
                rows = found.get((backbone_id, dataset_id, kind), ())
                latest = next((row for row in rows if settings.is_stored_as(row.config)), None)
                runs.append(BackboneRun(position, backbone_id, dataset_id, settings, latest))
    return runs
