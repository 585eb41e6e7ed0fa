# Written by `make client` from the module of the same name in _async/. Change that one.
"""Uploads: files to register data sets and OOD pools from."""

from __future__ import annotations

import os
from collections.abc import Iterator

from colt_client._sync import io
from colt_client._sync.transport import API, Transport, read
from colt_client.bars import Bar, Progress
from colt_client.errors import ConnectionLost
from colt_client.models import ResumableUploadInfo, UploadInfo
from colt_client.sources import Source, digest, source_of

RESUMABLE_BYTES = 32 * 2**20  # of a file that is worth more than one request


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
            ConnectionLost: the server gave no answer. One of 32 MiB or more continues where it
                broke off, for ten minutes; later, `resume` continues it. A smaller one is begun
                again, as long as calls are repeated.
        """
        return self.send_source(io.run(lambda: source_of(path)), progress=progress)

    def send_source(self, source: Source, *, progress: Progress = True) -> UploadInfo:
        """`send`, of what was looked at before."""
        if source.size >= RESUMABLE_BYTES:
            wanted = {"filename": source.filename, "bytes": source.size}
            begun = self._transport.post(ResumableUploadInfo, "/resumable-uploads", wanted, repeatable=True)
            return self._rest(begun, source, progress)
        with Bar(progress, f"Uploading {source.filename}", "B") as bar:
            answer = self._transport.upload(f"{API}/uploads", source, bar.show)
        upload: UploadInfo = read(UploadInfo, answer)
        return upload

    def resume(self, id: str, path: str | os.PathLike[str], *, progress: Progress = True) -> UploadInfo:
        """Continue an upload that an earlier program left unfinished.

        Args:
            id: of the upload. The message of `ConnectionLost` names it.
            path: the same file or folder.

        Raises:
            ValueError: it is not the same.
            NotFound: it has expired.
        """
        source = io.run(lambda: source_of(path))
        begun = self._transport.get(ResumableUploadInfo, f"/resumable-uploads/{id}")
        if (begun.filename, begun.bytes) != (source.filename, source.size):
            raise ValueError(f"upload {id} is of {begun.filename!r} with {begun.bytes} bytes, and not of {str(path)!r}")
        return self._rest(begun, source, progress)

    def _rest(self, begun: ResumableUploadInfo, source: Source, progress: Progress) -> UploadInfo:
        with Bar(progress, f"Uploading {source.filename}", "B") as bar:
            try:
                broke_off = self._transport.send_rest(begun, source, bar.show)
            except ConnectionLost as error:
                raise ConnectionLost(f"upload {begun.id} is not complete: {error}") from error
        upload = self.get(begun.id)
        if broke_off and upload.sha256 != io.run(lambda: digest(source)):
            self.delete(upload.id)
            raise ValueError(f"{source.filename} changed while it was sent")
        return upload

    def list(self) -> Iterator[UploadInfo]:
        """All uploads, newest first."""
        return self._transport.items(UploadInfo, "/uploads")

    def get(self, id: str) -> UploadInfo:
        return self._transport.get(UploadInfo, f"/uploads/{id}")

    def delete(self, id: str) -> None:
        """Delete the file. What was registered from it stays."""
        self._transport.delete(f"/uploads/{id}")
