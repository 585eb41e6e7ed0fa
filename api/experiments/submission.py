"""Submitting experiments. Every combination is checked before a row is written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace

from sqlalchemy.orm import Session

from api import queues
from api.experiments.arms import Arm, baseline_of, located, planned, template_of
from api.experiments.schemas import MOST_RUNS, MoreSeeds, NewExperiment
from api.experiments.service import lock
from api.http.errors import Conflict, Unprocessable
from api.http.idempotency import earlier
from api.jobs import service as jobs_service
from api.jobs import submission as job_submission
from api.jobs.schemas import NewJob
from api.jobs.submission import Fitting
from colt_core.config import PretrainConfig
from colt_core.probes.kinds import ProbeSettings
from store.costs import ACCEPT, said
from store.models import Experiment, ExperimentArm, Job
from store.repositories import experiments, jobs, turns
from store.repositories.experiments import Run
from store.settings import get_settings
from store.statuses import WorkStatus

# (position of the arm, pointer of a job's problem, what to change) -> the same for the request.
Locate = Callable[[int, int, str, str], tuple[str, str]]


def submit(session: Session, wanted: NewExperiment, idempotency_key: str | None, submitter: str | None) -> Experiment:
    """Queue the jobs of an experiment: all, or none.

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
    experiment = Experiment(
        name=wanted.name,
        template=wanted.template,
        dataset_ids=wanted.dataset_ids,
        ood_pool_id=wanted.ood_pool_id,
        seeds=wanted.seeds,
        evaluations=wanted.evaluations or (template.evaluations if template else [ProbeSettings.default_kind]),
        baseline=baseline,
        protocol=wanted.protocol,
        idempotency_key=idempotency_key,
        request_sha256=fingerprint,
    )

    def locate(arm: int, dataset: int, where: str, what: str) -> tuple[str, str]:
        return _located(wanted, arms, arm, dataset, where, what)

    fitting = _check(session, experiment, arms, wanted.seeds, wanted.accept_cost, locate)
    rows = [
        ExperimentArm(
            position=position,
            name=arm.name,
            config=arm.config.model_dump(mode="json"),
            ood_pool_id=arm.ood_pool_id,
            train_on=arm.train_on,
        )
        for position, arm in enumerate(arms)
    ]
    if not experiments.add(session, experiment, rows):
        before = earlier(session, Experiment, idempotency_key, fingerprint)
        assert before is not None  # nothing else is unique
        return before
    _queue(session, experiment, fitting, _runs(experiment, arms, wanted.seeds), submitter)
    return experiment


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
    fitting = _check(session, experiment, arms, in_all, wanted.accept_cost, _located_at("/seeds", arms))
    experiment.seeds = in_all
    _queue(session, experiment, fitting, _runs(experiment, arms, wanted.seeds), submitter)
    return experiment


def resume(session: Session, experiment_id: str, submitter: str | None) -> Experiment:
    """Queue the cancelled and failed jobs again, and new ones for those that were deleted.

    Raises:
        NotFound: there is no such experiment.
        TooManyRequests, Unprocessable, Conflict: as `submit`. Or there is nothing to resume.
    """
    turns.lock(session, submitter)
    experiment = lock(session, experiment_id)
    runs = experiments.runs(session, experiment_id)
    stopped = [run.job.id for run in runs if run.job and run.job.status in (WorkStatus.CANCELLED, WorkStatus.FAILED)]
    deleted = [run for run in runs if run.job is None]
    if not stopped and not deleted:
        raise Conflict("No job of this experiment is cancelled, failed or deleted; there is nothing to resume.")
    if deleted:
        arms = _stored_arms(session, experiment)
        # Its cost was accepted before.
        fitting = _check(session, experiment, arms, experiment.seeds, True, _located_at("", arms))
        experiments.remove_deleted(session, experiment_id)
        _queue(session, experiment, fitting, deleted, submitter)
    for job_id in stopped:
        jobs_service.resume(session, job_id, submitter)
    return experiment


def _runs(experiment: Experiment, arms: Sequence[Arm], seeds: Iterable[int]) -> Iterator[Run]:
    """In the order in which they are queued: whole pairs come first."""
    for seed in seeds:
        for dataset_id in experiment.dataset_ids:
            for position in range(len(arms)):
                yield Run(position, dataset_id, seed, None)


def _stored_arms(session: Session, experiment: Experiment) -> list[Arm]:
    return [
        Arm(row.name, PretrainConfig.from_stored(row.config), row.ood_pool_id, row.train_on)
        for row in experiments.arms(session, experiment.id)
    ]


