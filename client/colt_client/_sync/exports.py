# Written by `make client` from the module of the same name in _async/. Change that one.
"""Files made of checkpoints for other programs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from colt_client._sync.handles import Handle
from colt_client._sync.transport import Transport
from colt_client.bars import Progress
from colt_client.models import Accepted, ExportInfo, FeaturesExportConfig


class Export(Handle[ExportInfo]):
    """A file made of one checkpoint of a job. `download` it, once it has succeeded."""

    noun, path, answer = "export", "/exports", ExportInfo

    def cancel(self) -> None:
        """Cancel it, while it is queued or running.

        Raises:
            Conflict: it has ended.
        """
        self._transport.cancel(self._at)

    def download(self, to: str | os.PathLike[str], *, progress: Progress = True) -> Path:
        """Write the file. Until it is complete, it has another name beside `to`.

        Args:
            to: the file to write, which is replaced.

        Returns:
            The path of the file.

        Raises:
            Conflict: it has not succeeded yet.
        """
        config, checkpoint = self.info.config, f"/checkpoints/{self.info.checkpoint_id}"
        path, query = f"{checkpoint}/download", {"format": str(self.info.kind)}
        if isinstance(config, FeaturesExportConfig):
            path, query = f"{checkpoint}/features", {"split": str(config.split), "format": str(config.format)}
        return self._transport.save(path, query, to, progress)

    def _title(self) -> str:
        return f"Export {self.info.kind}"


class Exports:
    """`client.exports`"""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def request(self, job_id: str, kind: str, *, checkpoint_id: str | None = None, **settings: Any) -> Export:
        """Ask for a file made of a checkpoint. Asking for the same again answers the one there is.

        Args:
            kind: `onnx` or `features`.
            checkpoint_id: None for the job's last.
            settings: of the kind, such as `split="test"` and `format="parquet"` of features.
        """
        body = {"kind": kind, "checkpoint_id": checkpoint_id, **settings}
        accepted = self._transport.post(Accepted, f"/jobs/{job_id}/exports", body, repeatable=True)
        return self.get(accepted.id)

    def get(self, id: str) -> Export:
        return Export.of(self._transport, id)

    def list(self, job_id: str) -> Iterator[Export]:
        """The exports of a job."""
        for info in self._transport.items(ExportInfo, f"/jobs/{job_id}/exports"):
            yield Export(self._transport, info)
