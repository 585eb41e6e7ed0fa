"""Pools of unlabelled images, most of them out of distribution."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Unpack

from colt_client._async.registered import AsyncRegistered, DataSource, register
from colt_client._async.transport import AsyncTransport
from colt_client.bars import Progress
from colt_client.models import OodPoolInfo, PoolSample
from colt_client.requests import NewOodPool


class AsyncOodPool(AsyncRegistered[OodPoolInfo]):
    """An OOD pool."""

    noun, path, answer = "OOD pool", "/ood-pools", OodPoolInfo

    def samples(self) -> AsyncIterator[PoolSample]:
        """Its images, without their pixels."""
        return self._transport.items(PoolSample, f"{self._at}/samples")


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

    async def list(self, *, status: str | None = None) -> AsyncIterator[AsyncOodPool]:
        """All pools, newest first."""
        async for info in self._transport.items(OodPoolInfo, "/ood-pools", status=status):
            yield AsyncOodPool(self._transport, info)

    async def find(self, name: str) -> AsyncOodPool | None:
        """The newest one of this name that is ready."""
        async for pool in self.list(status="ready"):
            if pool.name == name:
                return pool
        return None
