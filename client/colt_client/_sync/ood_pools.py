# Written by `make client` from the module of the same name in _async/. Change that one.
"""Pools of unlabelled images, most of them out of distribution."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Unpack

from colt_client._sync.handles import Handle
from colt_client._sync.registered import DataSource, Registered, register
from colt_client._sync.transport import Transport
from colt_client.bars import Progress
from colt_client.models import Accepted, OodPoolInfo, PoolCheckInfo, PoolCheckWithResult, PoolSample

if TYPE_CHECKING:
    from colt_client.requests import NewOodPool, NewPoolCheck


class OodPool(Registered[OodPoolInfo]):
    """An OOD pool."""

    noun, path, answer = "OOD pool", "/ood-pools", OodPoolInfo

    def samples(self) -> Iterator[PoolSample]:
        """Its images, without their pixels."""
        return self._transport.items(PoolSample, f"{self._at}/samples")

    def check(self, **wanted: Unpack[NewPoolCheck]) -> PoolCheck:
        """Ask whether it can help a data set. Asking for the same again answers the check there is.
        `wait()` for its result.

        Args:
            wanted: `dataset_id`, `checkpoint_id` and `budget`.
        """
        accepted = self._transport.post(Accepted, f"{self._at}/check", wanted, repeatable=True)
        path = f"{self._at}/checks/{accepted.id}"
        return PoolCheck(self._transport, self._transport.get(PoolCheckWithResult, path))

    def checks(self) -> Iterator[PoolCheckInfo]:
        """Its checks, newest first, without their results."""
        return self._transport.items(PoolCheckInfo, f"{self._at}/checks")


class PoolCheck(Handle[PoolCheckWithResult]):
    """A check of a pool against a data set. `info.result` has it, once it has succeeded."""

    noun, answer = "pool check", PoolCheckWithResult

    @property
    def _at(self) -> str:
        return f"/ood-pools/{self.info.ood_pool_id}/checks/{self.id}"

    def cancel(self) -> None:
        """Cancel it, while it is queued or running.

        Raises:
            Conflict: it has ended.
        """
        self._transport.cancel(self._at)

    def _title(self) -> str:
        return "Checking the pool"


class OodPools:
    """`client.ood_pools`"""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def register(
        self,
        source: DataSource,
        *,
        name: str | None = None,
        progress: Progress = True,
        **settings: Unpack[NewOodPool],
    ) -> OodPool:
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
        accepted = register(self._transport, "/ood-pools", source, name, settings, progress)
        return self.get(accepted.id)

    def get(self, id: str) -> OodPool:
        return OodPool.of(self._transport, id)

    def list(self, *, status: str | None = None, limit: int | None = None) -> Iterator[OodPool]:
        """The newest `limit` pools, or all, newest first."""
        for info in self._transport.items(OodPoolInfo, "/ood-pools", limit, status=status):
            yield OodPool(self._transport, info)

    def find(self, name: str) -> OodPool | None:
        """The newest one of this name that is ready."""
        for pool in self.list(status="ready"):
            if pool.name == name:
                return pool
        return None
