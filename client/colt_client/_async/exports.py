"""Files made of checkpoints for other programs."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from colt_client._async.downloads import save
from colt_client._async.handles import AsyncHandle
from colt_client._async.transport import AsyncTransport
from colt_client.bars import Progress
from colt_client.models import Accepted, ExportInfo, FeaturesExportConfig


class AsyncExport(AsyncHandle[ExportInfo]):
    """A file made of one checkpoint of a job. `download` it, once it has succeeded."""

    noun, path, answer = "export", "/exports", ExportInfo

    async def cancel(self) -> None:
        """Cancel it, while it is queued or running.

        Raises:
            Conflict: it has ended.
        """
        await self._transport.cancel(self._at)

    async def download(self, to: str | os.PathLike[str], *, progress: Progress = True) -> Path:
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
        return await save(self._transport, path, query, to, progress)

    def _title(self) -> str:
        return f"Export {self.info.kind}"


class AsyncExports:
    """`client.exports`"""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def request(
        self, job_id: str, kind: str, *, checkpoint_id: str | None = None, **settings: Any
    ) -> AsyncExport:
        """Ask for a file made of a checkpoint. Asking for the same again answers the one there is.

        Args:
            kind: `onnx` or `features`.
            checkpoint_id: None for the job's last.
            settings: of the kind, such as `split="test"` and `format="parquet"` of features.
        """
        body = {"kind": kind, "checkpoint_id": checkpoint_id, **settings}
        accepted = await self._transport.post(Accepted, f"/jobs/{job_id}/exports", body, repeatable=True)
        return await self.get(accepted.id)

    async def get(self, id: str) -> AsyncExport:
        return await AsyncExport.of(self._transport, id)

    async def list(self, job_id: str) -> AsyncIterator[AsyncExport]:
        """The exports of a job."""
        async for info in self._transport.items(ExportInfo, f"/jobs/{job_id}/exports"):
            yield AsyncExport(self._transport, info)
