"""The cost of clients for the service and for a training job, with real processes.

    python -m benchmarks.load

A job trains on one thread, in turns:
- alone;
- beside clients with a token that ask once a second, like a dashboard. They list jobs, page
  through a round's OOD images by tailness, or follow the job's events;
- with four abusers among them, who have a token of their own (`--no-abusers` leaves them out). Two
  upload at ten bytes a second. One compares ten jobs of 50,000 steps, and one lists 1,000 data
  sets, as fast as the answers come;
- beside busy loops with the processor time that everything except the job took beside the clients:
  theirs, the service's, the database's. Time that is lost here too is due to the machine, not
  to the service.

Then 1,000 jobs are queued and 200 event streams opened. The list of jobs is timed with few and with
10,000 finished jobs. Default are SQLite and files. Use --database-url and --broker-url for an empty
Postgres and Redis.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import multiprocessing
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil
from sqlalchemy import func, insert, select

from benchmarks.abuse import Abusers, prepare
from benchmarks.crowd import Events, Seen, crowd, hold_streams
from benchmarks.report import Report
from benchmarks.service import Service, register, until
from store.database import reading, writing
from store.models import Job, JobEvent, new_id

_TRAIN_OF_CLASS = 128  # 512 training images: an epoch is one step of the preset `cpu-small`
_LONGEST_SECONDS = 300  # until all streams have caught up
_SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Part:
    """One part of a turn: the job's steps per second, and the cores that each process used.

    `others` are the cores that everything except the job used, its database's too.
    """

    rate: float
    cores: dict[str, float]
    others: float


def measure(service: Service, job: str, processes: dict[str, psutil.Process], what: Callable[[], None]) -> Part:
    """Measure the job while `what` runs."""
    before, busy, step, began = _cpu_seconds(processes), _busy_seconds(), _step(service, job), time.perf_counter()
    what()
    steps, took = _step(service, job) - step, time.perf_counter() - began
    all_cores = (_busy_seconds() - busy) / took
    cores = {name: (now - before[name]) / took for name, now in _cpu_seconds(processes).items()}
    cores["worker"] -= cores["trainer"]
    cores["clients"] -= sum(cores.values()) - cores["clients"]  # this process is the parent of all others
    return Part(steps / took, cores, all_cores - cores["trainer"])


def _busy_seconds() -> float:
    """Processor seconds of the machine."""
    times = psutil.cpu_times()
    return sum(times) - times.idle - times.iowait - times.guest - times.guest_nice  # guests are in user and nice too


def _step(service: Service, job: str) -> int:
    step: int = service.client.get(f"/jobs/{job}").raise_for_status().json()["progress"]["step"]
    return step


def submit(service: Service, dataset: str, pool: str, **config: object) -> str:
    """Submit a job of the preset `cpu-small` without evaluations. Returns its id."""
    body = {"dataset_id": dataset, "config": {"preset": "cpu-small", **config}, "evaluations": []}
    if config.get("sampler") != "none":  # which reads no pool
        body["ood_pool_id"] = pool
    return service.post("/jobs", body)


def add_finished(service: Service, like: str, count: int) -> None:
    """Add rows of finished jobs, as copies of one."""
    with reading(service.engine) as session:
        row = session.get_one(Job, like)
        values = {column.key: getattr(row, column.key) for column in Job.__mapper__.column_attrs}
    with writing(service.engine) as session:
        session.execute(insert(Job), [{**values, "id": new_id(), "name": f"run {number}"} for number in range(count)])


def _cpu_seconds(processes: dict[str, psutil.Process]) -> dict[str, float]:
    """Processor seconds of each process and its children."""
    totals = dict.fromkeys(processes, 0.0)
    for name, process in processes.items():
        for each in (process, *process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                times = each.cpu_times()
                totals[name] += times.user + times.system
    return totals


def spin(share: float) -> None:
    """Keep a share of a core busy, without the service."""
    while True:
        began = time.perf_counter()
        while time.perf_counter() - began < 0.01 * share:
            pass
        time.sleep(0.01 * (1 - share))


def beside_clients(
    report: Report,
    service: Service,
    programs: dict[str, psutil.Process],
    done: str,
    job: str,
    token: str,
    abusers: Abusers | None,
    clients: int,
    seconds: float,
    turns: int,
) -> None:
    """Measure the job alone, beside clients and beside a busy loop, in turns."""
    followers = clients // 5
    beyond_share = [] if abusers is None else abusers.all()
    paths = {"list": "/jobs?limit=50", "tailness": f"/jobs/{done}/ood-tailness?limit=100"}
    each = (clients - followers - len(beyond_share)) // len(paths)
    trainer = next(child for child in programs["worker"].children(recursive=True) if job in " ".join(child.cmdline()))
    during = partial(measure, service, job, {**programs, "trainer": trainer, "clients": psutil.Process()})
    seen, parts = Seen(), []
    for _ in range(turns):
        alone = during(lambda: time.sleep(seconds))
        events = Events(f"/jobs/{job}/events", count_events(service, job)[1])
        asking = crowd(
            *(service.base_url, token, paths, each, events, followers, beyond_share, seconds), programs["api"], seen
        )
        beside = during(partial(asyncio.run, asking))
        count = math.ceil(beside.others)
        loops = [_SPAWN.Process(target=spin, args=(beside.others / count,), daemon=True) for _ in range(count)]
        for loop in loops:
            loop.start()
        parts.append((alone, beside, during(lambda: time.sleep(seconds))))
        for loop in loops:
            loop.kill()
    report.table(
        f"{turns} turns of {seconds:g} s each: the job alone, beside {clients} clients, beside an equally busy loop",
        ["steps/s", "beside", "loop", "its cores", "beside", "loop", "API's", "worker's", "clients'", "all others'"],
        [
            [f"{one.rate:.2f}" for one in turn]
            + [f"{one.cores['trainer']:.2f}" for one in turn]
            + [f"{turn[1].cores[name]:.2f}" for name in ("api", "worker", "clients")]
            + [f"{turn[1].others:.2f}"]
            for turn in parts
        ],
    )
    rows = [
        [what, str(len(taken)), *(f"{value:.0f}" for value in (statistics.median(taken), *tail(taken)))]
        for what, taken in seen.milliseconds.items()
    ]
    report.table("Requests of the clients", ["request", "answers", "median ms", "99 %", "slowest"], rows)
    print(f"\nErrors: {dict(seen.errors) or 'none'}; {seen.events:,} events")
    if abusers is not None:
        print(f"What abusers were answered: {dict(abusers.answers)}")
    print(f"The API's memory: {', '.join(f'{mib:.0f}' for mib in seen.memory_mib)} MiB")
    # Ratios are taken within a turn, since the machine's speed drifts.
    over_alone = statistics.median(beside.rate / alone.rate for alone, beside, _ in parts)
    over_loop = statistics.median(beside.rate / loop.rate for _, beside, loop in parts)
    kept = statistics.median(beside.cores["trainer"] / loop.cores["trainer"] for _, beside, loop in parts)
    report.ratio("load_job_beside_clients_over_alone_steps", over_alone)
    report.ratio("load_job_beside_clients_over_busy_loop_steps", over_loop)
    report.ratio("load_job_beside_clients_over_busy_loop_cores", kept)
    report.ratio("load_api_memory_at_end_over_first_turn", seen.memory_mib[-1] / seen.memory_mib[1])
    report.figure("load_errors_count", seen.errors.total())


def count_events(service: Service, job: str) -> tuple[int, int]:
    """The number of a job's events, and the id of the last."""
    with reading(service.engine) as session:
        statement = select(func.count(), func.max(JobEvent.id)).where(JobEvent.job_id == job)
        count, last = session.execute(statement).one()
    return count, last


