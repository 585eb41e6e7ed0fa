"""Submitting experiments. Every combination is checked before a row is written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy.orm import Session

from api import queues
from api.experiments import backbones
from api.experiments.arms import Arm, baseline_of, planned, template_of
from api.experiments.checks import at, check, in_request, too_much_together
from api.experiments.controls import check_controls
from api.experiments.schemas import ArmEstimate, ExperimentEstimate, MoreSeeds, NewExperiment
from api.experiments.service import lock
from api.experiments.templates import Template
from api.http.errors import Conflict, FieldProblem, Unprocessable
from api.http.idempotency import earlier
from api.jobs import service as jobs_service
from api.jobs import submission as job_submission
from api.jobs.submission import Fitting
from colt_core.config import PretrainConfig
from colt_core.probes.kinds import ProbeSettings
from store.models import Experiment, ExperimentArm, Job
from store.repositories import experiments, jobs, turns
from store.repositories.backbone_runs import backbone_runs
from store.repositories.experiments import Run
from store.statuses import WorkStatus


def submit(session: Session, wanted: NewExperiment, idempotency_key: str | None, submitter: str | None) -> Experiment:
    """Queue the jobs of an experiment, and the evaluations of its backbones: all, or none.

    A request with an idempotency key that was used before queues nothing.

    Args:
        submitter: id of the token that submits it; None without a token.

    Raises:
        TooManyRequests: the token has too many that wait.
        Unprocessable: a job would fail later, or costs too much.
        Conflict: data are not ready, or the key belongs to another request.
    """
    template = template_of(wanted)
    arms = planned(wanted, template)  # before the rest: it refuses nested values, which could be too deep for that
    baseline = baseline_of(wanted, arms)
    turns.lock(session, submitter)
    fingerprint = hashlib.sha256(json.dumps(wanted.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()
    if (before := earlier(session, Experiment, idempotency_key, fingerprint)) is not None:
        return before
    experiment = _row(wanted, template, baseline)
    experiment.idempotency_key, experiment.request_sha256 = idempotency_key, fingerprint
    locate = in_request(wanted, arms)
    fitting = check(session, experiment, arms, wanted.seeds, wanted.accept_cost, locate)
    check_controls(wanted, arms, fitting, locate)
    rows = [
        ExperimentArm(
            position=position,
            name=arm.name,
            ood_pool_id=arm.ood_pool_id,
            train_on=arm.train_on,
            **_what_runs(arm),
        )
        for position, arm in enumerate(arms)
    ]
    if not experiments.add(session, experiment, rows):
        before = earlier(session, Experiment, idempotency_key, fingerprint)
        assert before is not None  # nothing else is unique
        return before
    backbones.queue(session, experiment, submitter)
    _queue(session, experiment, fitting, _runs(experiment, arms, wanted.seeds), wanted.accept_cost, submitter)
    return experiment


def estimated(session: Session, wanted: NewExperiment) -> ExperimentEstimate:
    """What all its jobs would need.

    Raises:
        Unprocessable, Conflict: as `submit`, but not for what `accept_cost` accepts.
    """
    template = template_of(wanted)
    arms = planned(wanted, template)
    experiment = _row(wanted, template, baseline_of(wanted, arms))
    locate = in_request(wanted, arms)
    fitting = check(session, experiment, arms, wanted.seeds, True, locate)
    check_controls(wanted, arms, fitting, locate)
    each = len(wanted.seeds)
    costs = [found.cost for found in fitting.values() for _ in wanted.seeds]
    if (what := too_much_together(costs, True)) is not None:
        raise Unprocessable(("/seeds", what))
    large = {
        locate(arm, wanted.dataset_ids.index(dataset_id), problem.pointer, problem.detail): None
        for (arm, dataset_id), found in fitting.items()
        for problem in found.cost.large
    }
    if (what := too_much_together(costs, False)) is not None:
        large["/seeds", what] = None
    told = []
    for position, arm in enumerate(arms):
        own = [found.cost for (of, _), found in fitting.items() if of == position]
        steps = each * sum(cost.steps for cost in own)
        config = None if arm.config is None else arm.config.model_dump(mode="json")
        told.append(ArmEstimate(name=arm.name, config=config, jobs=each * len(own), steps=steps))
    return ExperimentEstimate(
        arms=told,
        jobs=len(costs),
        steps=sum(arm.steps for arm in told),
        memory_bytes=max(cost.memory_bytes for cost in costs),
        stored_bytes=sum(cost.kept_bytes + cost.database_bytes for cost in costs),
        large=[FieldProblem(pointer=where, detail=what) for where, what in large],
    )


def add_seeds(session: Session, experiment_id: str, wanted: MoreSeeds, submitter: str | None) -> Experiment:
    """Queue the jobs of further seeds: all, or none.

    Raises:
        NotFound: there is no such experiment.
        TooManyRequests, Unprocessable, Conflict: as `submit`. Or it has a seed already.
    """
    turns.lock(session, submitter)
    experiment = lock(session, experiment_id)
    there = [f"seed {seed} is there already" for seed in wanted.seeds if seed in experiment.seeds]
    if there:
        raise Unprocessable(("/seeds", f"{'; '.join(there)}: name new ones"))
    arms = _stored_arms(session, experiment)
    in_all = [*experiment.seeds, *wanted.seeds]
    fitting = check(session, experiment, arms, in_all, wanted.accept_cost, at("/seeds", arms))
    experiment.seeds = in_all
    _queue(session, experiment, fitting, _runs(experiment, arms, wanted.seeds), wanted.accept_cost, submitter)
    return experiment


def resume(session: Session, experiment_id: str, submitter: str | None) -> Experiment:
    """Queue the cancelled and failed jobs again, and new ones for those that were deleted. So with
    the evaluations of backbones.

    Raises:
        NotFound: there is no such experiment.
        TooManyRequests, Unprocessable, Conflict: as `submit`. Or there is nothing to resume.
    """
    turns.lock(session, submitter)
    experiment = lock(session, experiment_id)
    runs = experiments.runs(session, experiment_id)
    stopped = [run.job.id for run in runs if run.job and run.job.status in (WorkStatus.CANCELLED, WorkStatus.FAILED)]
    deleted = [run for run in runs if run.job is None]
    of_backbones = backbone_runs(session, experiment, experiments.arms(session, experiment_id))
    lacking = any(run.stopped for run in of_backbones)
    if not stopped and not deleted and not lacking:
        raise Conflict("No job of this experiment is cancelled, failed or deleted; there is nothing to resume.")
    if deleted or lacking:
        arms = _stored_arms(session, experiment)
        # Its cost was accepted before.
        fitting = check(session, experiment, arms, experiment.seeds, True, at("", arms))
        backbones.queue(session, experiment, submitter)
        experiments.remove_deleted(session, experiment_id)
        _queue(session, experiment, fitting, deleted, True, submitter)
    for job_id in stopped:
        jobs_service.resume(session, job_id, submitter)
    return experiment


def _row(wanted: NewExperiment, template: Template | None, baseline: str) -> Experiment:
    return Experiment(
        name=wanted.name,
        template=wanted.template,
        dataset_ids=wanted.dataset_ids,
        ood_pool_id=wanted.ood_pool_id,
        seeds=wanted.seeds,
        evaluations=wanted.evaluations or (template.evaluations if template else [ProbeSettings.default_kind]),
        baseline=baseline,
        protocol=wanted.protocol,
    )


def _runs(experiment: Experiment, arms: Sequence[Arm], seeds: Iterable[int]) -> Iterator[Run]:
    """In the order in which they are queued: whole pairs come first."""
    for seed in seeds:
        for dataset_id in experiment.dataset_ids:
            for position, arm in enumerate(arms):
                if arm.config is not None:
                    yield Run(position, dataset_id, seed, None)


def _stored_arms(session: Session, experiment: Experiment) -> list[Arm]:
    return [
        Arm(
            name=row.name,
            config=None if row.config is None else PretrainConfig.from_stored(row.config),
            ood_pool_id=row.ood_pool_id,
            train_on=row.train_on,
            backbone_id=row.backbone_id,
        )
        for row in experiments.arms(session, experiment.id)
    ]


def _what_runs(arm: Arm) -> dict[str, Any]:
    """The one column that says what the arm is."""
    return {"backbone_id": arm.backbone_id} if arm.config is None else {"config": arm.config.model_dump(mode="json")}


def _queue(
    session: Session,
    experiment: Experiment,
    fitting: dict[tuple[int, str], Fitting],
    runs: Iterable[Run],
    accept_cost: bool,
    submitter: str | None,
) -> None:
    """Queue the jobs of new runs, in their order.

    Raises:
        TooManyRequests: the token has too many that wait.
        Unprocessable: they are too large together.
        Conflict: their data were deleted in the meantime.
    """
    names = {row.position: row.name for row in experiments.arms(session, experiment.id)}
    wanted = list(runs)
    what = too_much_together([fitting[run.arm, run.dataset_id].cost for run in wanted], accept_cost)
    if what is not None:
        raise Unprocessable(("/seeds", what))
    places = queues.places(session, Job, submitter, len(wanted))
    queued = []
    for run, place in zip(wanted, places, strict=True):
        found = fitting[run.arm, run.dataset_id]
        job = replace(found, config=found.config.model_copy(update={"seed": run.seed})).row(place, experiment.id)
        job.name = _name(f"{experiment.name}: {names[run.arm]}, {found.evaluated.name}", run.seed)
        queued.append(replace(run, job=job))
    if not jobs.add(session, *(run.job for run in queued if run.job is not None)):
        raise job_submission.data_gone()
    experiments.add_runs(session, experiment.id, queued)


def _name(of: str, seed: int) -> str:
    """The name of a job, as long as one may be. The seed is not cut off."""
    ending = f", seed {seed}"
    return of[: 100 - len(ending)] + ending
