"""Experiments: arms compared over data sets and seeds."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Unpack

from colt_client._async.datasets import AsyncDataset
from colt_client._async.downloads import save
from colt_client._async.handles import AsyncHandle
from colt_client._async.ood_pools import AsyncOodPool
from colt_client._async.transport import API, AsyncTransport, read
from colt_client.bars import Progress
from colt_client.calls import Call
from colt_client.models import Accepted, ExperimentDetails, ExperimentInfo, Results, Template

if TYPE_CHECKING:
    from colt_client.requests import MoreSeeds, NewExperiment


class AsyncExperiment(AsyncHandle[ExperimentInfo | ExperimentDetails]):
    """An experiment. Its status is that of its jobs."""

    noun, path, answer = "experiment", "/experiments", ExperimentDetails
    unit = "run"

    @property
    def name(self) -> str:
        return self.info.name

    async def cancel(self) -> None:
        """Cancel its jobs that wait or run.

        Raises:
            Conflict: all have ended.
        """
        await self._transport.cancel(self._at)

    async def resume(self) -> None:
        """Queue its failed and cancelled jobs again, and new ones for those that were deleted."""
        await self._transport.post(Accepted, f"{self._at}/resume", repeatable=False)

    async def add_seeds(self, **wanted: Unpack[MoreSeeds]) -> None:
        """Add a job for each new seed, arm and data set: all or none."""
        await self._transport.post(Accepted, f"{self._at}/seeds", wanted, repeatable=False)

    async def results(
        self, *, evaluation: str | None = None, baseline: str | None = None, classes: bool | None = None
    ) -> Results:
        """The arms' means, and their differences to a baseline with 95 % intervals.

        Args:
            evaluation: the probe. None: the experiment's first.
            baseline: name of an arm. None: the experiment's.
            classes: whether classes have rows too. None: if they are not too many.
        """
        query = {"evaluation": evaluation, "baseline": baseline, "classes": classes}
        return await self._transport.get(Results, f"{self._at}/results", **query)

    async def table(
        self,
        format: Literal["markdown", "latex", "csv"] = "markdown",
        *,
        evaluation: str | None = None,
        baseline: str | None = None,
        classes: bool | None = None,
    ) -> str:
        """The results as a table.

        Args:
            evaluation, baseline: as for `results`.
            classes: whether classes have rows too. None: only in CSV.
        """
        query = {"format": format, "evaluation": evaluation, "baseline": baseline, "classes": classes}
        return (await self._transport.send(Call("GET", f"{API}{self._at}/results", query))).text

    async def export(
        self, to: str | os.PathLike[str], *, format: str = "csv", progress: Progress = True, **query: Any
    ) -> Path:
        """Write the results to a file.

        Args:
            to: the file to write, which is replaced.
            format: `csv`, `markdown`, `latex` or `json`.
            query: as for `results`.
        """
        return await save(self._transport, f"{self._at}/results", {"format": format, **query}, to, progress)

    def _title(self) -> str:
        return self.name

    def _progress(self) -> tuple[float, float | None, str]:
        return self.info.finished, self.info.total, self.status


class AsyncExperiments:
    """`client.experiments`"""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def submit(
        self,
        datasets: Sequence[str | AsyncDataset],
        *,
        ood_pool: str | AsyncOodPool | None = None,
        idempotency_key: str | None = None,
        **settings: Unpack[NewExperiment],
    ) -> AsyncExperiment:
        """Queue a job for each arm, data set and seed: all of them, or none.

        Args:
            datasets, ood_pool: ids, or what `register` answered.
            idempotency_key: as for a job.
            settings: such as `template="did-it-help"` and `seeds=[0, 1, 2]`.

        Raises:
            Invalid: a job cannot run; `errors` says why.
        """
        body = {**settings, "dataset_ids": [_id(dataset) for dataset in datasets]}
        if ood_pool is not None:
            body["ood_pool_id"] = _id(ood_pool)
        headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
        answer = await self._transport.send(Call("POST", f"{API}/experiments", json=body, headers=headers))
        accepted: Accepted = read(Accepted, answer)
        return await self.get(accepted.id)

    async def get(self, id: str) -> AsyncExperiment:
        return await AsyncExperiment.of(self._transport, id)

    async def list(self, *, limit: int | None = None) -> AsyncIterator[AsyncExperiment]:
        """The newest `limit` experiments, or all, newest first."""
        async for info in self._transport.items(ExperimentInfo, "/experiments", limit):
            yield AsyncExperiment(self._transport, info)

    async def templates(self) -> tuple[Template, ...]:
        """The bundled experiments: what each one compares."""
        answer = await self._transport.send(Call("GET", f"{API}/experiments/templates"))
        found: tuple[Template, ...] = read(tuple[Template, ...], answer)
        return found


def _id(data: str | AsyncDataset | AsyncOodPool) -> str:
    return data if isinstance(data, str) else data.id
