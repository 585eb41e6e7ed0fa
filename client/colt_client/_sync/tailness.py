# Written by `make client` from the module of the same name in _async/. Change that one.
"""Which images are in the tail, and which OOD images were picked for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from colt_client._sync.downloads import save
from colt_client._sync.transport import Transport
from colt_client.bars import Progress
from colt_client.models import (
    ClassTailness,
    IdSample,
    IdSampleDetail,
    NearestSamples,
    OodSample,
    OodSampleDetail,
    RoundInfo,
)


class Tailness:
    """`client.tailness`. The larger the tailness, the nearer an image is to the tail."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def samples(
        self,
        job_id: str,
        *,
        label: int | None = None,
        cluster: int | None = None,
        round: int | None = None,
        order: str | None = None,
        limit: int | None = None,
    ) -> Iterator[IdSample]:
        """Training images with their latest tailness.

        Args:
            order: such as `-tailness`, largest first.
            limit: the first ones alone.
        """
        path = f"/jobs/{job_id}/tailness/samples"
        return self._transport.items(IdSample, path, limit, label=label, cluster=cluster, round=round, order=order)

    def sample(self, job_id: str, index: int) -> IdSampleDetail:
        """One training image, over all epochs."""
        return self._transport.get(IdSampleDetail, f"/jobs/{job_id}/tailness/samples/{index}")

    def classes(self, job_id: str, *, epoch: int | None = None) -> Iterator[ClassTailness]:
        """Mean tailness by class, over the epochs."""
        return self._transport.items(ClassTailness, f"/jobs/{job_id}/tailness/classes", epoch=epoch)

    def ood(
        self,
        job_id: str,
        *,
        round: int | None = None,
        cluster: int | None = None,
        selected: bool | None = None,
        min: float | None = None,
        max: float | None = None,
        change: str | None = None,
        order: str | None = None,
        limit: int | None = None,
    ) -> Iterator[OodSample]:
        """Images of the pool in a sampling round.

        Args:
            round: None for the last.
            selected: True for those that the round picked.
            min, max: bounds of the tailness.
            change: `entered`, `stayed` or `left`: against the round before.
            order: such as `-tailness`, largest first.
            limit: the first ones alone.
        """
        path = f"/jobs/{job_id}/ood-tailness"
        query = {"round": round, "cluster": cluster, "selected": selected, "min": min, "max": max, "change": change}
        return self._transport.items(OodSample, path, limit, order=order, **query)

    def export(
        self,
        job_id: str,
        to: str | os.PathLike[str],
        *,
        format: str = "csv",
        round: int | None = None,
        selected: bool | None = None,
        progress: Progress = True,
    ) -> Path:
        """Write the scores of all images of the pool in a sampling round to a file.

        Args:
            to: the file to write, which is replaced.
            format: `csv`.
            round: None for the last.
            selected: True for those that the round picked.
        """
        query = {"format": format, "round": round, "selected": selected}
        return save(self._transport, f"/jobs/{job_id}/ood-tailness/export", query, to, progress)

    def save_picks(
        self,
        job_id: str,
        to: str | os.PathLike[str],
        *,
        format: str = "csv",
        round: int | None = None,
        progress: Progress = True,
    ) -> Path:
        """Write what a sampling round picked to a file.

        Args:
            to: the file to write, which is replaced.
            format: `csv`, or `zip` with the images too.
            round: None for the last.
        """
        return save(self._transport, f"/jobs/{job_id}/picks", {"format": format, "round": round}, to, progress)

    def ood_sample(self, job_id: str, index: int) -> OodSampleDetail:
        """One image of the pool, over all rounds."""
        return self._transport.get(OodSampleDetail, f"/jobs/{job_id}/ood-tailness/{index}")

    def nearest(self, job_id: str, index: int, *, k: int | None = None, round: int | None = None) -> NearestSamples:
        """The training images nearest to an image of the pool that a sampling round picked.

        Args:
            k: how many, 1..8. None for 8.
            round: None for the last.
        """
        path = f"/jobs/{job_id}/ood-tailness/{index}/nearest"
        return self._transport.get(NearestSamples, path, k=k, round=round)


class Rounds:
    """`client.rounds`"""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def list(self, job_id: str) -> Iterator[RoundInfo]:
        """The sampling rounds of a job."""
        return self._transport.items(RoundInfo, f"/jobs/{job_id}/rounds")

    def get(self, job_id: str, number: int) -> RoundInfo:
        return self._transport.get(RoundInfo, f"/jobs/{job_id}/rounds/{number}")
