"""Writes the events of `pretrain` as rows and artifacts, in short transactions.

Every transaction begins by writing the job's row under its lease. So a job lost to another worker
is noticed before anything else is written. The lock on the row also makes events visible in the
order of their ids.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.orm import Session

from colt_core.config import PretrainConfig
from colt_core.data.warnings import DataWarning
from colt_core.events import CheckpointReady, EpochDone, Event, RoundDone, RunStarted, StepDone, Warned
from store import leases
from store.leases import Lease
from store.models import Job, RoundScores, SamplingRound, TailnessEpoch, new_id
from store.repositories import events, profile, recording
from store.repositories import round_scores as kept_scores
from store.settings import get_settings
from worker import round_scores
from worker.checkpoints import CheckpointFolder
from worker.child import WorkBrokeOff
from worker.pace import Pace
from worker.patience import retry_during_outage, retry_transaction
from worker.rows import compute_column, round_row, tailness_row

FLUSH_STEPS = 50
FLUSH_SECONDS = 1.0
# A page replays all events when it opens, so a long run reports its progress less often.
REPORT_SECONDS, LONGEST_REPORT_PAUSE, REPORT_SHARE = 1.0, 10.0, 0.01

S = TypeVar("S")
log = logging.getLogger("worker")


class Recorder:
    """Records one attempt of one job.

    Args:
        lease: the lease on the job.
        config: the job's configuration.
        labels: (N,) classes of the training images, 0..C-1; None without labels. They are only
            recorded; training does not use them.
        num_classes: C; 0 without labels.
        checkpoints: the job's checkpoints.
        epoch: number of epochs already finished.
        previous: indices of the OOD images that the last round before this attempt picked; empty
            without one.
        beginning_steps: the steps after which a checkpoint ends a beginning that others share; None
            if none do.
        stopping: whether this process was asked to end. Then it no longer waits for outages to end.
    """

    def __init__(
        self,
        lease: Lease,
        config: PretrainConfig,
        labels: NDArray[np.int64] | None,
        num_classes: int,
        checkpoints: CheckpointFolder,
        *,
        epoch: int,
        previous: NDArray[np.int64],
        beginning_steps: int | None = None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._lease = lease
        self._labels = labels
        self._num_classes = num_classes
        self._epochs = config.epochs
        self._num_processes = config.num_processes
        self._epoch = epoch
        self._beginning_steps = beginning_steps
        self._checkpoints = checkpoints
        self._stopping = stopping
        self._selected = previous
        self._pace = Pace(config.batch_size)
        self._points: list[recording.Point] = []  # not written yet
        self._unreported: list[recording.Point] = []  # not in an event yet
        self._lines: list[str] = []
        self._last: StepDone | None = None
        self._flushed = self._began = time.monotonic()
        self._reported_at = -math.inf

    def record(self, event: Event) -> None:
        """Write an event, at once or together with later ones.

        Raises:
            LeaseLost: when the lease is no longer valid.
            WorkBrokeOff: when files could not be stored within `COLT_PATIENCE_SECONDS`.
        """
        match event:
            case RunStarted():
                self._started(event)
            case StepDone():
                self._step(event)
            case EpochDone():
                self._epoch_done(event)
            case RoundDone():
                self._round(event)
            case Warned():
                self.warn(event.warning)
            case CheckpointReady():
                self._checkpoint(event)
            case _:
                self._reported_at = -math.inf  # report the last values now
                self.flush()

    def say(self, line: str) -> None:
        """Add a line to the job's log. It is written with the next transaction."""
        log.info("%s", line)
        self._lines.append(line)

    def warn(self, warning: DataWarning) -> None:
        """Add a warning to the job, at once. It replaces an earlier one of the same code.

        Raises:
            LeaseLost: when the lease is no longer valid.
        """
        told, step = asdict(warning), 0 if self._last is None else self._last.step

        def write(session: Session) -> None:
            job = session.get_one(Job, self._lease.id)
            others = [known for known in job.warnings or [] if known["code"] != warning.code]
            leases.write(session, self._lease, warnings=[*others, told])
            events.append(session, self._lease.id, "warning", {"epoch": self._epoch, "step": step, **told})

        self.say(f"warning: {warning.detail}")
        self.flush(write)

    def flush(self, also: Callable[[Session], None] | None = None, **values: Any) -> None:
        """Write everything collected so far, in one transaction.

        Args:
            also: writes more in the same transaction.
            values: columns of the job to set.

        Raises:
            LeaseLost: when the lease is no longer valid.
        """
        points, lines, last = self._points, self._lines, self._last
        self._unreported += points
        told = self._unreported if last is not None and self._report_is_due() else []
        values |= self._progress(last)
        name = new_id()

        def write(session: Session) -> None:
            job = leases.held(session, self._lease)
            assert isinstance(job, Job)
            if job.last_write == name:  # committed, but the database failed before it confirmed
                return
            leases.write(session, self._lease, last_write=name, **values)
            recording.add_metrics(session, self._lease.id, points)
            if also is not None:
                also(session)
            if lines:
                events.append(session, self._lease.id, "log", {"lines": lines})
            if told and last is not None:
                progress = {"epoch": self._epoch, "epochs": self._epochs, **self._progress(last)}
                events.append(session, self._lease.id, "progress", progress)
                events.append(session, self._lease.id, "metric", _latest(told))

        retry_transaction(write)
        self._points, self._lines = [], []
        self._flushed = time.monotonic()
        if told:
            self._unreported = []
            self._reported_at = self._flushed

    def _report_is_due(self) -> bool:
        now = time.monotonic()
        pause = min(max((now - self._began) * REPORT_SHARE, REPORT_SECONDS), LONGEST_REPORT_PAUSE)
        return now - self._reported_at >= pause

    def _started(self, event: RunStarted) -> None:
        self.say(_compute_line(event, self._num_processes))
        self.flush(compute=compute_column(event))

    def _step(self, event: StepDone) -> None:
        self._pace.step(event.seconds)
        named = {
            "loss": event.loss,
            "contrastive_loss": event.contrastive_loss,
            "distribution_loss": event.distribution_loss,
            "learning_rate": event.learning_rate,
        }
        self._points += [(name, event.step, value) for name, value in named.items() if value is not None]
        self._last = event
        full = len(self._points) >= FLUSH_STEPS * len(named)
        if full or time.monotonic() - self._flushed >= FLUSH_SECONDS:
            self.flush()

    def _epoch_done(self, event: EpochDone) -> None:
        self._epoch = event.epoch
        self._points.append(("epoch_loss", event.step, event.loss))
        self._points += profile.epoch_points(event.step, event.seconds, event.profile)
        row = tailness_row(self._lease.id, event, self._labels, self._num_classes)
        self.flush(_adding(row), epoch=event.epoch, loss=event.loss)

    def _round(self, event: RoundDone) -> None:
        row = round_row(self._lease.id, event, self._labels, self._num_classes, self._selected)
        scores = None  # a round that repeats training images has none
        if len(event.ood_tailness):
            self.flush()  # which checks the lease before the file is written
            what, artifacts = f"the scores of round {event.round}", self._checkpoints.artifacts
            scores = self._waiting(what, lambda: round_scores.store(artifacts, self._lease.id, event))
        told = {
            "round": event.round,
            "epoch": event.epoch,
            "step": event.step,
            "num_selected": row.num_selected,
            "budget": row.budget,
            "stop": row.stop,
            "overlap": row.overlap,
            "num_embedded": row.num_embedded,
            "seconds": event.seconds,
        }
        self.say(f"round {event.round} before epoch {event.epoch}: {_picked(row)}")

        dropped: list[str] = []

        def write(session: Session) -> None:
            _adding(row)(session)
            if scores is not None:
                _adding(scores)(session)
            events.append(session, self._lease.id, "round", told)
            spared = kept_scores.to_drop(session, self._lease.id, get_settings().keep_round_scores)
            dropped[:] = kept_scores.drop(session, self._lease.id, spared)

        self.flush(write)
        self._delete(dropped)
        self._selected = event.selected

    def _checkpoint(self, event: CheckpointReady) -> None:
        # Everything before the checkpoint is recorded first. This also checks the lease before any
        # file is written.
        self.flush()
        what = f"the checkpoint of epoch {event.epoch}, step {event.step}"
        row = self._waiting(what, lambda: self._checkpoints.store(event))
        dropped: list[str] = []
        ends_beginning = event.step == self._beginning_steps and not event.state["rounds"]

        def write(session: Session) -> None:
            dropped[:] = self._checkpoints.record(session, row)
            if ends_beginning:
                leases.write(session, self._lease, beginning_checkpoint_id=row.id)

        self.say(f"checkpoint after epoch {event.epoch}, step {event.step}")
        # From now on the run begins with its own.
        self.flush(write, faults=0, start_checkpoint_id=None, start_backbone_id=None)
        self._delete(dropped)

    def _delete(self, keys: list[str]) -> None:
        """Delete files that no row names any more. Training continues if that fails."""
        try:
            self._checkpoints.delete(keys)
        except OSError as error:
            log.warning("old files could not be deleted; a worker's sweep removes them later: %s", error)

    def _waiting(self, what: str, store: Callable[[], S]) -> S:
        """Write files. During an outage of the store the training waits."""

        def outage(error: Exception) -> str | None:
            return f"{what} cannot be stored: {error.strerror or error}" if isinstance(error, OSError) else None

        def tell(reason: str) -> None:
            self.say(f"{reason}; the training waits")
            self.flush()

        try:
            return retry_during_outage(store, outage, give_up=self._stopping, on_wait=tell)
        except OSError as error:
            raise WorkBrokeOff(outage(error)) from error

    def _progress(self, last: StepDone | None) -> dict[str, Any]:
        if last is None:
            return {}
        return {
            "step": last.step,
            "steps": last.steps,
            "images_per_second": self._pace.images_per_second,
            "eta_seconds": self._pace.eta_seconds(last.steps - last.step),
        }


