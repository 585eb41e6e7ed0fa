"""The kinds of frameworks, each with the settings that it reads. Imports no torch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator

from colt_core.kinds import FieldMark, Registry, Settings

if TYPE_CHECKING:
    from colt_core.cost.shapes import EncoderShape


@dataclass(frozen=True, slots=True)
class FrameworkCost:
    """What a framework needs beside one encoder, for estimates of memory and checkpoints.

    Attributes:
        state_bytes: bytes of its state dict beside the encoder's.
        trained: trained values beside the encoder's.
        state_tensors: tensors of its state dict beside the encoder's.
        step_bytes: bytes that a step keeps for its backward pass, whatever the batch.
        columns: embeddings that each embedding of a batch is compared with. None: the batch's own.
        copies: matrices of these similarities, float32, that a step holds at once.
    """

    state_bytes: int = 0
    trained: int = 0
    state_tensors: int = 0
    step_bytes: int = 0
    columns: int | None = None
    copies: float = 1


def _pruned_branch_cost(encoder: EncoderShape) -> FrameworkCost:
    """Masks of a byte for each weight, batch norms of its own, and a masked copy of weights."""
    return FrameworkCost(
        state_bytes=encoder.convolution + 2 * 4 * encoder.norms,
        trained=encoder.norms,
        state_tensors=encoder.tensors,
        step_bytes=4 * encoder.convolution,
    )


class FrameworkSettings(Settings):
    """Settings of a framework. `implementation` names a subclass of `colt_core.Framework`."""

    rand_augment_operations: ClassVar[int] = 0
    """RandAugment operations for each view, after the SimCLR augmentation."""

    @classmethod
    def preset_changes(cls, preset: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
        """Values of a preset that the framework's authors changed.

        Args:
            preset: the preset's own values.
            settings: the user's, not validated yet.
        """
        return {}

    def cost(self, encoder: EncoderShape, embedding_dim: int, num_train: int) -> FrameworkCost:
        """What the framework needs beside the encoder.

        Override it for estimates that are right before any run: a worker measures the activations
        of a new framework, not its state.
        """
        return FrameworkCost()

    def conflicts(self, embedding_dim: int) -> Iterator[tuple[str, str]]:
        """Yields (setting, what to change) for settings that do not fit this embedding size."""
        yield from ()

    @classmethod
    def stored_settings(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """The framework's settings among those that an older version stored."""
        return {name: values[name] for name in cls.model_fields if name in values}


frameworks: Registry[FrameworkSettings] = Registry("framework")

_MAX_QUEUE_BYTES = 2**28  # of float32: the queue is in every checkpoint
PruneShare = Annotated[float, Field(gt=0, lt=1)]


def _pruning_of_large_images(preset: Mapping[str, Any]) -> dict[str, Any]:
    """The values of SDCLR's authors for ImageNet-100."""
    return {"prune_share": 0.3, "temperature": 0.3} if preset.get("stem") == "imagenet" else {}


@frameworks.register
class SimclrSettings(FrameworkSettings):
    """One encoder takes both views in one batch (Chen et al., ICML 2020)."""

    kind = "simclr"
    title = "SimCLR"
    implementation = "colt_core.frameworks.simclr:SimCLR"


