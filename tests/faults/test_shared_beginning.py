"""Jobs that share a beginning outlive kills of the process that trains it or takes it over."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from sqlalchemy import select

from store.database import reading, writing
from store.models import Job
from tests.support.processes import wait_until
from tests.support.runs import PATIENCE, Service, engine_of

WARMUP = 3


def queue_alike(service: Service, count: int) -> list[str]:
    """Queue jobs as the undisturbed one, in one transaction and with one beginning."""
    with engine_of(service.stack) as engine, writing(engine) as session:
        like = session.scalars(select(Job).order_by(Job.created_at)).first()
        assert like is not None and like.config["warmup_epochs"] == WARMUP
        names = ("dataset_id", "ood_pool_id", "config", "framework", "sampler", "epochs")
        values = {name: getattr(like, name) for name in names}
        rows = [Job(name="arm", evaluations=["knn"], beginning="b", turn=turn, **values) for turn in range(count)]
        session.add_all(rows)
        session.flush()
        return [row.id for row in rows]


@pytest.mark.parametrize("shared_service", ["distributed"], indirect=True)
def test_a_beginning_outlives_a_kill_in_it_and_just_after_it(service: Service) -> None:
    """Two workers. SIGKILL to the trainer in the warm-up, and to both at the first sign of the
    checkpoint that ends it."""
    first, second = queue_alike(service, 2)

    def is_so(condition: Callable[[Job, Job], bool]) -> bool:
        with engine_of(service.stack) as engine, reading(engine) as session:
            return condition(session.get_one(Job, first), session.get_one(Job, second))

    def kill(job_id: str) -> None:
        trainer = service.process_of(job_id)
        if trainer is not None:
            trainer.kill()

    wait_until(lambda: is_so(lambda a, b: a.epoch >= 1), PATIENCE, "the warm-up is under way", every=0.01)
    assert is_so(lambda a, b: a.beginning_checkpoint_id is None and b.attempts == 0), "the second waits"
    kill(first)
    ended = "the warm-up is over"
    wait_until(lambda: is_so(lambda a, b: a.beginning_checkpoint_id is not None), PATIENCE, ended, every=0.01)
    kill(first)
    wait_until(lambda: service.process_of(second) is not None, PATIENCE, "the second has begun", every=0.01)
    kill(second)
    for job_id in (first, second):
        service.assert_as_undisturbed(job_id)
    assert is_so(lambda a, b: (a.beginning_job_id, b.beginning_job_id) == (None, first))
    service.assert_attempts(first, 3)
    service.assert_attempts(second, 2)
