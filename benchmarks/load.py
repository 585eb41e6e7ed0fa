"""What clients cost the service and a job that trains, with real processes on SQLite:  python -m benchmarks.load

A job trains on one thread, alone at first, then beside clients that each ask once a second, as a dashboard does: they
list jobs, page through a round's OOD images by tailness, or follow the job's events. After it: 1,000 jobs queued,
200 event streams open, and the time of a page of the list with few and with 10,000 finished jobs.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import tempfile
import time
from collections import Counter, defaultdict
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil
from sqlalchemy import insert

from benchmarks.report import Report
from benchmarks.service import Service, register, until
from store.database import reading, writing
from store.models import Job, new_id

_TRAIN_OF_CLASS = 128  # 512 training images: a step of the preset `cpu-small` an epoch


@dataclass
class Seen:
    """What clients met."""

    milliseconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: Counter[str] = field(default_factory=Counter)
    lines: int = 0  # of event streams
    memory_mib: list[float] = field(default_factory=list)


async def ask(client: httpx.AsyncClient, path: str, what: str, until_time: float, seen: Seen) -> None:
    """The same request once a second, or as often as it is answered."""
    while (began := time.perf_counter()) < until_time:
        try:
            answer = await client.get(path)
            if answer.status_code != httpx.codes.OK:
                seen.errors[f"{what}: {answer.status_code}"] += 1
        except httpx.HTTPError as error:
            seen.errors[f"{what}: {type(error).__name__}"] += 1
        took = time.perf_counter() - began
        seen.milliseconds[what].append(1000 * took)
        await asyncio.sleep(max(0.0, 1 - took))


async def follow(client: httpx.AsyncClient, path: str, until_time: float, seen: Seen) -> None:
    """Read a stream of events until the time is over."""
    try:
        async with asyncio.timeout(until_time - time.perf_counter()), client.stream("GET", path) as stream:
            if stream.status_code != httpx.codes.OK:
                seen.errors[f"events: {stream.status_code}"] += 1
            async for _ in stream.aiter_lines():
                seen.lines += 1
        seen.errors["events: ended"] += 1
    except TimeoutError:
        pass
    except httpx.HTTPError as error:
        seen.errors[f"events: {type(error).__name__}"] += 1


async def watch(process: psutil.Process, seconds: float, seen: Seen) -> None:
    """Note the process's memory at the start, four times between, and at the end."""
    for number in range(6):
        seen.memory_mib.append(process.memory_info().rss / 2**20)
        await asyncio.sleep(seconds / 5 if number < 5 else 0)


async def crowd(
    base_url: httpx.URL,
    paths: dict[str, str],
    events: str,
    each: int,
    streams: int,
    seconds: float,
    watched: psutil.Process | None,
) -> Seen:
    """`each` clients for each path, and so many that follow events."""
    seen, end = Seen(), time.perf_counter() + seconds
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with httpx.AsyncClient(base_url=base_url, timeout=30, limits=limits, trust_env=False) as client:
        asking = [ask(client, path, what, end, seen) for what, path in paths.items() for _ in range(each)]
        watching = [] if watched is None else [watch(watched, seconds, seen)]
        await asyncio.gather(*asking, *(follow(client, events, end, seen) for _ in range(streams)), *watching)
    return seen


def steps_a_second(service: Service, job: str, seconds: float) -> float:
    """How fast a job trains, by its own progress."""
    before, began = _step(service, job), time.perf_counter()
    time.sleep(seconds)
    return (_step(service, job) - before) / (time.perf_counter() - began)


def _step(service: Service, job: str) -> int:
    step: int = service.client.get(f"/jobs/{job}").raise_for_status().json()["progress"]["step"]
    return step


def submit(service: Service, dataset: str, pool: str, **config: object) -> str:
    """A job of the preset `cpu-small` without evaluations."""
    body = {"dataset_id": dataset, "ood_pool_id": pool, "config": {"preset": "cpu-small", **config}, "evaluations": []}
    return service.post("/jobs", body)


def add_finished(service: Service, like: str, count: int) -> None:
    """Rows of finished jobs, as that one."""
    with reading(service.engine) as session:
        row = session.get_one(Job, like)
        values = {column.key: getattr(row, column.key) for column in Job.__mapper__.column_attrs}
    with writing(service.engine) as session:
        session.execute(insert(Job), [{**values, "id": new_id(), "name": f"run {number}"} for number in range(count)])


