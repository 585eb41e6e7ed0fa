"""Backbones from elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Unpack

from colt_client._async.analyses import AsyncAnalyses, AsyncAnalysis
from colt_client._async.datasets import AsyncDataset
from colt_client._async.evaluations import AsyncEvaluation, AsyncEvaluations
from colt_client._async.handles import AsyncHandle
from colt_client._async.registered import DataSource, register
from colt_client._async.transport import AsyncTransport
from colt_client.bars import Progress
from colt_client.errors import RegistrationFailed
from colt_client.models import Accepted, AnalysisInfo, BackboneDetails, BackboneInfo, EvaluationInfo

if TYPE_CHECKING:
    from colt_client.requests import NewBackbone


class AsyncBackbone(AsyncHandle[BackboneInfo | BackboneDetails]):
    """A registered backbone, which no job here need have trained."""

    noun, path, answer = "backbone", "/backbones", BackboneDetails
    failure = RegistrationFailed

    @property
    def name(self) -> str:
        return self.info.name

    async def evaluate(self, dataset: str | AsyncDataset, kind: str = "linear", **settings: Any) -> AsyncEvaluation:
        """Ask for a probe of it on a data set. `wait()` for its result."""
        accepted = await self._ask("evaluations", dataset, kind, settings)
        return await AsyncEvaluations(self._transport).get(accepted.id)

    async def analyse(self, dataset: str | AsyncDataset, kind: str, **settings: Any) -> AsyncAnalysis:
        """Ask for an analysis of its features of a data set. `wait()` for its result.

        Its numbers do not compare with those of jobs, whose analyses are of projections.

        Raises:
            Invalid: the kind needs a run, or the data set does not allow it.
        """
        accepted = await self._ask("analyses", dataset, kind, settings)
        return await AsyncAnalyses(self._transport).get(accepted.id)

    async def evaluations(self) -> AsyncIterator[AsyncEvaluation]:
        """Its evaluations, newest first."""
        async for info in self._transport.items(EvaluationInfo, f"{self._at}/evaluations"):
            yield AsyncEvaluation(self._transport, info)

    def analyses(self, *, kind: str | None = None) -> AsyncIterator[AnalysisInfo]:
        """Its analyses, newest first, without their results."""
        return self._transport.items(AnalysisInfo, f"{self._at}/analyses", kind=kind)

    async def _ask(self, what: str, dataset: str | AsyncDataset, kind: str, settings: dict[str, Any]) -> Accepted:
        body = {"dataset_id": dataset if isinstance(dataset, str) else dataset.id, "kind": kind, **settings}
        return await self._transport.post(Accepted, f"{self._at}/{what}", body, repeatable=True)

    def _title(self) -> str:
        return f"Registering {self.name}"

    def _reason(self) -> str | None:
        return None if self.info.problem is None else self.info.problem.detail


class AsyncBackbones:
    """`client.backbones`"""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def register(
        self,
        source: DataSource,
        *,
        name: str | None = None,
        progress: Progress = True,
        **settings: Unpack[NewBackbone],
    ) -> AsyncBackbone:
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
        accepted = await register(self._transport, "/backbones", source, name, settings, progress)
        return await self.get(accepted.id)

    async def get(self, id: str) -> AsyncBackbone:
        return await AsyncBackbone.of(self._transport, id)

    async def list(self, *, status: str | None = None, limit: int | None = None) -> AsyncIterator[AsyncBackbone]:
        """The newest `limit` backbones, or all, newest first, without `names`."""
        async for info in self._transport.items(BackboneInfo, "/backbones", limit, status=status):
            yield AsyncBackbone(self._transport, info)
