# Written by `make client` from the module of the same name in _async/. Change that one.
"""The client: one attribute for each noun of the API."""

from __future__ import annotations

import os
from collections.abc import Iterator
from types import TracebackType
from typing import Self

from colt_client._sync.analyses import Analyses
from colt_client._sync.backbones import Backbones
from colt_client._sync.checkpoints import Checkpoints
from colt_client._sync.datasets import Datasets
from colt_client._sync.evaluations import Evaluations
from colt_client._sync.experiments import Experiments
from colt_client._sync.exports import Exports
from colt_client._sync.jobs import Job, Jobs
from colt_client._sync.ood_pools import OodPools
from colt_client._sync.tailness import Rounds, Tailness
from colt_client._sync.transport import API, Transport, read
from colt_client._sync.uploads import Uploads
from colt_client.calls import Call
from colt_client.models import Comparison, Kinds, WorkerInfo

LOCAL = "http://127.0.0.1:8000"


class Client:
    """Calls a COLT Studio service. Use it with `with`, or `close()` it.

    A call that the service puts off (429, 503), or whose connection breaks, is sent again, where
    that does no more than sending it once.
    """

    def __init__(
        self, url: str | None = None, token: str | None = None, *, timeout: float = 30, retry_seconds: float = 60
    ) -> None:
        """Nothing is sent yet.

        Args:
            url: the service's address. Default: COLT_URL, or this machine's.
            token: Default: COLT_TOKEN. It may stay unset if the service needs none.
            timeout: seconds without a byte after which a connection counts as broken.
            retry_seconds: how long one call is tried.
        """
        self.url = (url or os.environ.get("COLT_URL") or LOCAL).rstrip("/")
        self._transport = Transport(self.url, token or os.environ.get("COLT_TOKEN"), timeout, retry_seconds)
        self.datasets = Datasets(self._transport)
        self.ood_pools = OodPools(self._transport)
        self.backbones = Backbones(self._transport)
        self.uploads = Uploads(self._transport)
        self.jobs = Jobs(self._transport)
        self.experiments = Experiments(self._transport)
        self.evaluations = Evaluations(self._transport)
        self.analyses = Analyses(self._transport)
        self.checkpoints = Checkpoints(self._transport)
        self.exports = Exports(self._transport)
        self.tailness = Tailness(self._transport)
        self.rounds = Rounds(self._transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    def check_ready(self) -> None:
        """Check that the service can work: database, broker, artifact store and a worker are there.

        Raises:
            Busy: something is missing; the text names it.
            ConnectionLost: no service answers.
        """
        self._transport.send(Call("GET", "/readyz"), patience=0)

    def compare(
        self,
        *jobs: str | Job,
        baseline: str | Job | None = None,
        evaluation: str | None = None,
        max_points: int | None = None,
    ) -> Comparison:
        """Jobs side by side: what differs, their evaluations and their curves.

        Args:
            baseline: one of the jobs. `against` then has the differences from it.
            evaluation: the probe to compare by. None: `linear`, or another that the baseline has.
            max_points: of each curve.
        """
        ids = [job if isinstance(job, str) else job.id for job in jobs]
        base = baseline if baseline is None or isinstance(baseline, str) else baseline.id
        query = {"job_id": ids, "baseline": base, "evaluation": evaluation, "max_points": max_points}
        return self._transport.get(Comparison, "/compare", **query)

    def workers(self) -> Iterator[WorkerInfo]:
        """The worker processes."""
        return self._transport.items(WorkerInfo, "/workers")

    def kinds(self) -> Kinds:
        """The frameworks, samplers, probes, analyses and presets of this service, with their
        settings."""
        kinds: Kinds = read(Kinds, self._transport.send(Call("GET", f"{API}/kinds")))
        return kinds