def beside_clients(
    report: Report, service: Service, api: psutil.Process, done: str, job: str, clients: int, seconds: float
) -> None:
    """The job's rate alone and beside clients, and what they met."""
    alone = steps_a_second(service, job, min(60, seconds))
    followers = clients // 5
    paths = {"list": "/jobs?limit=50", "tailness": f"/jobs/{done}/ood-tailness?limit=100"}
    step, began = _step(service, job), time.perf_counter()
    each = (clients - followers) // len(paths)
    seen = asyncio.run(crowd(service.client.base_url, paths, f"/jobs/{job}/events", each, followers, seconds, api))
    beside = (_step(service, job) - step) / (time.perf_counter() - began)
    rows = [
        [what, str(len(taken)), *(f"{value:.0f}" for value in (statistics.median(taken), *tail(taken)))]
        for what, taken in seen.milliseconds.items()
    ]
    report.table(f"{clients} clients for {seconds:g} s", ["request", "answers", "median ms", "99 %", "slowest"], rows)
    print(f"\nErrors: {dict(seen.errors) or 'none'}; {seen.lines:,} lines of events")
    print(f"The job: {alone:.2f} steps/s alone, {beside:.2f} beside them")
    print(f"The API's memory: {', '.join(f'{mib:.0f}' for mib in seen.memory_mib)} MiB")
    report.ratio("load_job_beside_clients_over_alone_steps", beside / alone)
    report.ratio("load_api_memory_after_over_before", seen.memory_mib[-1] / seen.memory_mib[0])
    report.figure("load_errors_count", seen.errors.total())


def waiting(report: Report, service: Service, data: tuple[str, str], job: str, queued: int, streams: int) -> None:
    """Many queued jobs, then many open streams: what a request takes beside them."""
    began = time.perf_counter()
    for _ in range(queued):
        submit(service, *data, sampler="none", epochs=1)
    each_ms = 1000 * (time.perf_counter() - began) / queued
    seen = asyncio.run(
        crowd(service.client.base_url, {"list": "/jobs?limit=50"}, f"/jobs/{job}/events", 1, streams, 20, None)
    )
    rows = [
        [f"submitting one of {queued:,} jobs", f"{each_ms:.1f}"],
        [f"a page of jobs, {streams} streams open", f"{statistics.median(seen.milliseconds['list']):.1f}"],
    ]
    report.table("Requests, ms", ["", "ms"], rows)
    print(f"\nErrors: {dict(seen.errors) or 'none'}; {seen.lines:,} lines of events")
    report.figure("load_submit_ms", each_ms)
    report.figure("load_streams_errors_count", seen.errors.total())


def tail(taken: list[float]) -> tuple[float, float]:
    """The 99th percentile, and the slowest."""
    ordered = sorted(taken)
    return ordered[int(0.99 * (len(ordered) - 1))], ordered[-1]


def page_ms(service: Service) -> float:
    """Median of a page of the list of jobs."""
    taken = []
    for _ in range(20):
        began = time.perf_counter()
        service.client.get("/jobs?limit=50").raise_for_status()
        taken.append(1000 * (time.perf_counter() - began))
    return statistics.median(taken)


def main() -> None:
    """Print three tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=300, help="with clients (default: 300)")
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--queued", type=int, default=1000)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--finished", type=int, default=10_000)
    arguments = parser.parse_args()
    report = Report("load")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as cleanup:
        service = Service(Path(folder), COLT_TORCH_THREADS="1", OMP_NUM_THREADS="1")
        cleanup.callback(service.engine.dispose)
        cleanup.enter_context(service.client)
        cleanup.enter_context(service.running("worker"))
        api = psutil.Process(cleanup.enter_context(service.running("api")))
        until(lambda: service.answers("/readyz"))
        dataset, pool = register(service, 5_000, _TRAIN_OF_CLASS)
        done = submit(service, dataset, pool, sampler="colt", epochs=3, warmup_epochs=1, sample_interval=1)
        until(lambda: service.is_at(f"/jobs/{done}", "succeeded"), 0.2)

        job = submit(service, dataset, pool, sampler="none", epochs=100_000)
        until(lambda: _step(service, job) > 5, 0.2)
        beside_clients(report, service, api, done, job, arguments.clients, arguments.seconds)
        waiting(report, service, (dataset, pool), job, arguments.queued, arguments.streams)
        few_ms = page_ms(service)
        add_finished(service, done, arguments.finished)
        many_ms = page_ms(service)
        service.client.post(f"/jobs/{job}/cancel").raise_for_status()
    report.table(
        "A page of 50 jobs, median ms",
        ["jobs", "ms"],
        [[f"{arguments.queued:,}", f"{few_ms:.1f}"], [f"{arguments.queued + arguments.finished:,}", f"{many_ms:.1f}"]],
    )
    report.ratio("load_list_with_finished_over_without_time", many_ms / few_ms)
    report.close()


if __name__ == "__main__":
    main()
