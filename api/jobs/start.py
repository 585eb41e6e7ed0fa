"""The weights that a job is to begin with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from sqlalchemy.orm import Session

from api.http.errors import Unprocessable
from api.jobs.schemas import StartFrom
from api.jobs.service import find
from api.registration import named_ready
from colt_core.architectures import Architecture
from colt_core.config import PretrainConfig
from colt_core.pixels import MEAN, STD
from store.models import BackboneWeights, Checkpoint
from store.repositories import checkpoints, jobs, registrations


@dataclass(frozen=True, slots=True)
class Start:
    """What a job needs to know of the checkpoint or backbone that it begins with."""

    architecture: Architecture
    columns: dict[str, Any]  # of the job's row

    @classmethod
    def named(cls, session: Session, wanted: StartFrom | None, *, hold: bool = False) -> Self | None:
        """What a request names. None: it names nothing.

        Args:
            hold: lock it, so that nobody drops it before the job's row names it.

        Raises:
            Unprocessable: there is no such checkpoint or backbone, or runs do not standardise
                pixels as the backbone knows them.
            Conflict: the backbone is not ready.
        """
        if wanted is None:
            return None
        if wanted.backbone_id is not None:
            if hold:
                registrations.lock(session, BackboneWeights, wanted.backbone_id)
            return cls._of_backbone(
                named_ready(session, BackboneWeights, wanted.backbone_id, "/start_from/backbone_id")
            )
        assert wanted.checkpoint_id is not None  # the schema says so
        named = checkpoints.get(session, wanted.checkpoint_id)
        if named is not None and hold:
            jobs.lock(session, named.job_id)
            session.expire(named)  # its trainer may have dropped it before
            named = checkpoints.get(session, wanted.checkpoint_id)
        if named is None:
            listed = "GET /jobs/ID/checkpoints lists those of a job"
            raise Unprocessable(("/start_from/checkpoint_id", f"there is no such checkpoint; {listed}"))
        return cls._of_checkpoint(session, named)

    @classmethod
    def _of_checkpoint(cls, session: Session, row: Checkpoint) -> Self:
        trained = PretrainConfig.from_stored(find(session, row.job_id).config)
        told = {"checkpoint_id": row.id, "job_id": row.job_id, "epoch": row.epoch}
        return cls(trained.architecture, {"start_checkpoint_id": row.id, "start_from": told})

    @classmethod
    def _of_backbone(cls, row: BackboneWeights) -> Self:
        if (row.spec["mean"], row.spec["std"]) != (list(MEAN), list(STD)):
            ours = f"mean {list(MEAN)} and std {list(STD)}"
            theirs = f"'{row.name}' knows mean {row.spec['mean']} and std {row.spec['std']}"
            what = f"a run standardises pixels by {ours}, and {theirs}: choose another backbone"
            raise Unprocessable(("/start_from/backbone_id", what))
        told = {"backbone_id": row.id, "name": row.name}
        return cls(row.architecture, {"start_backbone_id": row.id, "start_from": told})
