"""Live events of jobs.

Each process has one poller that reads the database for all open streams. It runs only while there
are any.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

from fastapi.sse import ServerSentEvent

from api.http.threads import in_thread
from store.database import reading
from store.models import JobEvent
from store.repositories import events
from store.statuses import FINAL

log = logging.getLogger(__name__)
_BATCH = 500
CHECK_SECONDS = 30.0  # between checks that a stream's token is still valid
_End = str  # the job's status, or "deleted"


@dataclass(eq=False)
class _Follower:
    """An open stream: how far it has come, and what it has yet to send."""

    job_id: str
    seen: int  # id of the last event put into the queue
    stays: bool  # whether it waits for later events
    queue: asyncio.Queue[list[JobEvent] | _End] = field(default_factory=lambda: asyncio.Queue(maxsize=2))


class EventFeed:
    """Passes new events to followers, in batches. A follower that sends slowly delays no other."""

    def __init__(self, poll_seconds: float = 0.5) -> None:
        self._poll_seconds = poll_seconds
        self._followers: set[_Follower] = set()
        self._poller: asyncio.Task[None] | None = None
        self._wake = asyncio.Event()

    async def follow(
        self, job_id: str, after: int, is_allowed: Callable[[], Awaitable[bool]], *, stay: bool = True
    ) -> AsyncIterator[ServerSentEvent]:
        """The events of a job after the one with id `after`, then an `end` event.

        The stream ends early once `is_allowed` says no.

        Args:
            stay: wait for later events, until the job has ended.
        """
        follower = _Follower(job_id, after, stay)
        self._followers.add(follower)
        self._wake.set()
        if self.resting:
            self._poller = asyncio.create_task(self._poll(), name="job events")
        loop = asyncio.get_running_loop()
        check_at = loop.time() + CHECK_SECONDS
        try:
            while True:
                was_full = follower.queue.full()
                news: list[JobEvent] | _End = []
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout_at(check_at):
                        news = await follower.queue.get()
                if loop.time() >= check_at:
                    if not await is_allowed():
                        return
                    check_at = loop.time() + CHECK_SECONDS
                if was_full:
                    self._wake.set()
                if isinstance(news, str):
                    yield ServerSentEvent(event="end", data={"status": news})
                    return
                for event in news:
                    yield ServerSentEvent(id=str(event.id), event=event.kind, data=event.data)
        finally:
            self._followers.discard(follower)

    @property
    def resting(self) -> bool:
        """Whether there is no follower, so that the database is not polled."""
        return self._poller is None or self._poller.done()

    async def close(self) -> None:
        """Stop polling. Open streams end with their connections."""
        if self._poller is not None:
            self._poller.cancel()
            await asyncio.gather(self._poller, return_exceptions=True)

    async def _poll(self) -> None:
        away = False
        while self._followers:
            self._wake.clear()
            # Followers at the same event share one query. Those with a full queue are left out
            # until they have sent.
            places: defaultdict[tuple[str, int], list[_Follower]] = defaultdict(list)
            for follower in self._followers:
                if not follower.queue.full():
                    places[follower.job_id, follower.seen].append(follower)
            try:
                news = await in_thread(_read, set(places)) if places else {}
                away = False
            except Exception:
                if not away:  # once per outage
                    log.warning("cannot read job events; still trying", exc_info=True)
                away, news = True, {}
            more = False
            for place, (found, status) in news.items():
                for follower in places[place]:
                    ended = status in FINAL or status == "deleted"
                    end = status if ended or not follower.stays else None
                    if found:
                        follower.seen = found[-1].id
                        follower.queue.put_nowait(found)
                        more = more or len(found) == _BATCH or end is not None
                    elif end is not None:
                        follower.queue.put_nowait(end)
                        self._followers.discard(follower)
            if not more:
                await self._pause()
            else:
                await asyncio.sleep(0.01)

    async def _pause(self) -> None:
        """Wait until the next poll is due, or a new stream opens."""
        try:
            await asyncio.wait_for(self._wake.wait(), self._poll_seconds)
        except TimeoutError:
            return


def _read(places: set[tuple[str, int]]) -> dict[tuple[str, int], tuple[list[JobEvent], str]]:
    """New events after each (job, last seen event), and the job's status, or "deleted"."""
    with reading() as session:
        # Statuses first, in their own transaction: when one is final, all events of its job can be
        # read.
        statuses = events.statuses(session, {job_id for job_id, _ in places})
    with reading() as session:
        news = {}
        for job_id, seen in places:
            news[job_id, seen] = (events.after(session, job_id, seen, _BATCH), statuses.get(job_id, "deleted"))
        return news
