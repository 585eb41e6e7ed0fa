"""Jobs that are equal before their first sampling round. One trains this beginning for all.

The others wait for it, and then take over its last checkpoint and what it has recorded. If it ends
before, the next one trains the beginning.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import aliased

from store.models import Checkpoint, Job


def need_not_wait() -> ColumnElement[bool]:
    """SQL condition: no other job is training the beginning of this one."""
    other, source = aliased(Job), aliased(Job)
    trained = (
        select(source.id)
        .join(Checkpoint, Checkpoint.id == source.beginning_checkpoint_id)
        .where(source.beginning == Job.beginning, Checkpoint.usable)
    )
    training = select(other.id).where(
        other.beginning == Job.beginning, other.id != Job.id, other.lease_token.is_not(None), _is_within(other)
    )
    return or_(Job.beginning.is_(None), ~_is_within(Job), exists(trained), ~exists(training))


def _is_within(job: type[Job]) -> ColumnElement[bool]:
    """SQL condition: the job has not come to the end of its beginning."""
    return and_(job.beginning_checkpoint_id.is_(None), job.beginning_job_id.is_(None))