def queue(report: Report, service: Service, data: tuple[str, str], queued: int) -> None:
    """Measure the time to submit one of many jobs."""
    began = time.perf_counter()
    for _ in range(queued):
        submit(service, *data, sampler="none", epochs=1)
    report.figure("load_submit_ms", 1000 * (time.perf_counter() - began) / queued)


def beside_streams(report: Report, service: Service, job: str, token: str, streams: int) -> None:
    """Measure a page beside many open streams, which first receive all earlier events."""
    count, last = count_events(service, job)
    without_ms = page_ms(service)
    mine, theirs = _SPAWN.Pipe()
    arguments = (theirs, service.base_url, token, Events(f"/jobs/{job}/events", 0), streams, last)
    holder = _SPAWN.Process(target=hold_streams, args=arguments, daemon=True)
    holder.start()
    if not mine.poll(_LONGEST_SECONDS):
        raise TimeoutError(f"not all of {streams} streams delivered the last of {count} events in {_LONGEST_SECONDS} s")
    caught_up = mine.recv()
    with_ms = page_ms(service)
    mine.send("end")
    errors = mine.recv()
    holder.join()
    print(
        f"\n{streams} streams from the first of {count:,} events: caught up in {caught_up:.1f} s, with {errors} errors"
    )
    print(f"A page of jobs: {without_ms:.1f} ms without, {with_ms:.1f} ms with them open")
    report.figure("load_streams_caught_up_seconds", caught_up)
    report.figure("load_streams_errors_count", errors)
    report.ratio("load_list_with_streams_over_without_time", with_ms / without_ms)


