# Written by `make client` from the module of the same name in _async/. Change that one.
"""Checkpoints and their files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from colt_client._sync.downloads import save
from colt_client._sync.transport import Transport
from colt_client.bars import Progress
from colt_client.models import CheckpointInfo


class Checkpoints:
    """`client.checkpoints`"""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, job_id: str, *, limit: int | None = None) -> Iterator[CheckpointInfo]:
        """The checkpoints of a job, newest first."""
        return self._transport.items(CheckpointInfo, f"/jobs/{job_id}/checkpoints", limit)

    def download(
        self, id: str, to: str | os.PathLike[str], *, format: str = "backbone", progress: Progress = True
    ) -> Path:
        """Write a checkpoint's file. Until it is complete, it has another name beside `to`.

        Args:
            to: the file to write, which is replaced.
            format: `backbone` for safetensors with torchvision's names, `torch` for the whole
                state of the run.

        Returns:
            The path of the file.

        Raises:
            NotFound: there is no such checkpoint, or its file was removed.
        """
        return save(self._transport, f"/checkpoints/{id}/download", {"format": format}, to, progress)
