"""A worker's seat in a job over several machines.

The worker offers a seat and waits for the others. Then it runs torchrun's agent, and watches it and
the other seats. All supervisors hold the job's lease. The first that sees a seat lost ends the
attempt by it, and the others then see that the lease is gone.
"""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import shutil
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, NoReturn

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

import colt_core
import worker
from colt_core.config import PretrainConfig
from store import leases, logs
from store.database import reading, writing
from store.leases import Lease, LeaseLost
from store.models import Job, Seat
from store.repositories import events, seats
from store.repositories.seats import Offer
from store.settings import Settings, get_settings
from store.statuses import WorkStatus
from worker import outcome
from worker.addresses import free_port, is_free, own_address
from worker.agent import Place
from worker.devices import own_devices
from worker.folder import WorkerFolder
from worker.handover import DIGESTS, FIRST_RANK, REASON, SCRATCH, SEAT
from worker.patience import retry_transaction
from worker.programs import Program
from worker.supervisor import clean_up, reason_of, tail

SILENT_SECONDS = 12.0  # without a sign of life, a seat is lost
RENEW_SECONDS = 3.0
PORTS = 3  # that a leader tries
MOVED_SECONDS = 15.0  # for a leader to choose another port
SKIP_SECONDS = 30.0  # after which a job that did not get all its seats is tried again

log = logging.getLogger(__name__)
_skipped: dict[str, float] = {}  # by job: until when


def offer(worker_id: str) -> Seat | None:
    """Offer a seat to the job whose turn it is, if it needs several machines."""
    with reading() as session:
        if not leases.waits_for_hosts(session):
            return None
    now = time.monotonic()
    without = [job_id for job_id, until in _skipped.items() if until > now]
    offered = Offer(worker_id, own_address(), facts())
    with writing() as session:
        return seats.offer(session, offered, own_devices(), SILENT_SECONDS, without)


@cache
def facts() -> dict[str, Any]:
    """What must be the same on all machines of a job."""
    return {
        "code": _code(),
        "torch": version("torch"),
        "python": ".".join(platform.python_version_tuple()[:2]),
        "bf16": own_devices().bf16,
    }


