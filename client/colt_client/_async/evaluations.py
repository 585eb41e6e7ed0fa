"""Probes of checkpoints."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from colt_client._async.handles import AsyncHandle
from colt_client._async.transport import AsyncTransport
from colt_client.models import Accepted, EvaluationInfo


class AsyncEvaluation(AsyncHandle[EvaluationInfo]):
    """A probe of one checkpoint of a job."""

    noun, path, answer = "evaluation", "/evaluations", EvaluationInfo

    async def cancel(self) -> None:
        """Cancel it, while it is queued or running.

        Raises:
            Conflict: it has ended.
        """
        await self._transport.cancel(self._at)

    def _title(self) -> str:
        return f"Evaluation {self.info.kind}"


class AsyncEvaluations:
    """`client.evaluations`"""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def request(
        self, job_id: str, kind: str = "linear", *, checkpoint_id: str | None = None, **settings: Any
    ) -> AsyncEvaluation:
        """Ask for a probe of a checkpoint. Asking for the same again answers the one there is.

        Args:
            checkpoint_id: None for the job's last.
            settings: of the kind, such as `neighbors` of `knn`.
        """
        body = {"kind": kind, "checkpoint_id": checkpoint_id, **settings}
        accepted = await self._transport.post(Accepted, f"/jobs/{job_id}/evaluations", body, repeatable=True)
        return await self.get(accepted.id)

    async def get(self, id: str) -> AsyncEvaluation:
        return await AsyncEvaluation.of(self._transport, id)

    async def list(self, job_id: str) -> AsyncIterator[AsyncEvaluation]:
        """The evaluations of a job."""
        async for info in self._transport.items(EvaluationInfo, f"/jobs/{job_id}/evaluations"):
            yield AsyncEvaluation(self._transport, info)
