"""Labelled image data sets."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Unpack

from colt_client._async.registered import AsyncRegistered, DataSource, register
from colt_client._async.transport import AsyncTransport
from colt_client.bars import Progress
from colt_client.models import DatasetInfo, DatasetSample

if TYPE_CHECKING:
    from colt_client.requests import NewDataset


class AsyncDataset(AsyncRegistered[DatasetInfo]):
    """A data set."""

    noun, path, answer = "data set", "/datasets", DatasetInfo

    def samples(self, *, split: str | None = None, label: int | None = None) -> AsyncIterator[DatasetSample]:
        """Its images, without their pixels, of one part or one class if these are given."""
        return self._transport.items(DatasetSample, f"{self._at}/samples", split=split, label=label)


class AsyncDatasets:
    """`client.datasets`"""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def register(
        self,
        source: DataSource,
        *,
        name: str | None = None,
        progress: Progress = True,
        **settings: Unpack[NewDataset],
    ) -> AsyncDataset:
        """Register a data set. It can be used when it is ready: `wait()` for that.

        Args:
            source: a path of this machine. A folder is sent as an uncompressed tar, a file as it
                is. Or a source as the API takes it: `{"kind": "path", "path": "..."}` is on the
                server.
            name: that of the file or folder if it is not given.
            progress: of the upload.
            settings: such as `image_size=32` and `long_tail={"profile": "exp"}`.

        Raises:
            ValueError: there is nothing to send.
            Invalid: a setting is wrong.
        """
        accepted = await register(self._transport, "/datasets", source, name, settings, progress)
        return await self.get(accepted.id)

    async def get(self, id: str) -> AsyncDataset:
        return await AsyncDataset.of(self._transport, id)

    async def list(self, *, status: str | None = None, limit: int | None = None) -> AsyncIterator[AsyncDataset]:
        """The newest `limit` data sets, or all, newest first."""
        async for info in self._transport.items(DatasetInfo, "/datasets", limit, status=status):
            yield AsyncDataset(self._transport, info)

    async def find(self, name: str) -> AsyncDataset | None:
        """The newest one of this name that is ready."""
        async for dataset in self.list(status="ready"):
            if dataset.name == name:
                return dataset
        return None
