# Written by `make client` from the module of the same name in _async/. Change that one.
"""Probes of checkpoints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from colt_client._sync.handles import Handle
from colt_client._sync.transport import Transport
from colt_client.models import Accepted, EvaluationInfo


class Evaluation(Handle[EvaluationInfo]):
    """A probe of one checkpoint of a job."""

    noun, path, answer = "evaluation", "/evaluations", EvaluationInfo

    def cancel(self) -> None:
        """Cancel it, while it is queued or running.

        Raises:
            Conflict: it has ended.
        """
        self._transport.cancel(self._at)

    def _title(self) -> str:
        return f"Evaluation {self.info.kind}"


class Evaluations:
    """`client.evaluations`"""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def request(
        self, job_id: str, kind: str = "linear", *, checkpoint_id: str | None = None, **settings: Any
    ) -> Evaluation:
        """Ask for a probe of a checkpoint. Asking for the same again answers the one there is.

        Args:
            checkpoint_id: None for the job's last.
            settings: of the kind, such as `neighbors` of `knn`.
        """
        body = {"kind": kind, "checkpoint_id": checkpoint_id, **settings}
        accepted = self._transport.post(Accepted, f"/jobs/{job_id}/evaluations", body, repeatable=True)
        return self.get(accepted.id)

    def get(self, id: str) -> Evaluation:
        return Evaluation.of(self._transport, id)

    def list(self, job_id: str) -> Iterator[Evaluation]:
        """The evaluations of a job."""
        for info in self._transport.items(EvaluationInfo, f"/jobs/{job_id}/evaluations"):
            yield Evaluation(self._transport, info)
