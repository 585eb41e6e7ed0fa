# Written by `make client` from the module of the same name in _async/. Change that one.
"""Labelled image data sets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Unpack

from colt_client._sync.registered import DataSource, Registered, register
from colt_client._sync.transport import Transport
from colt_client.bars import Progress
from colt_client.models import DatasetInfo, DatasetSample

if TYPE_CHECKING:
    from colt_client.requests import NewDataset


class Dataset(Registered[DatasetInfo]):
    """A data set."""

    noun, path, answer = "data set", "/datasets", DatasetInfo

    def samples(self, *, split: str | None = None, label: int | None = None) -> Iterator[DatasetSample]:
        """Its images, without their pixels, of one part or one class if these are given."""
        return self._transport.items(DatasetSample, f"{self._at}/samples", split=split, label=label)


class Datasets:
    """`client.datasets`"""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def register(
        self,
        source: DataSource,
        *,
        name: str | None = None,
        progress: Progress = True,
        **settings: Unpack[NewDataset],
    ) -> Dataset:
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
        accepted = register(self._transport, "/datasets", source, name, settings, progress)
        return self.get(accepted.id)

    def get(self, id: str) -> Dataset:
        return Dataset.of(self._transport, id)

    def list(self, *, status: str | None = None, limit: int | None = None) -> Iterator[Dataset]:
        """The newest `limit` data sets, or all, newest first."""
        for info in self._transport.items(DatasetInfo, "/datasets", limit, status=status):
            yield Dataset(self._transport, info)

    def find(self, name: str) -> Dataset | None:
        """The newest one of this name that is ready."""
        for dataset in self.list(status="ready"):
            if dataset.name == name:
                return dataset
        return None