def _adding(row: TailnessEpoch | SamplingRound | RoundScores) -> Callable[[Session], None]:
    """An action that adds a row. It can be repeated after a failed transaction."""

    def add(session: Session) -> None:
        session.merge(row)
        session.flush()

    return add


def _compute_line(event: RunStarted, num_processes: int) -> str:
    """For example "on the CPU with 2 threads, bf16: this CPU multiplies in bf16 (AVX-512 BF16)"."""
    where = "the GPU"
    if event.device == "cpu":
        where = f"the CPU with {event.threads} thread{'' if event.threads == 1 else 's'}"
    each = "" if num_processes == 1 else f" in each of {num_processes} processes"
    return f"on {where}{each}, {event.precision}: {event.reason}"


def _picked(row: SamplingRound) -> str:
    if row.picked_from == "train":
        return f"{row.num_selected} training images repeated"
    if row.stop is None:
        return f"{row.num_selected} OOD images picked"
    return (
        f"{row.num_selected} of {row.budget} OOD images picked; the pool has no more like them. The last have a mean "
        "cosine of {similarity:.2f}, below {share:g} times the {reference:.2f} of early ones".format(**row.stop)
    )


def _latest(points: list[recording.Point]) -> dict[str, Any]:
    """The last value of each curve: `{"step": ..., "values": {name: value}}`."""
    return {"step": points[-1][1], "values": {name: value for name, _, value in points}}