def tail(taken: list[float]) -> tuple[float, float]:
    """The 99th percentile and the slowest."""
    ordered = sorted(taken)
    return ordered[int(0.99 * (len(ordered) - 1))], ordered[-1]


def page_ms(service: Service) -> float:
    """Median milliseconds of a page of the list of jobs."""
    taken = []
    for _ in range(200):
        began = time.perf_counter()
        service.client.get("/jobs?limit=50").raise_for_status()
        taken.append(1000 * (time.perf_counter() - began))
    return statistics.median(taken)


def main() -> None:
    """Print the tables and the other results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=60, help="seconds of each part of a turn (default: 60)")
    parser.add_argument("--clients", type=int, default=50, help="abusers included (default: 50)")
    parser.add_argument("--no-abusers", action="store_true")
    parser.add_argument("--queued", type=int, default=1000)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--finished", type=int, default=10_000)
    parser.add_argument("--database-url", help="an empty Postgres database instead of SQLite")
    parser.add_argument("--broker-url", help="a Redis instead of files")
    arguments = parser.parse_args()
    urls = {"COLT_DATABASE_URL": arguments.database_url, "COLT_BROKER_URL": arguments.broker_url}
    settings = {name: url for name, url in urls.items() if url}
    report = Report("load")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as cleanup:
        service = Service(Path(folder), COLT_TORCH_THREADS="1", OMP_NUM_THREADS="1", **settings)
        cleanup.callback(service.engine.dispose)
        cleanup.enter_context(service.client)
        token, theirs = service.add_token("honest"), service.add_token("abusers")
        service.client.headers["Authorization"] = f"Bearer {token}"
        api = psutil.Process(cleanup.enter_context(service.running("api")))
        with service.running("worker") as worker:
            until(lambda: service.answers("/readyz"))
            data = register(service, 5_000, _TRAIN_OF_CLASS)
            done = submit(service, *data, sampler="colt", epochs=3, warmup_epochs=1, sample_interval=1)
            until(lambda: service.is_at(f"/jobs/{done}", "succeeded"), 0.2)
            abusers = None
            if not arguments.no_abusers:
                abusers = Abusers(service.base_url, theirs, prepare(service, data, submit), Counter())
                until(lambda: not service.waiting(), 0.2)
            job = submit(service, *data, sampler="none", epochs=100_000)
            until(lambda: _step(service, job) > 5, 0.2)
            programs = {"api": api, "worker": psutil.Process(worker)}
            how = (token, abusers, arguments.clients, arguments.seconds, arguments.turns)
            beside_clients(report, service, programs, done, job, *how)
            queue(report, service, data, arguments.queued)
            beside_streams(report, service, job, token, arguments.streams)
        few_ms = page_ms(service)
        add_finished(service, done, arguments.finished)
        many_ms = page_ms(service)
    report.table(
        "A page of 50 jobs, median ms",
        ["jobs", "ms"],
        [[f"{arguments.queued:,}", f"{few_ms:.1f}"], [f"{arguments.queued + arguments.finished:,}", f"{many_ms:.1f}"]],
    )
    report.ratio("load_list_with_finished_over_without_time", many_ms / few_ms)
    report.close()


if __name__ == "__main__":
    main()
