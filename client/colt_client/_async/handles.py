"""What has a status: it can be looked at again, waited for and deleted."""

from __future__ import annotations

import time
from typing import ClassVar, Generic, Literal, Protocol, Self, TypeVar

from colt_client._async import io
from colt_client._async.transport import OUTAGE_SECONDS, AsyncTransport
from colt_client.bars import Bar, Progress
from colt_client.base import Model
from colt_client.errors import Failed

_SUCCESS, _FAILURE = {"ready", "succeeded"}, {"failed", "cancelled"}
_POLL_SECONDS, _LATER_SECONDS = 0.25, 2.0  # the first ten seconds, and after them


class HasStatus(Protocol):
    """What all that has a status answers."""

    @property
    def id(self) -> str: ...

    @property
    def status(self) -> str: ...


Info = TypeVar("Info", bound=HasStatus)


class AsyncHandle(Generic[Info]):
    """Something on the server that has a status.

    Attributes:
        info: what the server said of it last; `refresh` asks again.
    """

    noun: ClassVar[str]
    path: ClassVar[str]
    failure: ClassVar[type[Failed]] = Failed
    answer: ClassVar[type[Model]]
    unit: ClassVar[Literal["epoch", "run", ""]] = ""

    def __init__(self, transport: AsyncTransport, info: Info) -> None:
        self._transport = transport
        self.info = info

    @property
    def id(self) -> str:
        return self.info.id

    @property
    def status(self) -> str:
        return self.info.status

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.id} {self.status}>"

    @property
    def _at(self) -> str:
        return f"{self.path}/{self.id}"

    @classmethod
    async def of(cls, transport: AsyncTransport, id: str) -> Self:
        """Ask for the one with this id.

        Raises:
            NotFound
        """
        return cls(transport, await transport.get(cls.answer, f"{cls.path}/{id}"))  # type: ignore[arg-type]

    async def refresh(self) -> Self:
        """Ask the server again; `info` is its answer."""
        return await self._look(None)

    async def wait(self, *, timeout: float | None = None, progress: Progress = True) -> Self:
        """Wait until it has succeeded. A server that restarts meanwhile does no harm.

        Args:
            timeout: seconds; None waits as long as it takes.
            progress: a bar on stderr; False shows nothing, a function gets (done, total).

        Raises:
            Failed: it failed or was cancelled, with the server's reason.
            TimeoutError: it is not done. It continues on the server.
            ConnectionLost: the server gave no answer for ten minutes.
        """
        began = time.monotonic()
        with Bar(progress, self._title(), self.unit) as bar:
            while True:
                await self._look(OUTAGE_SECONDS)
                done, total, note = self._progress()
                bar.show(done, total, note)
                if self.status in _SUCCESS:
                    return self
                if self.status in _FAILURE:
                    raise self.failure(self.noun, self.id, self.status, self._reason())
                waited = time.monotonic() - began
                if timeout is not None and waited >= timeout:
                    raise TimeoutError(f"{self.noun} {self.id} is {self.status} after {timeout:g} s")
                pause = _POLL_SECONDS if waited < 10 else _LATER_SECONDS
                await io.sleep(pause if timeout is None else min(pause, timeout - waited))

    async def delete(self) -> None:
        """Delete it on the server.

        Raises:
            Conflict: it is in use.
        """
        await self._transport.delete(self._at)

    async def _look(self, patience: float | None) -> Self:
        self.info = await self._transport.get(self.answer, self._at, patience)  # type: ignore[assignment]
        return self

    def _title(self) -> str:
        return self.noun

    def _progress(self) -> tuple[float, float | None, str]:
        """What is done, of how much, and a word beside it."""
        return 0, None, self.status

    def _reason(self) -> str | None:
        return getattr(self.info, "error", None)
