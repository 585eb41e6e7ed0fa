"""Jobs: pretraining runs."""

from __future__ import annotations

import os
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from colt_client._async.analyses import AsyncAnalyses, AsyncAnalysis
from colt_client._async.datasets import AsyncDataset
from colt_client._async.downloads import save
from colt_client._async.evaluations import AsyncEvaluation, AsyncEvaluations
from colt_client._async.exports import AsyncExport, AsyncExports
from colt_client._async.handles import AsyncHandle
from colt_client._async.ood_pools import AsyncOodPool
from colt_client._async.scores import score
from colt_client._async.tailness import AsyncRounds, AsyncTailness
from colt_client._async.transport import API, AsyncTransport, read
from colt_client.bars import Progress
from colt_client.calls import Call
from colt_client.errors import JobFailed
from colt_client.events import Event
from colt_client.frames import Curves
from colt_client.models import (
    Accepted,
    AttemptInfo,
    CancelledJobs,
    CheckpointInfo,
    Curve,
    DatasetInfo,
    EvaluationInfo,
    JobDetails,
    JobForecast,
    JobInfo,
    Kinds,
    OodSample,
    Profile,
    RoundInfo,
    ScoreInfo,
    SeatInfo,
)
from colt_client.plots import plot_accuracy, plot_curves
from colt_client.sources import Images

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from colt_client.requests import JobChanges, JobsToCancel, NewJob


