# Written by `make client` from the module of the same name in _async/. Change that one.
"""Analyses of checkpoints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from colt_client._sync.handles import Handle
from colt_client._sync.transport import Transport
from colt_client.models import Accepted, AnalysisInfo, AnalysisWithResult


class Analysis(Handle[AnalysisWithResult]):
    """An analysis of one checkpoint of a job. `info.result` has it, once it has succeeded."""

    noun, path, answer = "analysis", "/analyses", AnalysisWithResult

    def cancel(self) -> None:
        """Cancel it, while it is queued or running.

        Raises:
            Conflict: it has ended.
        """
        self._transport.cancel(self._at)

    def _title(self) -> str:
        return f"Analysis {self.info.kind}"


class Analyses:
    """`client.analyses`"""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def request(self, job_id: str, kind: str, *, checkpoint_id: str | None = None, **settings: Any) -> Analysis:
        """Ask for an analysis of a checkpoint. Asking for the same again answers the one there is.

        Args:
            checkpoint_id: None for the job's last.
            settings: of the kind.
        """
        body = {"kind": kind, "checkpoint_id": checkpoint_id, **settings}
        accepted = self._transport.post(Accepted, f"/jobs/{job_id}/analyses", body, repeatable=True)
        return self.get(accepted.id)

    def get(self, id: str) -> Analysis:
        return Analysis.of(self._transport, id)

    def list(self, job_id: str, *, kind: str | None = None) -> Iterator[AnalysisInfo]:
        """The analyses of a job, without their results."""
        return self._transport.items(AnalysisInfo, f"/jobs/{job_id}/analyses", kind=kind)
