"""Pools of unlabelled images, most of them out of distribution."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Unpack

from colt_client._async.handles import AsyncHandle
from colt_client._async.registered import AsyncRegistered, DataSource, register
from colt_client._async.transport import AsyncTransport
from colt_client.bars import Progress
from colt_client.models import Accepted, OodPoolInfo, PoolCheckInfo, PoolCheckWithResult, PoolSample

if TYPE_CHECKING:
    from colt_client.requests import NewOodPool, NewPoolCheck


class AsyncOodPool(AsyncRegistered[OodPoolInfo]):
    """An OOD pool."""

    noun, path, answer = "OOD pool", "/ood-pools", OodPoolInfo

    def samples(self) -> AsyncIterator[PoolSample]:
        """Its images, without their pixels."""
        return self._transport.items(PoolSample, f"{self._at}/samples")

    async def check(self, **wanted: Unpack[NewPoolCheck]) -> AsyncPoolCheck:
        """Ask whether it can help a data set. Asking for the same again answers the check there is.
        `wait()` for its result.

        Args:
            wanted: `dataset_id`, `checkpoint_id` and `budget`.
        """
        accepted = await self._transport.post(Accepted, f"{self._at}/check", wanted, repeatable=True)
        path = f"{self._at}/checks/{accepted.id}"
        return AsyncPoolCheck(self._transport, await self._transport.get(PoolCheckWithResult, path))

    def checks(self) -> AsyncIterator[PoolCheckInfo]:
        """Its checks, newest first, without their results."""
        return self._transport.items(PoolCheckInfo, f"{self._at}/checks")


class AsyncPoolCheck(AsyncHandle[PoolCheckWithResult]):
    """A check of a pool against a data set. `info.result` has it, once it has succeeded."""

    noun, answer = "pool check", PoolCheckWithResult

    @property
    def _at(self) -> str:
        return f"/ood-pools/{self.info.ood_pool_id}/checks/{self.id}"

    async def cancel(self) -> None:
        """Cancel it, while it is queued or running.

        Raises:
            Conflict: it has ended.
        """
        await self._transport.cancel(self._at)

    def _title(self) -> str:
        return "Checking the pool"


class AsyncOodPools:
    """`client.ood_pools`"""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def register(
        self,
        source: DataSource,
        *,
        name: str | None = None,
        progress: Progress = True,
        **settings: Unpack[NewOodPool],
    ) -> AsyncOodPool:
        """Register an OOD pool. It can be used when it is ready: `wait()` for that.

        Args:
            source: a path of this machine. A folder is sent as an uncompressed tar, a file as it
                is. Or a source as the API takes it: `{"kind": "path", "path": "..."}` is on the
                server.
            name: that of the file or folder if it is not given.
            progress: of the upload.
            settings: such as `image_size=32`.

        Raises:
            ValueError: there is nothing to send.
            Invalid: a setting is wrong.
        """
        accepted = await register(self._transport, "/ood-pools", source, name, settings, progress)
        return await self.get(accepted.id)

    async def get(self, id: str) -> AsyncOodPool:
        return await AsyncOodPool.of(self._transport, id)

    async def list(self, *, status: str | None = None, limit: int | None = None) -> AsyncIterator[AsyncOodPool]:
        """The newest `limit` pools, or all, newest first."""
        async for info in self._transport.items(OodPoolInfo, "/ood-pools", limit, status=status):
            yield AsyncOodPool(self._transport, info)

    async def find(self, name: str) -> AsyncOodPool | None:
        """The newest one of this name that is ready."""
        async for pool in self.list(status="ready"):
            if pool.name == name:
                return pool
        return None