def _code() -> str:
    digest = hashlib.sha256()
    for package in (colt_core, worker):
        assert package.__file__ is not None
        root = Path(package.__file__).parent
        for file in sorted(root.rglob("*.py")):
            digest.update(str(file.relative_to(root)).encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def work(seat: Seat, folder: WorkerFolder) -> bool:
    """Wait for the job's other seats, then do the work of this one.

    Returns:
        As `supervise`.
    """
    with logs.bound(job_id=seat.job_id):
        try:
            lease, place = _wait(seat, folder) or (None, None)
        finally:
            if seat.attempt is None:
                with suppress(DBAPIError), writing() as session:
                    seats.give_back(session, seat.id)
        if lease is None or place is None:
            return False
        log.info("has seat %d of job %s", seat.node_rank, seat.job_id)
        return _Supervisor(seat, lease, folder, place).supervise()


def _wait(seat: Seat, folder: WorkerFolder) -> tuple[Lease, Place] | None:
    """Hold the offer until the job begins; None if it does not."""
    settings = get_settings()
    renewed = 0.0
    while not folder.stopping:
        if (begun := _begun(seat, settings)) is not None:
            return begun
        if time.monotonic() - renewed > RENEW_SECONDS:
            with writing() as session:
                seats.give_up(session, seat.job_id)
                held = seats.renew(session, seat.id, SILENT_SECONDS)
            if not held:
                log.info("job %s does not get all its machines now", seat.job_id)
                _skipped[seat.job_id] = time.monotonic() + SKIP_SECONDS
                return None
            renewed = time.monotonic()
        with reading() as session:
            job = session.get(Job, seat.job_id)
        if job is None or job.status not in (Job.waiting, Job.running):  # cancelled before it began
            return None
        time.sleep(settings.poll_seconds)
    return None


def _begun(seat: Seat, settings: Settings) -> tuple[Lease, Place] | None:
    with writing() as session:
        claimed = seats.begin(session, seat.id, settings.lease_seconds)
        if claimed is not None:
            seats.listen_on(session, seat.id, free_port())
    with reading() as session:
        row = session.get(Seat, seat.id)
        if row is None or row.attempt is None:
            return None
        seat.attempt, seat.node_rank = row.attempt, row.node_rank
        everyone = seats.of_attempt(session, seat.job_id, row.attempt)
        job = session.get_one(Job, seat.job_id)
    if job.lease_token is None or everyone[0].port is None:
        return None
    lease = claimed[0] if claimed is not None else Lease(Job, job.id, job.lease_token)
    if claimed is not None and (why := difference(everyone)) is not None:
        retry_transaction(lambda session: outcome.failed(session, lease, why))
        return None
    assert row.node_rank is not None
    config = PretrainConfig.from_stored(job.config)
    processes = config.processes_per_host
    threads = max(1, (settings.torch_threads or own_devices().cpu_cores) // processes)
    place = Place(config.num_hosts, row.node_rank, processes, everyone[0].address, everyone[0].port, threads)
    return lease, place


def difference(everyone: Sequence[Seat]) -> str | None:
    """What differs between the machines of a job, in words; None if nothing does."""
    first = everyone[0]
    for seat in everyone[1:]:
        for name in sorted(first.facts.keys() | seat.facts.keys()):
            ours, theirs = first.facts.get(name), seat.facts.get(name)
            if ours != theirs:
                where = f"{first.worker_id} has {name} {ours!r}, {seat.worker_id} has {theirs!r}"
                advice = "set precision" if name == "bf16" else "install the same version on both"
                return f"The machines differ: {where}. To run one job over them, {advice}"
    return None


@dataclass
class _Sign:
    """A seat's last sign of life."""

    lease: object
    seen: float


class _Supervisor:
    """Watches the agent of one seat, and the other seats."""

    def __init__(self, seat: Seat, lease: Lease, folder: WorkerFolder, place: Place) -> None:
        self._seat = seat
        self._lease = lease
        self._folder = folder
        self._place = place
        self._settings = get_settings()
        self._leads = place.node_rank == 0
        self._signs: dict[str, _Sign] = {}
        self._log_path = self._settings.home / "logs" / Job.__tablename__ / f"{lease.id}.log"
        self._scratch = folder.path / "scratch" / lease.token

    def supervise(self) -> bool:
        program: Program | None = None
        try:
            for port in range(PORTS):
                self._folder.scratch(self._lease.token)
                program = self._start()
                stopped, moved = self._watch(program)
                if not moved and not stopped:
                    moved = self._moves(program, last=port == PORTS - 1)
                if not moved:
                    self._settle(program.exit_code, stopped)
                    break
                program.kill_group()
                shutil.rmtree(self._scratch, ignore_errors=True)
        except LeaseLost:
            pass  # the job has its outcome, or another attempt runs
        except OSError as error:
            log.exception("cannot start the agent of job %s", self._lease.id)
            reason = f"The agent could not be started: {error.strerror or error}"
            with suppress(LeaseLost):
                retry_transaction(lambda session: outcome.not_begun(session, self._lease, reason))
        finally:
            if program is not None:
                program.kill_group()
            shutil.rmtree(self._scratch, ignore_errors=True)
            with suppress(DBAPIError), writing() as session:
                seats.give_back(session, self._seat.id)
        return clean_up(self._lease)

    def _start(self) -> Program:
        environment = {
            **os.environ,
            SCRATCH: str(self._scratch),
            DIGESTS: str(self._folder.digests),
            SEAT: self._place.told(),
        }
        return Program(self._lease, environment, self._log_path, "worker.agent:become")

    def _watch(self, program: Program) -> tuple[bool, bool]:
        """Wait for the agent's end.

        Returns:
            Whether it was asked to end, and whether the leader has another port.

        Raises:
            LeaseLost: when the attempt is over.
        """
        renewed = 0.0
        asked: float | None = None
        while not program.done(within=self._settings.poll_seconds):
            stop = self._folder.stopping
            try:
                if time.monotonic() - renewed >= RENEW_SECONDS:
                    self._renew()
                    renewed = time.monotonic()
                if self._look():
                    return False, True
                with reading() as session:
                    cancelling = leases.status(session, self._lease) == WorkStatus.CANCELLING
                    others = seats.of_attempt(session, self._lease.id, self._seat.attempt or 0)
                stop = stop or (self._leads and (cancelling or any(other.leaving for other in others)))
            except DBAPIError:
                log.warning("the database does not answer; the work continues")
                self._signs.clear()
            if asked is None and stop:
                asked = time.monotonic()
                self._ask(program)
            elif asked is not None and time.monotonic() - asked > self._settings.stop_grace_seconds:
                log.warning("%s did not stop within %g s", self._lease.id, self._settings.stop_grace_seconds)
                program.kill_group()
        return asked is not None, False

    def _renew(self) -> None:
        with writing() as session:
            if self._leads:
                leases.renew(session, self._lease, self._settings.lease_seconds)
            seats.renew(session, self._seat.id, SILENT_SECONDS)

    def _look(self) -> bool:
        """Look for a sign of life of each other seat. Answers whether the leader has another port.

        A seat's lease is compared with that of the last look, not with this machine's clock.

        Raises:
            LeaseLost: after the end of an attempt that has lost a seat.
        """
        with reading() as session:
            everyone = seats.of_attempt(session, self._lease.id, self._seat.attempt or 0)
        now = time.monotonic()
        for seat in everyone:
            sign = self._signs.get(seat.id)
            if sign is None or sign.lease != seat.lease_expires_at or seat.lease_expires_at is None:
                self._signs[seat.id] = _Sign(seat.lease_expires_at, now)
            elif now - sign.seen > SILENT_SECONDS and seat.id != self._seat.id:
                self._lose(f"The worker {seat.worker_id} of seat {seat.node_rank} fell silent")
        port = everyone[0].port if everyone else None
        if self._leads or port is None or port == self._place.port:
            return False
        self._move(port)
        return True

    def _lose(self, reason: str) -> NoReturn:
        retry_transaction(lambda session: outcome.lost(session, self._lease, reason, self._settings.max_attempts))
        raise LeaseLost(reason)

    def _move(self, port: int) -> None:
        self._place = replace(self._place, port=port)

    def _ask(self, program: Program) -> None:
        """Ask the run to end. Rank 0 does so for all ranks, at the same step."""
        if not self._leads:
            with writing() as session:
                seats.leaves(session, self._seat.id)
            return
        try:
            os.kill(int((self._scratch / FIRST_RANK).read_text()), signal.SIGTERM)
        except (OSError, ValueError):  # it has not begun
            program.kill_group()

    def _moves(self, program: Program, *, last: bool) -> bool:
        """Whether the agent ended since the leader's port was taken, and there is another one."""
        if program.exit_code == 0 or (self._scratch / REASON).exists():
            return False
        if self._leads:
            if last or (self._scratch / FIRST_RANK).exists() or is_free(self._place.port):
                return False
            log.warning("port %d was taken meanwhile; trying another one", self._place.port)
            port = free_port()
            with writing() as session:
                leases.held(session, self._lease)
                seats.listen_on(session, self._seat.id, port)
            self._move(port)
            return True
        until = time.monotonic() + (0 if self._began() else MOVED_SECONDS)
        while time.monotonic() < until:
            self._renew()
            if self._look():
                return True
            with reading() as session:
                leases.status(session, self._lease)
            time.sleep(self._settings.poll_seconds)
        return False

    def _began(self) -> bool:
        return any(self._scratch.glob("began-*"))

    def _settle(self, code: int, stopped: bool) -> None:
        """Write the outcome, unless another process has done so. A follower that ended well writes
        none."""
        if not self._leads and code == 0:
            return
        path = self._scratch / REASON
        reason = path.read_text() if path.exists() else reason_of(code)
        where = f"Seat {self._place.node_rank} at {self._seat.address}"

        def settle(session: Session) -> None:
            if stopped:
                outcome.interrupted(session, self._lease)
                return
            leases.held(session, self._lease)
            events.append(session, self._lease.id, "log", {"lines": tail(self._log_path)})
            outcome.faulted(session, self._lease, f"{where}: {reason}", self._settings.max_attempts)

        retry_transaction(settle)
