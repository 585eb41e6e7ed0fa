"""Rules of cost: what a job needs, whether any worker and the disks have it, and what is large."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.orm import Session

from api.http.errors import FieldProblem
from api.jobs.estimate import Capacity, JobEstimate, Whose
from colt_core.config import PretrainConfig
from colt_core.cost.memory import HOST_BYTES_OF_CUDA, Device, Precision, RunData
from colt_core.cost.run import RunCost, run_cost
from store.artifacts import get_artifacts
from store.costs import said
from store.database import sqlite_file
from store.devices import Devices
from store.disks import room
from store.models import Dataset, OodPool
from store.repositories import activations, workers
from store.settings import get_settings
from store.sizes import SCORE_BYTES, database_bytes, scores_bytes


@dataclass(frozen=True, slots=True)
class _Machine:
    """A worker's machine, and what a run would compute with there."""

    devices: Devices
    device: Device
    precision: Precision

    @classmethod
    def of(cls, devices: Devices, config: PretrainConfig) -> _Machine | None:
        """None: it has not the run's device."""
        device: Device = "cuda" if config.device == "cuda" or (config.device == "auto" and devices.cuda) else "cpu"
        if device == "cuda" and not devices.cuda:
            return None
        if config.precision == "auto":
            return cls(devices, device, "bf16" if devices.bf16 else "fp32")
        return cls(devices, device, config.precision)

    @property
    def emulates(self) -> bool:
        """Whether it does not multiply in the run's precision."""
        return self.precision == "bf16" and not self.devices.bf16

    @property
    def gpu_bytes(self) -> int | None:
        """Memory of its smallest GPU, if that is what counts and is known."""
        return min(self.devices.cuda_bytes, default=None) if self.device == "cuda" else None

    def share(self, cost: RunCost) -> float:
        """Memory that a run needs over what there is; 0 if that is not known."""
        has, needs = self._memory(cost)
        return needs / has if has else 0.0

    def _memory(self, cost: RunCost) -> tuple[int | None, int]:
        if self.device == "cuda":
            return self.gpu_bytes, cost.memory.peak
        return self.devices.memory_bytes, cost.total_memory

    def lacks(self, cost: RunCost) -> str | None:
        """The memory that it lacks for a run, in words."""
        has, needs = self._memory(cost)
        if has and needs > has:
            where = "each GPU of the largest worker" if self.device == "cuda" else "the largest worker"
            return f"the job needs {said(needs)} of memory, {said(needs - has)} more than {where} has"
        return None

    def misfits(self, cost_of: Callable[..., RunCost], config: PretrainConfig) -> Iterator[tuple[str, str]]:
        """(setting, what to change) for each reason why the run cannot be computed here."""
        cores, processes, memory = self.devices.cpu_cores, config.processes_per_host, self.devices.memory_bytes
        if self.device == "cpu" and 0 < cores < processes:
            yield "num_processes", f"{processes} is more than the {cores} cores of the largest worker"
        if self.device == "cuda" and memory and processes * HOST_BYTES_OF_CUDA > memory:
            needs = said(processes * HOST_BYTES_OF_CUDA)
            yield "num_processes", f"{processes} processes need {needs} beside the GPUs; the worker has {said(memory)}"
        if (lack := self.lacks(cost_of())) is not None:
            yield _remedy(lack, lambda **changes: self.lacks(cost_of(**changes)) is None, config)


def estimate(
    session: Session,
    config: PretrainConfig,
    dataset: Dataset,
    pool: OodPool | None,
    evaluated: Dataset | None,
) -> JobEstimate:
    """What a job needs, beside what the largest worker and the disks have.

    It is compared with each live worker, and the one that it fits best counts. Without a live
    worker, those that ever reported their devices count. Without any, only disks limit a job.

    Args:
        config: of the job.
        dataset, pool: its data.
        evaluated: the data set of its evaluations; None without evaluations.
    """
    data = _data(dataset, pool, evaluated)
    whose, machines = _machines(session, config)
    measured = {
        precision: activations.get(session, activations.encoder_key(config, data.image_size, precision))
        for precision in {machine.precision for machine in machines}
    }

    def cost_on(machine: _Machine) -> Callable[..., RunCost]:
        def cost(**changes: int) -> RunCost:
            changed = config.model_copy(update=changes) if changes else config
            found = measured[machine.precision]
            return run_cost(
                changed,
                data,
                device=machine.device,
                precision=machine.precision,
                emulated=machine.emulates,
                activations=found,
            )

        return cost

    def fit(machine: _Machine) -> tuple[int, float]:
        cost_of = cost_on(machine)
        return len(list(machine.misfits(cost_of, config))), machine.share(cost_of())

    best = min(machines, key=fit)
    cost = cost_on(best)()
    at_once = get_settings().keep_checkpoints + 1 + (cost.rounds > 0)  # one being written, and that of the last round
    kept = min(cost.checkpoints, at_once) * cost.checkpoint_bytes
    rows = database_bytes(cost, dataset.num_classes or 0, config.num_clusters) + scores_bytes(cost)
    artifacts, database = get_artifacts().room(), _database_room()
    capacity = Capacity(
        workers=whose,
        cpu_cores=best.devices.cpu_cores or None,
        memory_bytes=best.devices.memory_bytes,
        gpu_bytes=best.gpu_bytes,
        artifacts_bytes=artifacts,
        database_bytes=database,
    )
    found = JobEstimate.of(cost, best.device, kept, rows, capacity)
    found.misfits = _told([*best.misfits(cost_on(best), config), *_beyond_disks(found)])
    found.large = [] if found.misfits else _told(_large(found, cost, best.share(cost)))
    return found


