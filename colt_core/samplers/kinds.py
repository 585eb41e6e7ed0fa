"""The samplers: one entry each, with the settings that it reads. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from colt_core.kinds import FieldMark, Registry, Settings

MOST = 2**31 - 1  # no count goes further; larger numbers than a float holds would end the run
_MOST_CARRIED = 2**30  # bytes of float32 embeddings: 2 M pool images of 128 dimensions

WarmupEpochs = Annotated[int, FieldMark.EPOCHS, Field(ge=1, le=MOST)]
SampleBudget = Annotated[int, Field(ge=1, le=MOST)]


class SamplerSettings(Settings):
    """Settings of a sampler. `implementation` names a class that follows `colt_core.Sampler`."""

    picks: ClassVar[bool] = True
    """Whether it picks OOD images, and so needs a pool. One that does subclasses `RoundSettings`."""

    def round_epochs(self, epochs: int) -> range:
        """The 1-based epochs that open with a sampling round, of a run of so many epochs."""
        return range(0)

    def added_images(self) -> int:
        """K: an epoch of `long_epochs` has the steps of N + K images."""
        return 0

    def long_epochs(self, epochs: int) -> range:
        """The epochs, to the last, whose number of steps counts `added_images`."""
        return range(0)

    def conflicts(self, epochs: int) -> Iterator[tuple[str, str]]:
        """(setting, what to change) for each setting that does not go with a run of so many epochs."""
        yield from ()

    def data_problems(self, num_pool: int | None, embedding_dim: int) -> Iterator[tuple[str, str]]:
        """(setting, what to change) for each setting that does not go with a pool of this size.

        Args:
            num_pool: images in the OOD pool, or None without one.
            embedding_dim: D of an embedding.
        """
        yield from ()


class RoundSettings(SamplerSettings):
    """Settings of every sampler that picks OOD images: when, how many, and how the pool is scored.

    A sampler that subclasses this one picks once, after the warm-up.
    """

    warmup_epochs: WarmupEpochs = Field(100, description="w: the first sampling round opens epoch w + 1.")
    sample_budget: SampleBudget = Field(10_000, description="K: OOD images picked a round.")
    cluster_temperature: float = Field(1.0, gt=0, description="tau_c of the clusters' weights.")
    budget_remainder: Literal["largest", "last"] = Field(
        "largest",
        description="How budgets become whole numbers. largest: by largest remainder. last: the last cluster takes "
        "what is left over (released).",
    )
    ood_neighbors: int = Field(
        20, ge=1, le=1000, description="ID neighbours that an OOD image's tailness averages over."
    )
    neighbor_search: Literal["exact", "approximate"] = Field(
        "exact",
        description="How these neighbours are found. approximate is for pools of many millions, with at least 4,096 "
        "training images. On CIFAR-10-LT it finds 96 % of the neighbours in half the time; on unstructured features "
        "far fewer.",
    )

    @property
    def refreshes_candidates(self) -> bool:
        """Whether a round embeds only a part of the pool anew."""
        return False

    def round_epochs(self, epochs: int) -> range:
        """The first epoch after the warm-up."""
        return range(self.warmup_epochs + 1, self.warmup_epochs + 2)

    def added_images(self) -> int:
        """K."""
        return self.sample_budget

    def long_epochs(self, epochs: int) -> range:
        """From the first round on: every round picks exactly K, and they stay until the next."""
        return range(self.warmup_epochs + 1, epochs + 1)

    def conflicts(self, epochs: int) -> Iterator[tuple[str, str]]:
        """A warm-up that leaves no epoch for a round."""
        yield from _warmup_conflict(self.warmup_epochs, epochs)

    def data_problems(self, num_pool: int | None, embedding_dim: int) -> Iterator[tuple[str, str]]:
        """A missing pool, or one that is smaller than the budget."""
        if num_pool is None:
            yield "sampler", f"'{self.kind}' needs an OOD pool; name one, or choose 'none'"
        elif self.sample_budget > num_pool:
            yield "sample_budget", f"{self.sample_budget} is more than the {num_pool} images of the pool"


class RepeatedRoundSettings(RoundSettings):
    """Settings of a sampler that picks anew every few epochs."""

    sample_interval: Annotated[int, FieldMark.EPOCHS] = Field(
        25, ge=1, le=MOST, description="r: epochs between two rounds."
    )

    def round_epochs(self, epochs: int) -> range:
        """Every `sample_interval` epochs after the warm-up."""
        return range(self.warmup_epochs + 1, epochs + 1, self.sample_interval)


def _warmup_conflict(warmup_epochs: int, epochs: int) -> Iterator[tuple[str, str]]:
    if warmup_epochs >= epochs:
        yield (
            "warmup_epochs",
            f"warmup_epochs {warmup_epochs} leaves no epoch for a sampling round, or for the steps that would follow "
            f"one: it must be below epochs {epochs}",
        )


samplers: Registry[SamplerSettings] = Registry("sampler")


@samplers.register
class NoneSettings(SamplerSettings):
    """No OOD images: the baseline that trains on the ID images alone."""

    kind = "none"
    title = "None"
    implementation = ""
    picks = False

    match_steps: bool = Field(
        False,
        description="Repeats ID images until an epoch has as many steps as with K OOD images. A gain of another "
        "sampler can then be told from longer training.",
    )
    warmup_epochs: WarmupEpochs = Field(100, description="w: with match_steps, epochs are longer from w + 1 on.")
    sample_budget: SampleBudget = Field(10_000, description="K: with match_steps, the images whose steps are matched.")

    def added_images(self) -> int:
        """K with match_steps."""
        return self.sample_budget if self.match_steps else 0

    def long_epochs(self, epochs: int) -> range:
        """Those that would have OOD images with another sampler, by `match_steps`."""
        return range(self.warmup_epochs + 1, epochs + 1) if self.match_steps else range(0)

    def conflicts(self, epochs: int) -> Iterator[tuple[str, str]]:
        """A warm-up that leaves no epoch to be longer."""
        if self.match_steps:
            yield from _warmup_conflict(self.warmup_epochs, epochs)


@samplers.register
class RandomSettings(RepeatedRoundSettings):
    """K OOD images drawn uniformly: the baseline with the same pool and budget."""

    kind = "random"
    title = "Random"
    implementation = "colt_core.samplers.random:RandomSampler"

    redraw: bool = Field(True, description="Draw anew each round, or keep the first draw.")


@samplers.register
class MakSettings(RoundSettings):
    """Picks once: images that the model finds hard, near the ID set and unlike each other (Jiang, NeurIPS 2021)."""

    kind = "mak"
    title = "MAK"
    implementation = "colt_core.samplers.mak:MakSampler"

    mak_passes: int = Field(10, ge=2, le=100, description="R: augmented passes that a loss is averaged over.")
    mak_loss_weight: float = Field(
        0.5, ge=0, le=1, description="w: weight of the loss in the score; 1 - w of nearness."
    )
    mak_candidates: float = Field(1.5, ge=1, le=100, description="Candidates, as a multiple of K.")


@samplers.register
class ColtSettings(RepeatedRoundSettings):
    """Picks the OOD images nearest to the tail of the feature space, every few epochs (Bai et al., ICLR 2023)."""

    kind = "colt"
    title = "COLT"
    implementation = "colt_core.samplers.colt:ColtSampler"

    cluster_order: Literal["index", "tail_first"] = Field(
        "index", description="Which cluster picks first: 0..C-1 (released), or the most tail-like."
    )
    pool_refresh: Literal["full", "candidates"] = Field(
        "full",
        description="candidates: a round embeds only 30 % of the pool anew, a rotating share and the best candidates; "
        "only these can be picked.",
    )

    @property
    def refreshes_candidates(self) -> bool:
        """By `pool_refresh`."""
        return self.pool_refresh == "candidates"

    def data_problems(self, num_pool: int | None, embedding_dim: int) -> Iterator[tuple[str, str]]:
        """Also a pool whose embeddings are too many to be kept from round to round."""
        yield from super().data_problems(num_pool, embedding_dim)
        too_many = num_pool is not None and 4 * num_pool * embedding_dim > _MOST_CARRIED
        if self.refreshes_candidates and too_many:
            yield (
                "pool_refresh",
                f"'candidates' keeps an embedding of {embedding_dim} dimensions of every pool image in each "
                f"checkpoint, which is too much for {num_pool} images: choose 'full'",
            )
