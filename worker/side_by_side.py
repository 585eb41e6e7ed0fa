"""How many jobs a worker runs at once, and on how many threads each.

A job on a CPU that is alone gets all cores. If others wait, each gets its share of the cores, and
as many run at once. That is quicker where a step is not much quicker on all cores than on a few.

A run's numbers depend on its threads in the last digits. So a job keeps the number on which it
began, also when it is resumed. Alone, it takes that of the job whose beginning it takes over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Lock
from typing import Literal

from sqlalchemy.orm import Session

from store import leases
from store.database import reading
from store.devices import Devices
from store.leases import Lease
from store.models import Job, Seat
from store.repositories import beginnings
from store.settings import get_settings
from worker import seats
from worker.calibration import gain
from worker.claiming import take
from worker.devices import own_devices

MOST = 8  # jobs at once
WORTH = 1.1  # a gain below it may be an error of measurement


@dataclass(frozen=True, slots=True)
class Running:
    """A job that this worker runs at the moment."""

    threads: int | None  # None: those that torch takes
    memory_bytes: int


class Jobs:
    """The jobs that a worker runs. Its threads claim by this, one at a time.

    Args:
        devices: finds the worker's devices.
        measure: how much more a machine trains on all places at once than with one job alone
            (`worker.calibration.gain`). It is called at most once, while no job runs.
    """

    def __init__(
        self, devices: Callable[[], Devices] = own_devices, measure: Callable[[int, int, int], float] = gain
    ) -> None:
        self._devices = devices
        self._measure = measure
        self._deciding = Lock()
        self._running: dict[str, Running] = {}
        self._places: int | None = None  # jobs at once; None: not known yet
        self._resting = 0
        self._seated = False

    @property
    def have_room(self) -> bool:
        """Whether another job may begin beside those that run, if there is a suitable one."""
        return len(self._running) < (self._places or 1)

    def take(self, worker_id: str) -> tuple[Lease, int | None] | None:
        """Claim the next job, if it may run beside those that run already.

        Returns:
            The lease, and the number of threads, or None in its place to leave it to torch. None if
            there is no such job, or during a rest.
        """
        with self._deciding:
            if self._resting or self._seated:
                return None
            with reading() as session:
                several = leases.has_waiting(session, Job, at_least=2)
            share = self._share(several)
            if not self._running:
                lease = take(Job, worker_id)
            elif self.have_room and all(one.threads == share for one in self._running.values()):
                lease = take(Job, worker_id, devices=self._left(), threads=share)
            else:
                lease = None
            if lease is None:
                return None
            with reading() as session:
                job = session.get_one(Job, lease.id)
                memory = (job.estimate or {}).get("memory_bytes") or 0
                begun = job if job.compute or self._running else _beginner(session, job)
            threads = self._threads(job, begun, share)
            self._running[lease.id] = Running(threads, memory)
            return lease, threads

    def sit(self, worker_id: str) -> Seat | None:
        """Offer a seat to a job over several machines. It gets this whole worker.

        Returns:
            The seat, which is this worker's only work until `left`. None if there is no such job
            whose turn it is, or other jobs run here.
        """
        with self._deciding:
            if self._resting or self._running:
                return None
            seat = seats.offer(worker_id)
            if seat is not None:
                self._running[seat.job_id] = Running(None, 0)
                self._seated = True
            return seat

    def left(self, seat: Seat) -> None:
        """Note that a seat is given back."""
        with self._deciding:
            self._running.pop(seat.job_id, None)
            self._seated = False

    @contextmanager
    def resting(self) -> Iterator[None]:
        """Take no job in any place, since the last one failed."""
        self._resting += 1
        try:
            yield
        finally:
            self._resting -= 1

    def ended(self, lease: Lease) -> None:
        """Note that a job runs no more."""
        with self._deciding:
            self._running.pop(lease.id, None)

    def _share(self, several: bool) -> int | None:
        """The threads of a job that shares the cores with others; None if it gets all of them."""
        settings, cores = get_settings(), self._devices().cpu_cores
        always = settings.jobs_side_by_side != "auto"
        if self._places is None and not self._running and (several or always):
            self._places = self._count(settings.jobs_side_by_side, cores, settings.torch_threads)
        places = self._places or 1
        if settings.torch_threads:
            return settings.torch_threads
        shares = places > 1 and (always or several or len(self._running) > 0)
        return max(1, cores // places) if shares else None

    def _count(self, wanted: int | Literal["auto"], cores: int, threads: int) -> int:
        if self._devices().cuda:
            return 1
        if wanted != "auto":
            return wanted
        places = min(MOST, cores // max(1, threads))
        if places < 2:
            return 1
        return places if self._measure(places, threads or cores // places, threads or cores) >= WORTH else 1

    def _threads(self, job: Job, begun: Job, share: int | None) -> int | None:
        """The threads of a job.

        Args:
            begun: the job itself, or the one that has trained its beginning.
            share: as `_share`.
        """
        if job.config.get("num_processes", 1) > 1:
            return None  # its processes share what torch takes
        before = begun.compute or {}
        began_on = before.get("threads") if before.get("device") == "cpu" else None
        return began_on if began_on and began_on <= self._devices().cpu_cores else share

    def _left(self) -> Devices:
        """The devices without the memory that running jobs need."""
        devices = self._devices()
        if devices.memory_bytes is None:
            return devices
        taken = sum(one.memory_bytes for one in self._running.values())
        return replace(devices, memory_bytes=max(0, devices.memory_bytes - taken))


def _beginner(session: Session, job: Job) -> Job:
    """The job that has trained the beginning that this one takes over, or else this job."""
    found = None if job.beginning is None else beginnings.trained(session, job)
    return job if found is None else found[0]
