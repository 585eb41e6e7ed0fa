"""Memory of a run's processes, phase by phase. Imports no torch."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Literal

from colt_core.config import PretrainConfig
from colt_core.cost.shapes import EncoderShape
from colt_core.frameworks.kinds import FrameworkCost
from colt_core.samplers.kinds import MakSettings

Device = Literal["cpu", "cuda"]
Precision = Literal["fp32", "bf16"]
FLOAT, HALF = 4, 2  # bytes
ITEM = {"fp32": FLOAT, "bf16": HALF}
EMBED_BATCH = 512  # images in a block of `output_blocks` (colt_core/training/embed.py)
FEATURE_BLOCK = 4096  # images that a probe copies from the memory map (colt_core/probes/features.py)
LARGEST_IN_MEMORY = 2**30  # bytes of a pool's embeddings (colt_core/training/pool_embeddings.py)
PARTITIONS = 10  # batches that MAK deals again (colt_core/training/measure.py)
MAPS_FORWARD = 3  # maps of a block that a forward pass holds without gradients
# A process before its first step, measured with PyTorch 2.14. The files of libraries are left out,
# since processes share them. On a GPU it is the context; the host then holds what the driver maps.
BASE_BYTES: dict[Device, int] = {"cpu": 550 * 10**6, "cuda": 600 * 10**6}
HOST_BYTES_OF_CUDA = 3 * 10**9
# Bytes that an allocator holds for each byte of a step. A trainer's malloc keeps freed blocks
# (worker/supervisor.py): steps are faster, and hold 1.3 to 2.2 times as much, measured on ten runs.
# That of a GPU is an assumption.
HELD: dict[Device, float] = {"cpu": 1.65, "cuda": 1.2}
# The same of a CPU that does not multiply in bf16: it copies what it multiplies into fp32. 3.3 to
# 4.5, measured on one run.
HELD_EMULATED = 4.0


@dataclass(frozen=True, slots=True)
class Activations:
    """Bytes that a forward pass keeps for the backward pass.

    Attributes:
        per_view: bytes of each view.
        fixed: bytes beside them, whatever the batch, such as weights in another precision.
        measured: whether a worker measured them; else they are those of the layers' shapes.
    """

    per_view: float
    fixed: float
    measured: bool = False

    @classmethod
    def of_shapes(cls, encoder: EncoderShape, framework: FrameworkCost, precision: Precision) -> Activations:
        """Those of the encoder's layers."""
        in_half = HALF * (encoder.convolution + encoder.linear) if precision == "bf16" else 0
        return cls(ITEM[precision] * encoder.saved + encoder.index_bytes, framework.step_bytes + in_half)


@dataclass(frozen=True, slots=True)
class RunData:
    """Sizes of a run's data.

    Attributes:
        image_size: S, the side of the images in pixels.
        num_train: N, images of the training part.
        num_pool: M, images of the pool; 0 without one.
        num_evaluated: images whose features the evaluations need.
    """

    image_size: int
    num_train: int
    num_pool: int = 0
    num_evaluated: int = 0


@dataclass(frozen=True, slots=True)
class Memory:
    """Bytes of one process of the run. Its phases add up, since the allocator keeps what it has.

    Attributes:
        base: libraries, before the first step; on a GPU, its context.
        weights: the framework's state, its gradients and the optimiser's.
        step: views, activations and similarities of a step, as the allocator holds them.
        checkpoint: copies while a checkpoint is written; 0 on a GPU, where the host has them.
        sampling: embeddings and scores of a sampling round; 0 without one.
        evaluation: features of the job's evaluations; 0 without one.
    """

    base: int
    weights: int
    step: int
    checkpoint: int
    sampling: int
    evaluation: int

    @property
    def peak(self) -> int:
        """Bytes of the process at its peak."""
        return self.base + self.beyond_base

    @property
    def beyond_base(self) -> int:
        """The same without the libraries."""
        return self.weights + self.step + self.checkpoint + self.sampling + self.evaluation

    @property
    def largest(self) -> str:
        """The phase that needs most."""
        return max(("step", "checkpoint", "sampling", "evaluation"), key=lambda phase: int(getattr(self, phase)))

    @classmethod
    def of(
        cls,
        config: PretrainConfig,
        data: RunData,
        encoder: EncoderShape,
        framework: FrameworkCost,
        activations: Activations,
        precision: Precision,
        device: Device,
        emulated: bool = False,
    ) -> Memory:
        """Memory of a process of a run. The first one also writes checkpoints and finds rounds.

        Args:
            emulated: whether the device does not multiply in that precision.
        """
        state = FLOAT * encoder.state + framework.state_bytes
        trained = FLOAT * (encoder.parameters + framework.trained)
        moments = moments_of(config) * trained
        return cls(
            base=BASE_BYTES[device],
            weights=state + trained + moments,
            step=int(
                (HELD_EMULATED if emulated else HELD[device])
                * _step(config, data, encoder, framework, activations, precision)
            ),
            # A copy of the state, then of the backbone: as rows, as bytes, and all bytes together.
            checkpoint=0 if device == "cuda" else state + moments + 3 * FLOAT * encoder.backbone,
            sampling=_sampling(config, data, encoder, precision),
            evaluation=_evaluation(data, encoder, precision),
        )


