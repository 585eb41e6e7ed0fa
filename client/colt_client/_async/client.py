"""The client: one attribute for each noun of the API."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Self

from colt_client._async.analyses import AsyncAnalyses
from colt_client._async.backbones import AsyncBackbones
from colt_client._async.checkpoints import AsyncCheckpoints
from colt_client._async.datasets import AsyncDatasets
from colt_client._async.evaluations import AsyncEvaluations
from colt_client._async.experiments import AsyncExperiments
from colt_client._async.exports import AsyncExports
from colt_client._async.jobs import AsyncJob, AsyncJobs
from colt_client._async.ood_pools import AsyncOodPools
from colt_client._async.tailness import AsyncRounds, AsyncTailness
from colt_client._async.transport import API, AsyncTransport, read
from colt_client._async.uploads import AsyncUploads
from colt_client.calls import Call
from colt_client.models import Comparison, Kinds, WorkerInfo

LOCAL = "http://127.0.0.1:8000"


class AsyncClient:
    """Calls a COLT Studio service. Use it with `async with`, or `aclose()` it.

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
        self._transport = AsyncTransport(self.url, token or os.environ.get("COLT_TOKEN"), timeout, retry_seconds)
        self.datasets = AsyncDatasets(self._transport)
        self.ood_pools = AsyncOodPools(self._transport)
        self.backbones = AsyncBackbones(self._transport)
        self.uploads = AsyncUploads(self._transport)
        self.jobs = AsyncJobs(self._transport)
        self.experiments = AsyncExperiments(self._transport)
        self.evaluations = AsyncEvaluations(self._transport)
        self.analyses = AsyncAnalyses(self._transport)
        self.checkpoints = AsyncCheckpoints(self._transport)
        self.exports = AsyncExports(self._transport)
        self.tailness = AsyncTailness(self._transport)
        self.rounds = AsyncRounds(self._transport)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def check_ready(self) -> None:
        """Check that the service can work: database, broker, artifact store and a worker are there.

        Raises:
            Busy: something is missing; the text names it.
            ConnectionLost: no service answers.
        """
        await self._transport.send(Call("GET", "/readyz"), patience=0)

    async def compare(
        self,
        *jobs: str | AsyncJob,
        baseline: str | AsyncJob | None = None,
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
        return await self._transport.get(Comparison, "/compare", **query)

    def workers(self) -> AsyncIterator[WorkerInfo]:
        """The worker processes."""
        return self._transport.items(WorkerInfo, "/workers")

    async def kinds(self) -> Kinds:
        """The frameworks, samplers, probes, analyses and presets of this service, with their
        settings."""
        kinds: Kinds = read(Kinds, await self._transport.send(Call("GET", f"{API}/kinds")))
        return kinds
