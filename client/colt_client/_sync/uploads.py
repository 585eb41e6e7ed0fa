# Written by `make client` from the module of the same name in _async/. Change that one.
"""Uploads: files to register data sets and OOD pools from."""

from __future__ import annotations

import os
from collections.abc import Iterator

from colt_client._sync import io
from colt_client._sync.transport import API, Transport, read
from colt_client.bars import Bar, Progress
from colt_client.models import UploadInfo
from colt_client.sources import Source, source_of


class Uploads:
    """`client.uploads`"""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def send(self, path: str | os.PathLike[str], *, progress: Progress = True) -> UploadInfo:
        """Upload a file as it is, or a folder as an uncompressed tar. Nothing is written on this
        machine, and little memory is needed.

        Args:
            path: on this machine. In a folder, names that begin with a dot are left out.
            progress: a bar on stderr; False shows nothing, a function gets (bytes sent, all bytes).

        Raises:
            ValueError: there is nothing to send, or it changed meanwhile.
            NoRoom, TooLarge: the server takes no more bytes.
            ConnectionLost: an upload cannot be resumed. One that broke off before its end is begun
                again, as long as calls are repeated.
        """
        return self.send_source(io.run(lambda: source_of(path)), progress=progress)

    def send_source(self, source: Source, *, progress: Progress = True) -> UploadInfo:
        """`send`, of what was looked at before."""
        with Bar(progress, f"Uploading {source.filename}", "B") as bar:
            answer = self._transport.upload(f"{API}/uploads", source, bar.show)
        upload: UploadInfo = read(UploadInfo, answer)
        return upload

    def list(self) -> Iterator[UploadInfo]:
        """All uploads, newest first."""
        return self._transport.items(UploadInfo, "/uploads")

    def get(self, id: str) -> UploadInfo:
        return self._transport.get(UploadInfo, f"/uploads/{id}")

    def delete(self, id: str) -> None:
        """Delete the file. What was registered from it stays."""
        self._transport.delete(f"/uploads/{id}")
