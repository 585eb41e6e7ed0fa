"""What is checked before an experiment is queued: each arm on each data set, and all together."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqlalchemy.orm import Session

from api import registration
from api.experiments.arms import Arm, located
from api.experiments.schemas import MOST_RUNS, NewExperiment
from api.http.errors import Unprocessable
from api.jobs import submission
from api.jobs.estimate import JobEstimate
from api.jobs.schemas import NewJob
from api.jobs.submission import Fitting
from store.costs import ACCEPT, said
from store.models import BackboneWeights, Experiment
from store.settings import get_settings

# Where a request gives what is wrong, and what to change there. It is found from the positions of
# the arm and the data set, and from the pointer and the words of their job's problem.
Locate = Callable[[int, int, str, str], tuple[str, str]]


def check(
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
    trained = sum(arm.config is not None for arm in arms)
    each = trained * len(seeds) + (len(arms) - trained) * len(experiment.evaluations)
    if (total := each * len(experiment.dataset_ids)) > MOST_RUNS:
        made_of = f"{len(arms)} arms, {len(experiment.dataset_ids)} data sets and {len(seeds)} seeds"
        raise Unprocessable(("/seeds", f"{made_of} make {total:,} jobs, and at most {MOST_RUNS:,} are allowed"))
    fitting: dict[tuple[int, str], Fitting] = {}
    problems: dict[str, str] = {}
    too_much: dict[str, str] = {}
    estimate = None
    for position, arm in enumerate(arms):
        if arm.backbone_id is not None:
            try:
                registration.named_ready(session, BackboneWeights, arm.backbone_id, "/backbone_id")
            except Unprocessable as error:
                problems |= _moved(error, position, 0, locate)
        if arm.config is None:
            continue  # data and probes are checked for the arms that train
        for number, dataset_id in enumerate(experiment.dataset_ids):
            job = _job(experiment, arm, number, accept_cost)
            try:
                found = submission.check(session, job, arm.config)
            except Unprocessable as error:
                problems |= _moved(error, position, number, locate)
                continue
            fitting[position, dataset_id] = found
            if (refusal := found.too_much) is not None:
                too_much |= _moved(refusal, position, number, locate)
                estimate = estimate or refusal.estimate
    if problems:
        raise Unprocessable(*problems.items())
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


def in_request(wanted: NewExperiment, arms: Sequence[Arm]) -> Locate:
    """Each problem where the request for a new experiment gives what is wrong."""

    def locate(arm: int, dataset: int, where: str, what: str) -> tuple[str, str]:
        return _located(wanted, arms, arm, dataset, where, what)

    return locate


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
    if where == "/backbone_id":
        return f"/arms/{arm}/backbone_id", what
    if where == "/ood_pool_id" and given is not None and given.ood_pool_id is not None:
        return f"/arms/{arm}/ood_pool_id", what
    return where, what


def at(place: str, arms: Sequence[Arm]) -> Locate:
    """Every problem at one place of a request that gives no arms."""

    def locate(arm: int, _dataset: int, where: str, what: str) -> tuple[str, str]:
        return place, f"arm '{arms[arm].name}' can no longer run: {where.strip('/')} {what}"

    return locate


def too_much_together(costs: Sequence[JobEstimate], accept_cost: bool) -> str | None:
    """Why all new jobs together do not fit the disks, or are large, though each one is not."""
    stored = sum(cost.kept_bytes + cost.database_bytes for cost in costs)
    what = f"{len(costs):,} jobs keep {said(stored)} of checkpoints and rows"
    fewer = "choose fewer seeds or arms, or a smaller width"
    room = min(
        (cost.capacity.artifacts_bytes for cost in costs if cost.capacity.artifacts_bytes is not None), default=None
    )
    if room is not None and stored > room:
        return f"{what}, {said(stored - room)} more than there is room for: {fewer}, or free the disk"
    if stored > get_settings().large_stored_bytes and not accept_cost:
        return f"{what}: {fewer}, {ACCEPT}"
    return None
