"""One pretraining run's configuration: the same frozen object in the library, the API and the database.

This module imports no torch, so that the API can check a job without loading it.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, PositiveInt, ValidationInfo, field_validator

from colt_core.data.groups import GroupThresholds
from colt_core.presets import MOST_EPOCHS, PresetName, preset_settings, scaled_schedule

Backbone = Literal["resnet10", "resnet18", "resnet34", "resnet50"]
Share = Annotated[float, Field(gt=0, lt=1)]
_MOST_CARRIED = 2**30  # bytes, of float32 embeddings: 2 M pool images of 128 dimensions
_LARGE = 2**31  # nothing is counted that far, and a number that no float holds would end the run


class PretrainConfig(BaseModel):
    """Every switch of a run, resolved. Defaults are those of the released CIFAR code.

    Build one from a user's partial settings with :meth:`resolve`, which fills what is missing from a preset.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    preset: PresetName | None = Field(None, description="Where the values that were not given came from.")
    framework: Literal["simclr", "sdclr", "bcl"] = "simclr"
    sampler: Literal["none", "random", "mak", "colt"] = "colt"

    # Encoder
    backbone: Backbone = Field("resnet18", description="resnet10 has one basic block a stage.")
    width: int = Field(64, ge=4, le=256, description="Channels of the first stage; 64 is the standard.")
    stem: Literal["cifar", "cifar-stride2", "imagenet"] = Field(
        "cifar", description="3x3 stride 1; 3x3 stride 2; or 7x7 stride 2 with max-pool."
    )
    projection_dim: int = Field(128, ge=2, le=4096)

    # Optimisation
    epochs: int = Field(2000, ge=1, le=MOST_EPOCHS)
    batch_size: int = Field(512, ge=2, le=65_536, description="Images a step; each gives two views.")
    temperature: float = Field(0.2, ge=1e-4, le=10, description="tau")
    optimizer: Literal["sgd", "adamw"] = "sgd"
    learning_rate: float = Field(0.5, gt=0, le=100)
    final_learning_rate: float = Field(1e-6, ge=0, le=100, description="Where the cosine ends.")
    momentum: float = Field(0.9, ge=0, lt=1, description="SGD momentum, or AdamW's first beta.")
    weight_decay: float = Field(1e-4, ge=0, le=1, description="On every parameter.")
    lr_warmup_epochs: int = Field(
        10, ge=0, lt=_LARGE, description="Linear warm-up of the learning rate, counted in epochs of steps."
    )

    # SDCLR and BCL
    prune_share: float = Field(
        0.9, gt=0, lt=1, description="SDCLR: share of all convolution weights that its pruned branch goes without."
    )
    bcl_variant: Literal["I", "D"] = Field(
        "I", description="BCL: on SimCLR with one RandAugment operation a view, or on SDCLR with two."
    )
    loss_momentum: float = Field(0.97, ge=0, lt=1, description="beta: BCL's average of a sample's loss over epochs.")

    # Augmentation
    min_crop_scale: float = Field(0.1, gt=0, le=1, description="RandomResizedCrop takes this share of the area, to 1.")
    flip_probability: float = Field(0.5, ge=0, le=1, description="Horizontal flip.")
    color_jitter: float = Field(
        0.4, ge=0, le=1, description="Brightness, contrast and saturation; hue gets a quarter of it."
    )
    color_jitter_probability: float = Field(0.8, ge=0, le=1)
    grayscale_probability: float = Field(0.2, ge=0, le=1)
    blur_probability: float = Field(0.0, ge=0, le=1, description="Gaussian blur of sigma 0.1 to 2 pixels.")
    augmentation: Literal["exact", "fused"] = Field(
        "exact",
        description="fused: colour jitter and grayscale as one affine map of a pixel, clamped once at "
        "the end; near the exact views, and cheaper.",
    )

    # Sampling rounds
    match_steps: bool = Field(
        False,
        description="Sampler 'none': goes through the ID images again until an epoch has as many steps as with K OOD "
        "images, so that a gain can be told from more training. The other samplers take these steps anyway.",
    )
    warmup_epochs: int = Field(
        100, ge=1, lt=_LARGE, validate_default=True, description="w: the first sampling round opens epoch w + 1."
    )
    sample_interval: int = Field(25, ge=1, lt=_LARGE, description="r: epochs between two rounds.")
    sample_budget: int = Field(10_000, ge=1, lt=_LARGE, description="K: OOD images picked a round.")
    redraw: bool = Field(True, description="Sampler 'random': draw anew each round, or keep the first draw.")
    top_k: PositiveInt | Share = Field(
        10, description="Largest negative probabilities summed: a number of them, or a share of the negatives."
    )
    tailness_momentum: float = Field(0.97, ge=0, lt=1, description="m")
    ood_in_negatives: bool = Field(True, description="Whether OOD embeddings count among a sample's negatives.")
    num_clusters: int = Field(10, ge=1, le=10_000, description="C")
    kmeans_restarts: int = Field(10, ge=1, le=100)
    cluster_temperature: float = Field(1.0, gt=0, description="tau_c")
    budget_remainder: Literal["largest", "last"] = Field(
        "largest",
        description="Integer budgets by largest remainder; or all that is left to the last cluster (released).",
    )
    cluster_order: Literal["index", "tail_first"] = Field(
        "index", description="Which cluster picks first: 0..C-1 (released), or the most tail-like."
    )
    mak_passes: int = Field(10, ge=2, le=100, description="R: augmented passes that MAK averages a loss over.")
    mak_loss_weight: float = Field(0.5, ge=0, le=1, description="w: of the loss in MAK's score; the rest is proximity.")
    mak_candidates: float = Field(1.5, ge=1, le=100, description="MAK's candidates, as a multiple of K.")
    ood_neighbors: int = Field(
        20, ge=1, le=1000, description="ID neighbours that an OOD sample's tailness averages over."
    )
    neighbor_search: Literal["exact", "approximate"] = Field(
        "exact",
        description="How these neighbours are found; approximate is for pools of many millions, with 4,096 training "
        "images or more: of CIFAR-10-LT it finds 96 % of the neighbours, of features without structure far fewer.",
    )
    pool_refresh: Literal["full", "candidates"] = Field(
        "full",
        description="candidates: a round embeds anew only a rotating share of the pool and the best candidates by "
        "what this tells of the others, 30 % in all; only these can be picked.",
    )

    # Distribution-level loss
    distribution_loss_weight: float = Field(0.2, ge=0, le=1000, description="alpha; 0 leaves the term out.")
    distribution_denominator: Literal["all", "cross_domain"] = Field(
        "all", description="Released: every other embedding; paper: the other distribution's."
    )

    # Evaluation
    group_thresholds: GroupThresholds | None = Field(
        None, description="Many, Medium and Few by training counts; by thirds of the rank where not given."
    )

    # Running
    seed: int = Field(0, ge=0, lt=2**31)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="auto: bf16 where the hardware computes in it."
    )
    num_processes: int = Field(
        1, ge=1, le=1024, description="Data-parallel ranks: each trains on its share of every batch."
    )
    checkpoint_interval: int = Field(
        10, ge=1, lt=_LARGE, description="Epochs between two checkpoints; the last epoch always has one."
    )

    @classmethod
    def resolve(cls, settings: dict[str, Any]) -> Self:
        """Fill a user's partial settings from their preset (if they name one) and the defaults.

        A preset's schedule (rounds, learning-rate warm-up, averages over epochs) was chosen for its number of epochs;
        where the user sets `epochs` alone, what depends on it is scaled along.

        Raises:
            pydantic.ValidationError: for an unknown key or preset, or a value out of range.
        """
        base = {**cls.defaults(), **preset_settings(settings)}
        return cls.model_validate({**base, **scaled_schedule(base, settings), **settings})

    @classmethod
    def defaults(cls) -> dict[str, Any]:
        """The value of every field that is given neither by the user nor by a preset."""
        return {name: field.default for name, field in cls.model_fields.items()}

    @field_validator("warmup_epochs")
    @classmethod
    def _leaves_an_epoch_for_a_round(cls, warmup_epochs: int, info: ValidationInfo) -> int:
        epochs = info.data.get("epochs")  # missing where it is wrong itself
        rounds = info.data.get("sampler", "none") != "none" or info.data.get("match_steps")
        if epochs is not None and rounds and warmup_epochs >= epochs:
            raise ValueError(
                f"warmup_epochs {warmup_epochs} leaves no epoch for a sampling round, or the steps that would follow "
                f"one: it must be below epochs {epochs}"
            )
        return warmup_epochs

    @field_validator("pool_refresh")
    @classmethod
    def _of_rounds_that_compare(cls, pool_refresh: str, info: ValidationInfo) -> str:
        if pool_refresh == "candidates" and info.data.get("sampler", "colt") != "colt":
            raise ValueError(
                f"only sampler 'colt' has candidates, and this one is {info.data['sampler']!r}: choose 'full'"
            )
        return pool_refresh

    def data_problems(self, num_train: int, num_pool: int | None) -> list[tuple[str, str]]:
        """What keeps this configuration from running on data of these sizes.

        Args:
            num_train: images in the training part.
            num_pool: images in the OOD pool, or None without one.

        Returns:
            (field, what to change) pairs; empty when the run is possible.
        """
        problems = []
        if self.batch_size > num_train:
            problems.append(("batch_size", f"{self.batch_size} is more than the {num_train} training images"))
        if self.batch_size < 2 * self.num_processes:
            problems.append(
                (
                    "num_processes",
                    f"{self.num_processes} processes get less than 2 images each of batch_size {self.batch_size}",
                )
            )
        if self.sampler != "none":
            if num_pool is None:
                problems.append(("sampler", f"'{self.sampler}' needs an OOD pool; name one, or choose 'none'"))
            elif self.sample_budget > num_pool:
                problems.append(
                    ("sample_budget", f"{self.sample_budget} is more than the {num_pool} images of the pool")
                )
            elif self.pool_refresh == "candidates" and 4 * num_pool * self.projection_dim > _MOST_CARRIED:
                problems.append(
                    (
                        "pool_refresh",
                        f"'candidates' keeps an embedding of {self.projection_dim} dimensions of every pool image in "
                        f"each checkpoint, which is too much for {num_pool} images: choose 'full'",
                    )
                )
            if self.num_clusters > num_train:
                problems.append(("num_clusters", f"{self.num_clusters} is more than the {num_train} training images"))
        longest = num_train + (self.sample_budget if self.sampler != "none" or self.match_steps else 0)
        if self.epochs * -(-longest // self.batch_size) >= _LARGE:
            problems.append(("epochs", f"{self.epochs} of up to {longest} images are {_LARGE} steps or more"))
        return problems

    def round_epochs(self) -> range:
        """The 1-based epochs that open with a sampling round."""
        if self.sampler == "none":
            return range(0)
        if self.sampler == "mak":  # picks once, with the model that the warm-up gave
            return range(self.warmup_epochs + 1, self.warmup_epochs + 2)
        return range(self.warmup_epochs + 1, self.epochs + 1, self.sample_interval)