@frameworks.register
class SdclrSettings(FrameworkSettings):
    """View 2 goes through a pruned copy of the encoder, which forgets the tail first (Jiang et al.,
    ICML 2021)."""

    kind = "sdclr"
    title = "SDCLR"
    implementation = "colt_core.frameworks.sdclr:SDCLR"

    prune_share: PruneShare = Field(0.9, description="p: share of all convolution weights that are pruned.")

    def cost(self, encoder: EncoderShape, embedding_dim: int, num_train: int) -> FrameworkCost:
        """That of the pruned branch."""
        return _pruned_branch_cost(encoder)

    @classmethod
    def preset_changes(cls, preset: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
        """On large images, a smaller share and a higher temperature."""
        return _pruning_of_large_images(preset)


@frameworks.register
class BclSettings(FrameworkSettings):
    """The worse a sample is memorised, the more strongly its views are augmented (Zhou et al., ICML
    2022)."""

    kind = "bcl"
    title = "BCL"
    implementation = "colt_core.frameworks.bcl:BCL"

    bcl_variant: Literal["I", "D"] = Field(
        "I", description="I: SimCLR with one RandAugment operation for each view. D: SDCLR with two."
    )
    loss_momentum: Annotated[float, FieldMark.EPOCH_MOMENTUM] = Field(
        0.97, ge=0, lt=1, description="beta: momentum of a sample's average loss over epochs."
    )
    prune_share: PruneShare | None = Field(
        None,
        validate_default=True,
        description="Only for variant D: share of all convolution weights that are pruned. Default: 0.9.",
    )

    def cost(self, encoder: EncoderShape, embedding_dim: int, num_train: int) -> FrameworkCost:
        """Loss, strength and whether it was seen, of each training image; in D also the branch."""
        branch = _pruned_branch_cost(encoder) if self.bcl_variant == "D" else FrameworkCost()
        return replace(branch, state_bytes=branch.state_bytes + 9 * num_train, state_tensors=branch.state_tensors + 3)

    @property
    def rand_augment_operations(self) -> int:  # type: ignore[override]
        """One for variant I, two for D."""
        return 1 if self.bcl_variant == "I" else 2

    @field_validator("prune_share")
    @classmethod
    def _prunes_in_variant_d(cls, prune_share: float | None, info: ValidationInfo) -> float | None:
        if info.data.get("bcl_variant") == "D":
            return 0.9 if prune_share is None else prune_share
        if prune_share is not None:
            raise ValueError("only BCL variant 'D' prunes: leave it out, or set bcl_variant 'D'")
        return None

    @classmethod
    def preset_changes(cls, preset: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
        """In variant I a larger weight decay; in variant D the changes of SDCLR."""
        return _pruning_of_large_images(preset) if settings.get("bcl_variant") == "D" else {"weight_decay": 5e-4}

    @classmethod
    def stored_settings(cls, values: Mapping[str, Any]) -> dict[str, Any]:
        """Older versions stored an unused prune_share for variant I too. It is left out."""
        kept = super().stored_settings(values)
        if kept.get("bcl_variant", "I") == "I":
            kept.pop("prune_share", None)
        return kept


@frameworks.register
class MocoSettings(FrameworkSettings):
    """Views are compared with keys of a momentum encoder and a queue of earlier keys (He et al.,
    CVPR 2020)."""

    kind = "moco"
    title = "MoCo v2"
    implementation = "colt_core.frameworks.moco:MoCo"

    queue_size: int = Field(4096, ge=1, le=2**20, description="Keys of earlier batches that serve as negatives.")
    key_momentum: float = Field(
        0.99, ge=0, lt=1, description="m: share of the key encoder that stays at each step. 0.999 as published."
    )

    def cost(self, encoder: EncoderShape, embedding_dim: int, num_train: int) -> FrameworkCost:
        """The key encoder and the queue, which a batch is compared with."""
        return FrameworkCost(
            state_bytes=4 * (encoder.state + self.queue_size * embedding_dim),
            state_tensors=encoder.tensors + 2,
            columns=self.queue_size + 1,
            copies=4,
        )

    def conflicts(self, embedding_dim: int) -> Iterator[tuple[str, str]]:
        """A queue that is too large for a checkpoint."""
        largest = _MAX_QUEUE_BYTES // (4 * embedding_dim)
        if self.queue_size > largest:
            yield (
                "queue_size",
                f"{self.queue_size} keys of projection_dim {embedding_dim} are too many for a checkpoint: "
                f"choose at most {largest}",
            )


@frameworks.register
class GhSettings(FrameworkSettings):
    """SimCLR that also spreads the groups it finds to fixed directions at equal angles (Geometric
    Harmonization, Zhou et al., NeurIPS 2023)."""

    kind = "gh"
    title = "GH"
    implementation = "colt_core.frameworks.gh:GH"

    gh_directions: int = Field(
        100, ge=2, le=4097, description="K: directions, at most projection_dim + 1. For ten classes try 20."
    )
    gh_ramp_epochs: Annotated[int, FieldMark.EPOCHS] = Field(
        10, ge=1, le=2**31 - 1, description="Epochs after half the run in which the weight of L_GH rises to 1."
    )

    def cost(self, encoder: EncoderShape, embedding_dim: int, num_train: int) -> FrameworkCost:
        """Each training image's average and whether it was seen; directions, shares and weight."""
        values = self.gh_directions * (num_train + embedding_dim + 1) + 1
        return FrameworkCost(state_bytes=4 * values + num_train, state_tensors=5)

    def conflicts(self, embedding_dim: int) -> Iterator[tuple[str, str]]:
        """More directions than can have equal angles."""
        if self.gh_directions > embedding_dim + 1:
            yield (
                "gh_directions",
                f"{self.gh_directions} directions at equal angles need more dimensions than projection_dim "
                f"{embedding_dim}: choose at most {embedding_dim + 1}",
            )
