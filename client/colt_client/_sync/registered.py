# Written by `make client` from the module of the same name in _async/. Change that one.
"""What data sets, OOD pools and backbones have in common: they are registered from a source."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from colt_client._sync.handles import Handle, Info
from colt_client._sync.transport import API, Transport
from colt_client._sync.uploads import Uploads
from colt_client.bars import Progress
from colt_client.calls import Call
from colt_client.errors import RegistrationFailed
from colt_client.models import Accepted, DatasetInfo, OodPoolInfo

# A path of this machine, the id of an upload, or a source as the API takes it.
DataSource = str | os.PathLike[str] | Mapping[str, Any]


class Registered(Handle[Info]):
    """A data set or an OOD pool."""

    failure = RegistrationFailed

    @property
    def name(self) -> str:
        return self._data.name

    @property
    def _data(self) -> DatasetInfo | OodPoolInfo:
        return cast("DatasetInfo | OodPoolInfo", self.info)

    def image(self, index: int) -> bytes:
        """One image, as PNG."""
        answer = self._transport.send(Call("GET", f"{API}{self._at}/samples/{index}/image"))
        return answer.content

    def _title(self) -> str:
        return f"Registering {self.name}"

    def _progress(self) -> tuple[float, float | None, str]:
        return (1.0 if self.status == "ready" else self._data.progress), 1.0, self.status

    def _reason(self) -> str | None:
        return None if self._data.problem is None else self._data.problem.detail


def register(
    transport: Transport,
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
        upload = Uploads(transport).send(source, progress=progress)
        wanted = {"kind": "upload", "upload_id": upload.id}
    body = {"name": name, "source": wanted, **settings}
    return transport.post(Accepted, path, body, repeatable=False)


def _name(path: Path) -> str:
    resolved = path.resolve()
    return resolved.name if resolved.is_dir() else resolved.name.partition(".")[0] or resolved.name