def _check(
    session: Session,
    experiment: Experiment,
    arms: Sequence[Arm],
    seeds: Sequence[int],
    accept_cost: bool,
    locate: Locate,
) -> dict[tuple[int, str], Fitting]:
    """Check each arm on each data set. A seed changes nothing that is checked.

    Args:
        seeds: all of the experiment, with new ones.

    Returns:
        By position of the arm and id of the data set.

    Raises:
        Unprocessable: all that would fail later, or costs too much.
    """
    if (total := len(arms) * len(experiment.dataset_ids) * len(seeds)) > MOST_RUNS:
        made_of = f"{len(arms)} arms, {len(experiment.dataset_ids)} data sets and {len(seeds)} seeds"
        raise Unprocessable(("/seeds", f"{made_of} make {total:,} jobs, and at most {MOST_RUNS:,} are allowed"))
    fitting: dict[tuple[int, str], Fitting] = {}
    problems: dict[str, str] = {}
    too_much: dict[str, str] = {}
    estimate = None
    for position, arm in enumerate(arms):
        for number, dataset_id in enumerate(experiment.dataset_ids):
            job = _job(experiment, arm, number, accept_cost)
            try:
                found = job_submission.check(session, job, arm.config)
            except Unprocessable as error:
                problems |= _moved(error, position, number, locate)
                continue
            fitting[position, dataset_id] = found
            if (refusal := found.too_much) is not None:
                too_much |= _moved(refusal, position, number, locate)
                estimate = estimate or refusal.estimate
    if problems:
        raise Unprocessable(*problems.items())
    if not too_much:
        too_much = dict(_together(list(fitting.values()), len(seeds), accept_cost))
    if too_much:
        refusal = Unprocessable(*too_much.items())
        refusal.estimate = estimate
        raise refusal
    return fitting


def _job(experiment: Experiment, arm: Arm, number: int, accept_cost: bool) -> NewJob:
    """The request for an arm's job on the data set with this number, but for name and seed."""
    dataset_id = experiment.dataset_ids[number]
    trained = dataset_id if arm.train_on is None else arm.train_on[number]
    return NewJob(
        dataset_id=trained,
        evaluation_dataset_id=None if trained == dataset_id else dataset_id,
        ood_pool_id=arm.ood_pool_id,
        evaluations=experiment.evaluations,
        accept_cost=accept_cost,
    )


def _moved(error: Unprocessable, arm: int, dataset: int, locate: Locate) -> dict[str, str]:
    """The problems of a job, where the request gives what is wrong."""
    return dict(locate(arm, dataset, problem.pointer, problem.detail) for problem in error.errors or [])


def _located(
    wanted: NewExperiment, arms: Sequence[Arm], arm: int, dataset: int, where: str, what: str
) -> tuple[str, str]:
    if where.startswith("/config/"):
        return located(wanted, arm, arms[arm].name, arms[arm].own, where, what)
    given = None if wanted.arms is None else wanted.arms[arm]
    if where == "/dataset_id" and arms[arm].train_on is not None:
        number = dataset if len((wanted.balanced_dataset_ids if given is None else given.train_on) or []) > 1 else 0
        return ("/balanced_dataset_ids" if given is None else f"/arms/{arm}/train_on") + f"/{number}", what
    if where in ("/dataset_id", "/evaluation_dataset_id"):
        return f"/dataset_ids/{dataset}", what
    if where == "/ood_pool_id" and given is not None and given.ood_pool_id is not None:
        return f"/arms/{arm}/ood_pool_id", what
    return where, what


def _located_at(place: str, arms: Sequence[Arm]) -> Locate:
    """Every problem at one place of a request that gives no arms."""

    def locate(arm: int, _dataset: int, where: str, what: str) -> tuple[str, str]:
        return place, f"arm '{arms[arm].name}' can no longer run: {where.strip('/')} {what}"

    return locate


def _together(fitting: Sequence[Fitting], seeds: int, accept_cost: bool) -> Iterator[tuple[str, str]]:
    """Why all jobs together do not fit the disks, or are large, though each one is not."""
    stored = seeds * sum(found.cost.kept_bytes + found.cost.database_bytes for found in fitting)
    what = f"{seeds * len(fitting):,} jobs keep {said(stored)} of checkpoints and rows"
    fewer = "choose fewer seeds or arms, or a smaller width"
    rooms = [found.cost.capacity.artifacts_bytes for found in fitting]
    room = min((room for room in rooms if room is not None), default=None)
    if room is not None and stored > room:
        yield "/seeds", f"{what}, {said(stored - room)} more than there is room for: {fewer}, or free the disk"
    elif stored > get_settings().large_stored_bytes and not accept_cost:
        yield "/seeds", f"{what}: {fewer}, {ACCEPT}"


def _queue(
    session: Session,
    experiment: Experiment,
    fitting: dict[tuple[int, str], Fitting],
    runs: Iterable[Run],
    submitter: str | None,
) -> None:
    names = {row.position: row.name for row in experiments.arms(session, experiment.id)}
    wanted = list(runs)
    places = queues.places(session, Job, submitter, len(wanted))
    queued = []
    for run, place in zip(wanted, places, strict=True):
        found = fitting[run.arm, run.dataset_id]
        job = replace(found, config=found.config.model_copy(update={"seed": run.seed})).row(place)
        job.name = _name(f"{experiment.name}: {names[run.arm]}, {found.evaluated.name}", run.seed)
        queued.append(replace(run, job=job))
    if not jobs.add(session, *(run.job for run in queued if run.job is not None)):
        raise job_submission.data_gone()
    experiments.add_runs(session, experiment.id, queued)


def _name(of: str, seed: int) -> str:
    """The name of a job, as long as one may be. What tells it from others of its arm stays."""
    ending = f", seed {seed}"
    return of[: 100 - len(ending)] + ending
