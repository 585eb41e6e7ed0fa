"""Many simultaneous clients of the service, like dashboards and scripts."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import Any

import httpx
import psutil


@dataclass(frozen=True)
class Events:
    """A stream of events: its path, and the event after which it begins."""

    path: str
    after: int


@dataclass
class Seen:
    """What clients observed."""

    milliseconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: Counter[str] = field(default_factory=Counter)
    events: int = 0
    memory_mib: list[float] = field(default_factory=list)


def connect(base_url: str, token: str) -> httpx.AsyncClient:
    """A client without a limit on connections."""
    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.AsyncClient(base_url=base_url, timeout=30, limits=limits, trust_env=False, headers=headers)


async def ask(client: httpx.AsyncClient, path: str, what: str, until_time: float, seen: Seen) -> None:
    """Repeat a request once a second, or at the rate of the answers.

    Clients begin at random times.
    """
    await asyncio.sleep(random.random())
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


async def follow(client: httpx.AsyncClient, events: Events, seen: Seen, heard: Callable[[int], None]) -> None:
    """Read a stream of events until cancelled, and pass on each event's id."""
    try:
        headers = {"Last-Event-ID": str(events.after)}
        async with client.stream("GET", events.path, headers=headers, timeout=None) as stream:
            if stream.status_code != httpx.codes.OK:
                seen.errors[f"events: {stream.status_code}"] += 1
            async for line in stream.aiter_lines():
                if line.startswith("id: "):
                    seen.events += 1
                    heard(int(line[4:]))
        seen.errors["events: ended"] += 1
    except httpx.HTTPError as error:
        seen.errors[f"events: {type(error).__name__}"] += 1


async def crowd(
    base_url: str,
    token: str,
    paths: dict[str, str],
    each: int,
    events: Events,
    streams: int,
    abusers: Sequence[Callable[[float], Coroutine[Any, Any, None]]],
    seconds: float,
    api: psutil.Process,
    seen: Seen,
) -> None:
    """Run `each` clients for each path, `streams` that follow events, and the abusers.

    The API's memory is noted at the beginning and the end.
    """
    end = time.perf_counter() + seconds
    async with connect(base_url, token) as client, asyncio.TaskGroup() as tasks:
        for abuser in abusers:
            tasks.create_task(abuser(end))
        followers = [tasks.create_task(follow(client, events, seen, lambda _: None)) for _ in range(streams)]
        asking = [
            tasks.create_task(ask(client, path, what, end, seen)) for what, path in paths.items() for _ in range(each)
        ]
        seen.memory_mib.append(api.memory_info().rss / 2**20)
        await asyncio.wait(asking)
        seen.memory_mib.append(api.memory_info().rss / 2**20)
        for follower in followers:
            follower.cancel()


def hold_streams(caller: Connection, base_url: str, token: str, events: Events, streams: int, last: int) -> None:
    """Open `streams` streams, and send the seconds until all have delivered event `last`.

    After the caller's next message, send the number of errors. Run this in a process of its own:
    reading so many events would delay other clients of the same loop.
    """
    asyncio.run(_hold_streams(caller, base_url, token, events, streams, last))


async def _hold_streams(caller: Connection, base_url: str, token: str, events: Events, streams: int, last: int) -> None:
    seen, began = Seen(), time.perf_counter()
    waiting = streams

    def heard(event_id: int) -> None:
        nonlocal waiting
        if event_id == last:
            waiting -= 1
            if not waiting:
                caller.send(time.perf_counter() - began)

    async with connect(base_url, token) as client, asyncio.TaskGroup() as tasks:
        followers = [tasks.create_task(follow(client, events, seen, heard)) for _ in range(streams)]
        await asyncio.to_thread(caller.recv)
        caller.send(seen.errors.total())
        for follower in followers:
            follower.cancel()