def _data(dataset: Dataset, pool: OodPool | None, evaluated: Dataset | None) -> RunData:
    parts = {} if evaluated is None else evaluated.split_sizes or {}
    return RunData(
        image_size=dataset.image_size or 0,
        num_train=(dataset.split_sizes or {}).get("train", 0),
        num_pool=0 if pool is None else pool.num_samples or 0,
        num_evaluated=parts.get("probe", 0) + parts.get("test", 0),
    )


def _machines(session: Session, config: PretrainConfig) -> tuple[Whose, list[_Machine]]:
    """The machines that the job may run on, and whose they are."""
    live = workers.live_devices(session, get_settings().worker_silence_seconds).values()
    offers: list[tuple[Whose, Iterable[Devices | None]]] = [("live", live)]
    if None not in live:  # else one that runs may have anything
        offers.append(("earlier", workers.known_devices(session)))
    for whose, offered in offers:
        told = {devices for devices in offered if devices is not None}
        if found := [machine for devices in told if (machine := _Machine.of(devices, config)) is not None]:
            return whose, found
    device: Device = "cuda" if config.device == "cuda" else "cpu"
    return "none", [_Machine(Devices(cpu_cores=0, bf16=True), device, "bf16" if config.precision == "bf16" else "fp32")]


def _remedy(lack: str, fits: Callable[..., bool], config: PretrainConfig) -> tuple[str, str]:
    """The setting that makes the run fit, and its largest value that does."""
    least = 2 * config.num_processes
    for name, lowest in (("batch_size", least), ("num_processes", config.num_hosts)):
        value = getattr(config, name)
        if value > lowest and fits(**{name: lowest}):
            below, above = lowest, value
            while above - below > 1:
                middle = (below + above) // 2
                below, above = (middle, above) if fits(**{name: middle}) else (below, middle)
            return name, f"{lack}: choose at most {below}"
    return "width", f"{lack}, whatever the batch: choose a smaller width or backbone"


def _database_room() -> int | None:
    file = sqlite_file(get_settings().database_url.get_secret_value())
    return None if file is None else room(file.parent)


def _beyond_disks(found: JobEstimate) -> Iterator[tuple[str, str]]:
    artifacts, database = found.capacity.artifacts_bytes, found.capacity.database_bytes
    if artifacts is not None and database is not None and _one_disk():
        database -= min(database, found.kept_bytes)
    if artifacts is not None and found.kept_bytes > artifacts:
        lack = f"checkpoints take {said(found.kept_bytes)}, {said(found.kept_bytes - artifacts)} more than there is"
        yield "width", f"{lack} room for in the artifact store: choose a smaller width or backbone, or free the disk"
    if database is not None and found.database_bytes > database:
        lack = f"the job's rows take {said(found.database_bytes)}, {said(found.database_bytes - database)} more than"
        yield _most_rows(found), f"{lack} there is room for the database: choose fewer epochs or rounds"


def _one_disk() -> bool:
    file = sqlite_file(get_settings().database_url.get_secret_value())
    store = Path(get_settings().artifacts_url)
    return file is None or not store.exists() or file.parent.stat().st_dev == store.stat().st_dev


def _most_rows(found: JobEstimate) -> str:
    return "sample_interval" if SCORE_BYTES * found.pool_scores > found.database_bytes / 2 else "epochs"


def _large(found: JobEstimate, cost: RunCost, memory_share: float) -> Iterator[tuple[str, str]]:
    """(setting, what is large) for all that is beyond a border of the settings."""
    borders = get_settings()
    if memory_share > borders.large_memory_share:
        name = "batch_size" if cost.memory.largest == "step" else "width"
        yield name, f"the job needs {said(found.memory_bytes)}, {memory_share:.0%} of the memory of the largest worker"
    stored = found.kept_bytes + found.database_bytes
    if stored > borders.large_stored_bytes:
        name = "width" if found.kept_bytes > found.database_bytes else _most_rows(found)
        yield name, f"checkpoints and rows of the job take {said(stored)}"
    if found.written_bytes > borders.large_written_bytes or found.checkpoints > borders.large_counts:
        yield "checkpoint_interval", f"the job writes {found.checkpoints:,} checkpoints, {said(found.written_bytes)}"
    if found.rounds > borders.large_counts:
        yield "sample_interval", f"the job has {found.rounds:,} rounds, which score {found.pool_scores:,} pool images"
    if found.metric_rows > borders.large_rows:
        yield "epochs", f"the job's {found.steps:,} steps leave {found.metric_rows:,} points of curves"


def _told(problems: Iterator[tuple[str, str]] | list[tuple[str, str]]) -> list[FieldProblem]:
    return [FieldProblem(pointer=f"/config/{name}", detail=what) for name, what in problems]
