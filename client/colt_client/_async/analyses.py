"""Analyses of checkpoints."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from colt_client._async.handles import AsyncHandle
from colt_client._async.transport import AsyncTransport
from colt_client.models import Accepted, AnalysisInfo, AnalysisWithResult


class AsyncAnalysis(AsyncHandle[AnalysisWithResult]):
    """An analysis of one checkpoint of a job. `info.result` has it, once it has succeeded."""

    noun, path, answer = "analysis", "/analyses", AnalysisWithResult

    async def cancel(self) -> None:
        """Cancel it, while it is queued or running.

        Raises:
            Conflict: it has ended.
        """
        await self._transport.cancel(self._at)

    def _title(self) -> str:
        return f"Analysis {self.info.kind}"


class AsyncAnalyses:
    """`client.analyses`"""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def request(
        self, job_id: str, kind: str, *, checkpoint_id: str | None = None, **settings: Any
    ) -> AsyncAnalysis:
        """Ask for an analysis of a checkpoint. Asking for the same again answers the one there is.

        Args:
            checkpoint_id: None for the job's last.
            settings: of the kind.
        """
        body = {"kind": kind, "checkpoint_id": checkpoint_id, **settings}
        accepted = await self._transport.post(Accepted, f"/jobs/{job_id}/analyses", body, repeatable=True)
        return await self.get(accepted.id)

    async def get(self, id: str) -> AsyncAnalysis:
        return await AsyncAnalysis.of(self._transport, id)

    def list(self, job_id: str, *, kind: str | None = None) -> AsyncIterator[AnalysisInfo]:
        """The analyses of a job, without their results."""
        return self._transport.items(AnalysisInfo, f"/jobs/{job_id}/analyses", kind=kind)