class AsyncJob(AsyncHandle[JobInfo | JobDetails]):
    """A pretraining run."""

    noun, path, answer = "job", "/jobs", JobDetails
    failure, unit = JobFailed, "epoch"

    @property
    def name(self) -> str:
        return self.info.name

    @property
    def url(self) -> str:
        """Its page in the dashboard."""
        return f"{self._transport.url}/jobs/{self.id}"

    async def cancel(self) -> None:
        """Cancel it. A running job writes a checkpoint first.

        Raises:
            Conflict: it has ended.
        """
        await self._transport.cancel(self._at)

    async def resume(self) -> None:
        """Queue it again, if it failed or was cancelled. It resumes from its last checkpoint."""
        await self._transport.post(Accepted, f"{self._at}/resume", repeatable=False)

    async def rerun(self, **changes: Unpack[NewJob]) -> AsyncJob:
        """Submit a new job with the same data and settings, but for `changes`. In `config`, name
        what differs alone.

        What only the earlier framework or sampler reads is left out: settings, or the OOD pool.

        Raises:
            Invalid: it cannot run; `errors` says why.
        """
        info = await self._transport.get(JobDetails, self._at)
        changed = changes.pop("config", {})
        config = {**info.config, **changed}
        kinds: Kinds = read(Kinds, await self._transport.send(Call("GET", f"{API}/kinds")))
        unread = _settings(kinds, info.config) - _settings(kinds, config) - changed.keys()
        config = {name: value for name, value in config.items() if name not in unread}
        reads_pool = any(sampler.kind == config["sampler"] and sampler.uses_pool for sampler in kinds.samplers)
        start = info.start_from and info.start_from.model_dump(include={"checkpoint_id", "backbone_id"})
        same: dict[str, Any] = {
            "name": info.name,
            "tags": info.tags,
            "notes": info.notes,
            "evaluations": info.evaluations,
            "start_from": start,
        }
        again: Any = {**same, **changes, "config": config}
        return await AsyncJobs(self._transport).submit(
            info.dataset_id,
            ood_pool=info.ood_pool_id if reads_pool else None,
            evaluation_dataset=info.evaluation_dataset_id,
            **again,
        )

    async def change(self, **changes: Unpack[JobChanges]) -> None:
        """Change `name`, `tags` or `notes`."""
        answer = await self._transport.send(Call("PATCH", f"{API}{self._at}", json=changes))
        self.info = read(JobDetails, answer)

    def events(self, *, after: int = 0, follow: bool = True) -> AsyncIterator[Event]:
        """What happens to it, from the first event until it ends. A stream that breaks is resumed.

        Args:
            after: the id of an event; only later ones are given.
            follow: False gives the events so far, and does not wait for others.
        """
        return self._transport.events(f"{self._at}/events", after, follow)

    async def metrics(self, *names: str, max_points: int | None = None) -> Curves:
        """Its curves, such as `loss` and `learning_rate`; all if none is named.

        Args:
            max_points: of each curve. Peaks and both ends are kept.
        """
        query = {"name": names or None, "max_points": max_points}
        answer = await self._transport.send(Call("GET", f"{API}{self._at}/metrics", query))
        return Curves(read(dict[str, Curve], answer))

    async def profile(self) -> Profile:
        """Where its time went."""
        return await self._transport.get(Profile, f"{self._at}/profile")

    def attempts(self) -> AsyncIterator[AttemptInfo]:
        """Its starts, and how each ended."""
        return self._transport.items(AttemptInfo, f"{self._at}/attempts")

    def seats(self) -> AsyncIterator[SeatInfo]:
        """The machines of its attempts, if it runs over several."""
        return self._transport.items(SeatInfo, f"{self._at}/seats")

    def checkpoints(self) -> AsyncIterator[CheckpointInfo]:
        """Its checkpoints."""
        return self._transport.items(CheckpointInfo, f"{self._at}/checkpoints")

    def rounds(self) -> AsyncIterator[RoundInfo]:
        """Its sampling rounds."""
        return AsyncRounds(self._transport).list(self.id)

    def picks(self, *, round: int | None = None) -> AsyncIterator[OodSample]:
        """The OOD images that a round picked, nearest to the tail first. None: the last round."""
        return AsyncTailness(self._transport).ood(self.id, round=round, selected=True, order="-tailness")

    async def score(self, images: Images, *, nearest: int = 3, progress: Progress = False) -> ScoreInfo:
        """The tailness of images that it has not seen, as its last sampling round would score them.

        The answer has `scores` and `refused`, the images that cannot be used. `to_pandas` makes a
        frame of either.

        Args:
            images: a folder, an archive, an npz or an npy of this machine. Or paths of image files.
                Or an array of numpy: uint8, N x H x W or N x H x W x 3.
            nearest: how many of the nearest training images to tell for each, 0 to 8.
            progress: of the upload.

        Raises:
            ValueError: there is nothing to send.
            Conflict: it has had no sampling round yet.
            Invalid: its sampler has no rounds, or the images cannot be read.
        """
        return await score(self._transport, self.id, images, nearest, progress)

    def evaluations(self) -> AsyncIterator[AsyncEvaluation]:
        """Its evaluations."""
        return AsyncEvaluations(self._transport).list(self.id)

    async def evaluate(
        self, kind: str = "linear", *, checkpoint_id: str | None = None, **settings: Any
    ) -> AsyncEvaluation:
        """Ask for a probe of a checkpoint, the last if none is named. `wait()` for its result."""
        nouns = AsyncEvaluations(self._transport)
        return await nouns.request(self.id, kind, checkpoint_id=checkpoint_id, **settings)

    async def analyse(self, kind: str, *, checkpoint_id: str | None = None, **settings: Any) -> AsyncAnalysis:
        """Ask for an analysis of a checkpoint, the last if none is named. `wait()` for its
        result."""
        nouns = AsyncAnalyses(self._transport)
        return await nouns.request(self.id, kind, checkpoint_id=checkpoint_id, **settings)

    async def export(self, kind: str, *, checkpoint_id: str | None = None, **settings: Any) -> AsyncExport:
        """Ask for a file made of a checkpoint, `onnx` or `features`. `wait()` for it, then
        `download` it."""
        nouns = AsyncExports(self._transport)
        return await nouns.request(self.id, kind, checkpoint_id=checkpoint_id, **settings)

    async def record(self, to: str | os.PathLike[str], *, progress: Progress = True) -> Path:
        """Write all that is known of it to a zip, without weights and images. The `README.md` in it
        names each file and column.

        Args:
            to: the file to write, which is replaced.
        """
        return await save(self._transport, f"{self._at}/record", {}, to, progress)

    async def plot_accuracy(self, ax: Axes | None = None) -> Axes:
        """Plot the accuracy of each class in its newest evaluation of each kind.

        Raises:
            ValueError: no evaluation has succeeded.
        """
        newest: dict[str, EvaluationInfo] = {}
        async for evaluation in self.evaluations():
            info = evaluation.info
            if info.status == "succeeded" and (
                info.kind not in newest or info.created_at > newest[info.kind].created_at
            ):
                newest[info.kind] = info
        data_id = self.info.evaluation_dataset_id or self.info.dataset_id
        dataset = await self._transport.get(DatasetInfo, f"/datasets/{data_id}")
        return plot_accuracy(newest, dataset.class_names, ax)

    async def plot_metrics(self, *names: str, ax: Axes | None = None) -> Axes:
        """Plot some of its curves."""
        return plot_curves(await self.metrics(*names), ax)

    def _title(self) -> str:
        return self.name

    def _progress(self) -> tuple[float, float | None, str]:
        loss = "" if self.info.loss is None else f", loss {self.info.loss:.3f}"
        return self.info.progress.epoch, self.info.progress.epochs, f"{self.status}{loss}"


