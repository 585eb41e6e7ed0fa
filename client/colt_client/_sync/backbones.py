# Written by `make client` from the module of the same name in _async/. Change that one.
"""Backbones from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Unpack

from colt_client._sync.analyses import Analyses, Analysis
from colt_client._sync.datasets import Dataset
from colt_client._sync.evaluations import Evaluation, Evaluations
from colt_client._sync.handles import Handle
from colt_client._sync.registered import DataSource, register
from colt_client._sync.transport import Transport
from colt_client.bars import Progress
from colt_client.errors import RegistrationFailed
from colt_client.models import Accepted, AnalysisInfo, BackboneDetails, BackboneInfo, EvaluationInfo

if TYPE_CHECKING:
    from colt_client.requests import NewBackbone


class Backbone(Handle[BackboneInfo | BackboneDetails]):
    """A registered backbone, which no job here need have trained."""

    noun, path, answer = "backbone", "/backbones", BackboneDetails
    failure = RegistrationFailed

    @property
    def name(self) -> str:
        return self.info.name

    def evaluate(self, dataset: str | Dataset, kind: str = "linear", **settings: Any) -> Evaluation:
        """Ask for a probe of it on a data set. `wait()` for its result."""
        accepted = self._ask("evaluations", dataset, kind, settings)
        return Evaluations(self._transport).get(accepted.id)

    def analyse(self, dataset: str | Dataset, kind: str, **settings: Any) -> Analysis:
        """Ask for an analysis of its features of a data set. `wait()` for its result.

        Its numbers do not compare with those of jobs, whose analyses are of projections.

        Raises:
            Invalid: the kind needs a run, or the data set does not allow it.
        """
        accepted = self._ask("analyses", dataset, kind, settings)
        return Analyses(self._transport).get(accepted.id)

    def evaluations(self) -> Iterator[Evaluation]:
        """Its evaluations, newest first."""
        for info in self._transport.items(EvaluationInfo, f"{self._at}/evaluations"):
            yield Evaluation(self._transport, info)

    def analyses(self, *, kind: str | None = None) -> Iterator[AnalysisInfo]:
        """Its analyses, newest first, without their results."""
        return self._transport.items(AnalysisInfo, f"{self._at}/analyses", kind=kind)

    def _ask(self, what: str, dataset: str | Dataset, kind: str, settings: dict[str, Any]) -> Accepted:
        body = {"dataset_id": dataset if isinstance(dataset, str) else dataset.id, "kind": kind, **settings}
        return self._transport.post(Accepted, f"{self._at}/{what}", body, repeatable=True)

    def _title(self) -> str:
        return f"Registering {self.name}"

    def _reason(self) -> str | None:
        return None if self.info.problem is None else self.info.problem.detail


class Backbones:
    """`client.backbones`"""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def register(
        self,
        source: DataSource,
        *,
        name: str | None = None,
        progress: Progress = True,
        **settings: Unpack[NewBackbone],
    ) -> Backbone:
        """Register a backbone. It can be used when it is ready: `wait()` for that.

        Args:
            source: a file of weights of this machine. Or a source as the API takes it, such as
                `{"kind": "checkpoint", "checkpoint_id": "..."}`.
            name: that of the file if it is not given.
            progress: of the upload.
            settings: such as `backbone="resnet18"`.

        Raises:
            ValueError: there is nothing to send, or a source of the API has no name.
            Invalid: a setting is wrong.
        """
        accepted = register(self._transport, "/backbones", source, name, settings, progress)
        return self.get(accepted.id)

    def get(self, id: str) -> Backbone:
        return Backbone.of(self._transport, id)

    def list(self, *, status: str | None = None, limit: int | None = None) -> Iterator[Backbone]:
        """The newest `limit` backbones, or all, newest first, without `names`."""
        for info in self._transport.items(BackboneInfo, "/backbones", limit, status=status):
            yield Backbone(self._transport, info)
