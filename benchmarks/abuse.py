"""Clients that take more than their share of a service, and what they find there."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any

import httpx

from benchmarks.crowd import connect
from benchmarks.service import Service
from store.database import writing
from store.repositories import recording

RIVALS = 10  # jobs of a comparison
STEPS = 50_000  # points of each job's curve
LISTS, LISTED = 40, 10_000  # data sets, and the training images that each lists

Abuser = Callable[[float], Coroutine[Any, Any, None]]  # takes the time at which to end


@dataclass(frozen=True)
class Abusers:
    """Two slow uploads, a comparer and one that lists all it can, with a token of their own."""

    base_url: str
    token: str
    rivals: tuple[str, ...]  # ids of the jobs that are compared
    answers: Counter[str]

    def all(self) -> list[Abuser]:
        """What runs beside honest clients."""
        compared = "/compare?" + "&".join(f"job_id={job}" for job in self.rivals)
        return [
            self._upload,
            self._upload,
            partial(self._hammer, compared, "compare"),
            partial(self._hammer, "/datasets?limit=1000", "data sets"),
        ]

    async def _upload(self, until_time: float) -> None:
        """Send a file at ten bytes a second, and begin again when it is refused."""

        async def drops() -> AsyncIterator[bytes]:
            while time.perf_counter() < until_time:
                yield b"0123456789"
                await asyncio.sleep(1)

        await self._again(
            lambda client: client.post("/uploads?filename=slow.zip", content=drops()), "upload", until_time
        )

    async def _hammer(self, path: str, what: str, until_time: float) -> None:
        """Ask as fast as the answers come."""
        await self._again(lambda client: client.get(path), what, until_time)

    async def _again(
        self, ask: Callable[[httpx.AsyncClient], Coroutine[Any, Any, httpx.Response]], what: str, until_time: float
    ) -> None:
        async with connect(self.base_url, self.token) as client:
            while time.perf_counter() < until_time:
                try:
                    status = str((await ask(client)).status_code)
                except httpx.HTTPError as error:
                    status = type(error).__name__
                self.answers[f"{what}: {status}"] += 1
                await asyncio.sleep(0)


def prepare(service: Service, data: tuple[str, str], submit: Callable[..., str]) -> tuple[str, ...]:
    """Add what abusers ask for: long curves, and data sets that list their images.

    Returns:
        The ids of the jobs with the curves. They are cancelled.
    """
    rivals = tuple(submit(service, *data, sampler="none", epochs=100_000) for _ in range(RIVALS))
    for job in rivals:
        service.client.post(f"/jobs/{job}/cancel").raise_for_status()
    for job in rivals:
        with writing(service.engine) as session:
            recording.add_metrics(session, job, [("loss", step, 1 / step) for step in range(1, STEPS + 1)])
    path = {"kind": "path", "path": str(service.home / "dataset.npz")}
    for number in range(LISTS):
        indices = list(range(number, number + LISTED))
        body = {"name": f"listed {number}", "source": path, "long_tail": {"profile": "indices", "indices": indices}}
        service.post("/datasets", body)
    return rivals