def moments_of(config: PretrainConfig) -> int:
    """Values that the optimiser keeps for each trained one."""
    return 2 if config.optimizer == "adamw" else int(config.momentum > 0)


def _step(
    config: PretrainConfig,
    data: RunData,
    encoder: EncoderShape,
    framework: FrameworkCost,
    activations: Activations,
    precision: Precision,
) -> float:
    """A process has its share of the batch's views, but all of its embeddings."""
    views = 2 * -(-config.batch_size // config.num_processes)
    pixels = 3 * data.image_size**2
    item = ITEM[precision]
    of_views = views * pixels * (1.5 + FLOAT + (item if precision == "bf16" else 0))  # uint8, once and twice; float32
    backward = activations.fixed + views * (activations.per_view + item * (encoder.peak - encoder.saved))
    embeddings = 2 * config.batch_size
    similarities = FLOAT * embeddings * (embeddings if framework.columns is None else framework.columns)
    copies = framework.copies
    shared = config.temperature_schedule == "constant"  # else the softmax of L_CL serves nothing else
    if config.sampler.uses_pool:
        of_distribution = 2 if config.distribution_denominator == "cross_domain" else int(not shared)
        copies += of_distribution * (config.distribution_loss_weight > 0)
    # The tailness is read from the same matrix or one of its own, once the activations are free.
    after = (1.5 if config.ood_in_negatives and shared else 2.5) * FLOAT * embeddings**2
    return of_views + max(backward + copies * similarities, after)


def _sampling(config: PretrainConfig, data: RunData, encoder: EncoderShape, precision: Precision) -> int:
    if len(config.round_epochs()) == 0:
        return 0
    row = FLOAT * config.projection_dim
    num_pool = data.num_pool if config.sampler.uses_pool else 0
    pool = num_pool * row
    found = 2 * data.num_train * row + (pool if pool <= LARGEST_IN_MEMORY else 0)
    if config.rounds.refreshes_candidates:
        found += 2 * pool
    found += 24 * (data.num_train + num_pool)  # scores, clusters and order
    found += 12 * prod(config.rounds.nearest_shape(config.rounds.sample_budget, data.num_train))
    if isinstance(config.sampler, MakSettings):
        found += 2 * FLOAT * encoder.features * (data.num_train + num_pool)
        found += config.sampler.mak_passes * PARTITIONS * config.batch_size * row
    return int(found + _forward(max(data.num_train, num_pool), data.image_size, encoder, precision))


def _evaluation(data: RunData, encoder: EncoderShape, precision: Precision) -> int:
    if data.num_evaluated == 0:
        return 0
    copied = min(data.num_evaluated, FEATURE_BLOCK) * 3 * data.image_size**2
    features = 2 * FLOAT * encoder.features * data.num_evaluated
    return int(copied + features + _forward(data.num_evaluated, data.image_size, encoder, precision))


def _forward(images: int, image_size: int, encoder: EncoderShape, precision: Precision) -> int:
    """A forward pass without gradients over a block of images."""
    item = ITEM[precision]
    each = 3 * image_size**2 * (1 + FLOAT + item) + MAPS_FORWARD * item * encoder.largest
    return min(images, EMBED_BATCH) * each
