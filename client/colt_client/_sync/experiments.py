# Written by `make client` from the module of the same name in _async/. Change that one.
"""Experiments: arms compared over data sets and seeds."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from colt_client._sync.downloads import save
from colt_client._sync.handles import Handle
from colt_client._sync.transport import API, Transport, read
from colt_client.bars import Progress
from colt_client.calls import Call
from colt_client.models import Accepted, ExperimentDetails, ExperimentInfo, Results, Template

if TYPE_CHECKING:
    from colt_client.requests import MoreSeeds, NewExperiment


class Experiment(Handle[ExperimentInfo | ExperimentDetails]):
    """An experiment. Its status is that of its jobs."""

    noun, path, answer = "experiment", "/experiments", ExperimentDetails
    unit = "run"

    @property
    def name(self) -> str:
        return self.info.name

    def cancel(self) -> None:
        """Cancel its jobs that wait or run.

        Raises:
            Conflict: all have ended.
        """
        self._transport.cancel(self._at)

    def resume(self) -> None:
        """Queue its failed and cancelled jobs again, and new ones for those that were deleted."""
        self._transport.post(Accepted, f"{self._at}/resume", repeatable=False)

    def add_seeds(self, **wanted: Unpack[MoreSeeds]) -> None:
        """Add a job for each new seed, arm and data set: all or none."""
        self._transport.post(Accepted, f"{self._at}/seeds", wanted, repeatable=False)

    def results(
        self, *, evaluation: str | None = None, baseline: str | None = None, classes: bool | None = None
    ) -> Results:
        """The arms' means, and their differences to a baseline with 95 % intervals.

        Args:
            evaluation: the probe. None: the experiment's first.
            baseline: name of an arm. None: the experiment's.
            classes: whether classes have rows too. None: if they are not too many.
        """
        query = {"evaluation": evaluation, "baseline": baseline, "classes": classes}
        return self._transport.get(Results, f"{self._at}/results", **query)

    def export(
        self, to: str | os.PathLike[str], *, format: str = "csv", progress: Progress = True, **query: Any
    ) -> Path:
        """Write the results to a file.

        Args:
            to: the file to write, which is replaced.
            format: `csv`, `markdown`, `latex` or `json`.
            query: as for `results`.
        """
        return save(self._transport, f"{self._at}/results", {"format": format, **query}, to, progress)

    def _title(self) -> str:
        return self.name

    def _progress(self) -> tuple[float, float | None, str]:
        return self.info.finished, self.info.total, self.status


class Experiments:
    """`client.experiments`"""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def submit(self, *, idempotency_key: str | None = None, **wanted: Unpack[NewExperiment]) -> Experiment:
        """Queue a job for each arm, data set and seed: all of them, or none. However often the
        connection breaks, they are queued once.

        Args:
            idempotency_key: the same key and request give the same experiment, for a day. One is
                made for each call.
            wanted: such as `name`, `template`, `dataset_ids`, `ood_pool_id` and `seeds`.

        Raises:
            Invalid: one of the jobs cannot run; `errors` says why.
        """
        headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
        answer = self._transport.send(Call("POST", f"{API}/experiments", json=wanted, headers=headers))
        accepted: Accepted = read(Accepted, answer)
        return self.get(accepted.id)

    def get(self, id: str) -> Experiment:
        return Experiment.of(self._transport, id)

    def list(self, *, limit: int | None = None) -> Iterator[Experiment]:
        """The newest `limit` experiments, or all, newest first."""
        for info in self._transport.items(ExperimentInfo, "/experiments", limit):
            yield Experiment(self._transport, info)

    def templates(self) -> tuple[Template, ...]:
        """The bundled experiments: what each one compares."""
        answer = self._transport.send(Call("GET", f"{API}/experiments/templates"))
        found: tuple[Template, ...] = read(tuple[Template, ...], answer)
        return found
