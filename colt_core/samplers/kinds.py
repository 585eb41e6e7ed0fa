"""The kinds of samplers, each with the settings that it reads. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from colt_core.kinds import FieldMark, Registry, Settings

MAX_COUNT = 2**31 - 1  # the largest count; numbers that a float cannot hold would end the run
MOST_NEAREST = 8  # training images that a round finds for each OOD image picked
# With more picks it finds none. They would take 100 MB of memory, and half of it in the database.
_MOST_PICKS_WITH_NEAREST = 2**20
_MAX_CARRIED_BYTES = 2**30  # bytes of float32 embeddings: 2 M pool images of 128 dimensions

WarmupEpochs = Annotated[int, FieldMark.EPOCHS, Field(ge=1, le=MAX_COUNT)]
SampleBudget = Annotated[int, Field(ge=1, le=MAX_COUNT)]


class SamplerSettings(Settings):
    """Settings of a sampler. `implementation` names a `colt_core.Sampler`."""

    picks: ClassVar[bool] = True
    """Whether it picks images to train on. If so, it must subclass `RoundSettings`."""

    uses_pool: ClassVar[bool] = True
    """Whether its picks are OOD images, so that it needs a pool; else they are training images."""

    def round_epochs(self, epochs: int) -> range:
        """The 1-based epochs that begin with a sampling round."""
        return range(0)

    def added_images(self) -> int:
        """K: epochs of `long_epochs` have the steps of N + K images."""
        return 0

    def long_epochs(self, epochs: int) -> range:
        """The epochs, up to the last, whose number of steps includes `added_images`."""
        return range(0)

    def conflicts(self, epochs: int) -> Iterator[tuple[str, str]]:
        """(setting, what to change) for each setting that does not suit a run of so many epochs."""
        yield from ()

    def data_problems(self, num_pool: int | None, embedding_dim: int) -> Iterator[tuple[str, str]]:
        """(setting, what to change) for each setting that does not suit a pool of this size.

        Args:
            num_pool: images in the OOD pool, or None without one.
            embedding_dim: D, dimensions of an embedding.
        """
        yield from ()


class RoundSettings(SamplerSettings):
    """Settings of samplers that pick images: when, how many, and how the pool is scored.

    A direct subclass picks once, after the warm-up.
    """

    warmup_epochs: WarmupEpochs = Field(100, description="w: the first sampling round is before epoch w + 1.")
    sample_budget: SampleBudget = Field(10_000, description="K: images picked in a round.")
    cluster_temperature: float = Field(1.0, gt=0, description="tau_c: temperature of the clusters' weights.")
    budget_remainder: Literal["largest", "last"] = Field(
        "largest",
        description="How budgets become whole numbers. largest: by largest remainder. last: the last cluster gets "
        "the rest (released code).",
    )
    ood_neighbors: int = Field(
        20, ge=1, le=1000, description="ID neighbours whose tailness is averaged for an OOD image."
    )
    neighbor_search: Literal["exact", "approximate"] = Field(
        "exact",
        description="How these neighbours are found. approximate is for pools of many millions, with at least 4,096 "
        "training images. On CIFAR-10-LT it finds 96 % of the neighbours in half the time; on unstructured features "
        "far fewer.",
    )

    @property
    def refreshes_candidates(self) -> bool:
        """Whether a round embeds only a part of the pool again."""
        return False

    def nearest_shape(self, num_picks: int, num_train: int) -> tuple[int, int]:
        """(K, k): picks of a round whose nearest training images it finds, all or none, and how
        many of each."""
        found = self.uses_pool and num_picks <= _MOST_PICKS_WITH_NEAREST
        return num_picks if found else 0, min(MOST_NEAREST, num_train)

    def round_epochs(self, epochs: int) -> range:
        """The first epoch after the warm-up."""
        return range(self.warmup_epochs + 1, self.warmup_epochs + 2)

    def added_images(self) -> int:
        """K, the sampling budget."""
        return self.sample_budget

    def long_epochs(self, epochs: int) -> range:
        """All epochs from the first round on. Each trains on the K images of the last round."""
        return range(self.warmup_epochs + 1, epochs + 1)

    def conflicts(self, epochs: int) -> Iterator[tuple[str, str]]:
        """A problem if the warm-up leaves no epoch for a round."""
        yield from _warmup_conflict(self.warmup_epochs, epochs)

    def data_problems(self, num_pool: int | None, embedding_dim: int) -> Iterator[tuple[str, str]]:
        """A problem if a pool is needed and is missing, or is smaller than the budget."""
        if not self.uses_pool:
            return
        if num_pool is None:
            yield "sampler", f"'{self.kind}' needs an OOD pool; name one, or choose 'none'"
        elif self.sample_budget > num_pool:
            yield "sample_budget", f"{self.sample_budget} is more than the {num_pool} images of the pool"


class RepeatedRoundSettings(RoundSettings):
    """Settings of a sampler that picks again every few epochs."""

    sample_interval: Annotated[int, FieldMark.EPOCHS] = Field(
        25, ge=1, le=MAX_COUNT, description="r: epochs between two rounds."
    )

    def round_epochs(self, epochs: int) -> range:
        """Every `sample_interval` epochs after the warm-up."""
        return range(self.warmup_epochs + 1, epochs + 1, self.sample_interval)


def _warmup_conflict(warmup_epochs: int, epochs: int) -> Iterator[tuple[str, str]]:
    if warmup_epochs >= epochs:
        yield (
            "warmup_epochs",
            f"warmup_epochs {warmup_epochs} leaves no epoch after the warm-up: it must be less than epochs {epochs}",
        )


samplers: Registry[SamplerSettings] = Registry("sampler")


@samplers.register
class NoneSettings(SamplerSettings):
    """No OOD images: the baseline that trains only on the ID images."""

    kind = "none"
    title = "None"
    implementation = ""
    picks = False
    uses_pool = False

    match_steps: bool = Field(
        False,
        description="Repeats ID images until an epoch has as many steps as with K OOD images. This separates the "
        "gain of another sampler from that of longer training.",
    )
    warmup_epochs: WarmupEpochs = Field(100, description="w: with match_steps, epochs are longer from epoch w + 1 on.")
    sample_budget: SampleBudget = Field(
        10_000, description="K: with match_steps, the number of OOD images whose steps are matched."
    )

    def added_images(self) -> int:
        """K with match_steps, else 0."""
        return self.sample_budget if self.match_steps else 0

    def long_epochs(self, epochs: int) -> range:
        """With `match_steps`, the epochs that would have OOD images with another sampler."""
        return range(self.warmup_epochs + 1, epochs + 1) if self.match_steps else range(0)

    def conflicts(self, epochs: int) -> Iterator[tuple[str, str]]:
        """A problem if the warm-up leaves no epoch to lengthen."""
        if self.match_steps:
            yield from _warmup_conflict(self.warmup_epochs, epochs)


@samplers.register
class RandomSettings(RepeatedRoundSettings):
    """K OOD images drawn uniformly: the baseline with the same pool and budget."""

    kind = "random"
    title = "Random"
    implementation = "colt_core.samplers.random:RandomSampler"

    redraw: bool = Field(True, description="Draw again in each round, or keep the first draw.")


@samplers.register
class MakSettings(RoundSettings):
    """Picks once: images that are hard for the model, close to the ID set and unlike each other
    (Jiang et al., NeurIPS 2021)."""

    kind = "mak"
    title = "MAK"
    implementation = "colt_core.samplers.mak:MakSampler"

    mak_passes: int = Field(10, ge=2, le=100, description="R: augmented passes over which a loss is averaged.")
    mak_loss_weight: float = Field(
        0.5, ge=0, le=1, description="w: weight of the loss in the score. Closeness to the ID set has weight 1 - w."
    )
    mak_candidates: float = Field(1.5, ge=1, le=100, description="Number of candidates, as a multiple of K.")


@samplers.register
class ColtSettings(RepeatedRoundSettings):
    """Picks the OOD images nearest to the tail of the feature space, every few epochs (Bai et al.,
    ICLR 2023)."""

    kind = "colt"
    title = "COLT"
    implementation = "colt_core.samplers.colt:ColtSampler"

    cluster_order: Literal["index", "tail_first"] = Field(
        "index", description="Which cluster picks first. index: 0..C-1 (released code). tail_first: the most tail-like."
    )
    pool_refresh: Literal["full", "candidates"] = Field(
        "full",
        description="candidates: a round embeds only 30 % of the pool again: a rotating share and the best candidates. "
        "Only these can be picked.",
    )

    @property
    def refreshes_candidates(self) -> bool:
        """Whether `pool_refresh` is "candidates"."""
        return self.pool_refresh == "candidates"

    def data_problems(self, num_pool: int | None, embedding_dim: int) -> Iterator[tuple[str, str]]:
        """Also a problem if the pool's embeddings are too large to keep from round to round."""
        yield from super().data_problems(num_pool, embedding_dim)
        too_many = num_pool is not None and 4 * num_pool * embedding_dim > _MAX_CARRIED_BYTES
        if self.refreshes_candidates and too_many:
            yield (
                "pool_refresh",
                f"'candidates' keeps an embedding of {embedding_dim} dimensions for every pool image in each "
                f"checkpoint, which is too much for {num_pool} images: choose 'full'",
            )


@samplers.register
class SpreadSettings(RepeatedRoundSettings):
    """Gives budgets to clusters that follow the extent of the data, not its density. It stops once
    the pool has nothing similar left (after SimCore, Kim et al., CVPR 2023). Set num_clusters to 30
    to 100.
    """

    kind = "spread"
    title = "Spread"
    implementation = "colt_core.samplers.spread:SpreadSampler"

    spread_points: int = Field(
        15, ge=1, le=10_000, description="n: points nearest to its centre that represent a cluster."
    )
    spread_stop: float = Field(
        0.95,
        ge=0,
        le=1,
        description="A round stops once the mean similarity of C picks is below this share of that of the 20th C "
        "picks. The rest of K is not picked. 0 never stops.",
    )


@samplers.register
class IdFillSettings(RepeatedRoundSettings):
    """A control without OOD images: the clusters' budgets are filled with their own training
    images, repeated."""

    kind = "idfill"
    title = "ID fill"
    implementation = "colt_core.samplers.idfill:IdFillSampler"
    uses_pool = False
