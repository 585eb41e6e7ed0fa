"""What data sets, OOD pools and backbones have in common: they are registered from a source."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from colt_client._async.handles import AsyncHandle, Info
from colt_client._async.transport import API, AsyncTransport
from colt_client._async.uploads import AsyncUploads
from colt_client.bars import Progress
from colt_client.calls import Call
from colt_client.errors import RegistrationFailed
from colt_client.models import Accepted, DatasetInfo, OodPoolInfo

# A path of this machine, the id of an upload, or a source as the API takes it.
DataSource = str | os.PathLike[str] | Mapping[str, Any]


class AsyncRegistered(AsyncHandle[Info]):
    """A data set or an OOD pool."""

    failure = RegistrationFailed

    @property
    def name(self) -> str:
        return self._data.name

    @property
    def _data(self) -> DatasetInfo | OodPoolInfo:
        return cast("DatasetInfo | OodPoolInfo", self.info)

    async def image(self, index: int) -> bytes:
        """One image, as PNG."""
        answer = await self._transport.send(Call("GET", f"{API}{self._at}/samples/{index}/image"))
        return answer.content

    def _title(self) -> str:
        return f"Registering {self.name}"

    def _progress(self) -> tuple[float, float | None, str]:
        return (1.0 if self.status == "ready" else self._data.progress), 1.0, self.status

    def _reason(self) -> str | None:
        return None if self._data.problem is None else self._data.problem.detail


async def register(
    transport: AsyncTransport,
    path: str,
    source: DataSource,
    name: str | None,
    settings: Mapping[str, Any],
    progress: Progress,
) -> Accepted:
    """Upload the source if it is of this machine, and register it.

    Raises:
        ValueError: there is no such file or folder, or no name can be made of the source.
    """
    if isinstance(source, Mapping):
        wanted = dict(source)
        name = name or wanted.get("name")
        if name is None:
            raise ValueError(f"give a name: register({source!r}, name=...)")
    else:
        name = name or _name(Path(source))
        upload = await AsyncUploads(transport).send(source, progress=progress)
        wanted = {"kind": "upload", "upload_id": upload.id}
    body = {"name": name, "source": wanted, **settings}
    return await transport.post(Accepted, path, body, repeatable=False)


def _name(path: Path) -> str:
    resolved = path.resolve()
    return resolved.name if resolved.is_dir() else resolved.name.partition(".")[0] or resolved.name