class AsyncJobs:
    """`client.jobs`"""

    def __init__(self, transport: AsyncTransport) -> None:
        self._transport = transport

    async def submit(
        self,
        dataset: str | AsyncDataset,
        *,
        ood_pool: str | AsyncOodPool | None = None,
        evaluation_dataset: str | AsyncDataset | None = None,
        idempotency_key: str | None = None,
        **settings: Unpack[NewJob],
    ) -> AsyncJob:
        """Queue a pretraining run. However often the connection breaks, it is queued once.

        Args:
            dataset, ood_pool, evaluation_dataset: ids, or what `register` answered.
            idempotency_key: the same key and settings give the same job, for a day. One is made for
                each call; name one yourself for a script that may be run twice.
            settings: such as `config={"preset": "cpu-small"}` and `evaluations=["linear"]`.

        Raises:
            Invalid: it cannot run; `errors` says why.
        """
        body = _body(dataset, ood_pool, evaluation_dataset, settings)
        headers = {"Idempotency-Key": idempotency_key or uuid.uuid4().hex}
        answer = await self._transport.send(Call("POST", f"{API}/jobs", json=body, headers=headers))
        accepted: Accepted = read(Accepted, answer)
        return await self.get(accepted.id)

    async def estimate(
        self,
        dataset: str | AsyncDataset,
        *,
        ood_pool: str | AsyncOodPool | None = None,
        evaluation_dataset: str | AsyncDataset | None = None,
        **settings: Unpack[NewJob],
    ) -> JobForecast:
        """What a job would need, and what its settings resolve to, without submitting it."""
        body = _body(dataset, ood_pool, evaluation_dataset, settings)
        return await self._transport.post(JobForecast, "/jobs/estimate", body, repeatable=True)

    async def get(self, id: str) -> AsyncJob:
        return await AsyncJob.of(self._transport, id)

    async def list(
        self,
        *,
        status: str | None = None,
        dataset_id: str | None = None,
        sampler: str | None = None,
        framework: str | None = None,
        tag: str | None = None,
        name: str | None = None,
        order: str | None = None,
        limit: int | None = None,
    ) -> AsyncIterator[AsyncJob]:
        """Jobs that fit all filters, newest first.

        Args:
            name: a part of it.
            order: such as `-accuracy`, largest first.
            limit: the first ones alone.
        """
        query = {"dataset_id": dataset_id, "sampler": sampler, "framework": framework, "tag": tag, "name": name}
        async for info in self._transport.items(JobInfo, "/jobs", limit, status=status, order=order, **query):
            yield AsyncJob(self._transport, info)

    async def cancel(self, **which: Unpack[JobsToCancel]) -> CancelledJobs:
        """Cancel many jobs: these `ids`, or all that fit the filters."""
        return await self._transport.post(CancelledJobs, "/jobs/cancel", which, repeatable=False)


def _settings(kinds: Kinds, config: dict[str, Any]) -> set[str]:
    """The settings that the framework and the sampler of a configuration read for themselves."""
    names: set[str] = set()
    for framework in kinds.frameworks:
        names |= framework.settings["properties"].keys() if framework.kind == config["framework"] else set()
    for sampler in kinds.samplers:
        names |= sampler.settings["properties"].keys() if sampler.kind == config["sampler"] else set()
    return names


def _body(
    dataset: str | AsyncDataset,
    ood_pool: str | AsyncOodPool | None,
    evaluation_dataset: str | AsyncDataset | None,
    settings: NewJob,
) -> dict[str, Any]:
    data = {"dataset_id": dataset, "ood_pool_id": ood_pool, "evaluation_dataset_id": evaluation_dataset}
    ids = {name: value if isinstance(value, str) else value.id for name, value in data.items() if value is not None}
    return {**ids, **settings}
