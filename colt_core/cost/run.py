"""What a run needs: memory of its processes, checkpoints, and what it records. Imports no torch.

The activations are those that a worker measured by a dry run of a small batch (`dry_run.py`), or
else those of the encoder's layer shapes. All else is computed from the configuration.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

from colt_core.config import PretrainConfig
from colt_core.cost.memory import FLOAT, HALF, Activations, Device, Memory, Precision, RunData, moments_of
from colt_core.cost.shapes import EncoderShape, encoder_shape
from colt_core.frameworks.kinds import FrameworkCost
from colt_core.training.beginning import Beginning
from colt_core.training.schedule import Schedule

# Bytes of a checkpoint beside its values: of each tensor (zip entries, padding, its name), and of
# its configuration. The last is of each tensor in the backbone's safetensors file.
_TENSOR_BYTES, _CONFIG_BYTES, _NAMED_BYTES = 440, 6000, 105
_OF_A_STEP, _OF_AN_EPOCH = 3, 6  # points of curves (worker/recorder.py)


@dataclass(frozen=True, slots=True)
class RunCost:
    """What a run needs.

    Attributes:
        parameters: trained values.
        precision: of the activations.
        measured: whether the activations were measured, else computed.
        memory: of each process.
        processes: on each machine.
        steps, epochs, rounds: over the whole run.
        checkpoints: written over the run.
        checkpoint_bytes: of one checkpoint, with the backbone beside it.
        metrics: points of its curves.
        tailness_values: a value of each training image after each epoch.
        pool_values: a score of each pool image after each round.
        cluster_values: the cluster of each training image after each round.
        nearest_values: training images near the picks of all rounds.
    """

    parameters: int
    precision: Precision
    measured: bool
    memory: Memory
    processes: int
    steps: int
    epochs: int
    rounds: int
    checkpoints: int
    checkpoint_bytes: int
    metrics: int
    tailness_values: int
    pool_values: int
    cluster_values: int
    nearest_values: int

    @property
    def total_memory(self) -> int:
        """Bytes of all processes on a machine together."""
        return self.processes * self.memory.peak

    @property
    def written_bytes(self) -> int:
        """Bytes of all checkpoints that the run writes, kept or not."""
        return self.checkpoints * self.checkpoint_bytes


def run_cost(
    config: PretrainConfig,
    data: RunData,
    *,
    device: Device = "cpu",
    precision: Precision = "fp32",
    emulated: bool = False,
    activations: Activations | None = None,
) -> RunCost:
    """What a run needs, within a factor of 1.5 (`tests/integration/test_cost.py`).

    Args:
        config: the run.
        data: sizes of its data.
        device, precision: what `auto` is on the machine.
        emulated: whether the device does not multiply in that precision.
        activations: measured ones of this encoder. None: those of the layers' shapes.
    """
    encoder = encoder_shape(config.backbone, config.width, config.stem, config.projection_dim, data.image_size)
    framework = config.framework.cost(encoder, config.projection_dim, data.num_train)
    found = activations or Activations.of_shapes(encoder, framework, precision)
    schedule, rounds = Schedule(config, data.num_train), len(config.round_epochs())
    long_epochs = config.sampler.long_epochs(config.epochs)
    with_ood = config.sampler.uses_pool and config.distribution_loss_weight > 0 and len(long_epochs) > 0
    ood_steps = schedule.steps - schedule.steps_before(long_epochs[0]) if with_ood else 0
    return RunCost(
        parameters=encoder.parameters + framework.trained,
        precision=precision,
        measured=found.measured,
        memory=Memory.of(config, data, encoder, framework, found, precision, device, emulated),
        processes=config.processes_per_host,
        steps=schedule.steps,
        epochs=config.epochs,
        rounds=rounds,
        checkpoints=_checkpoints(config, data.num_train),
        checkpoint_bytes=_checkpoint_bytes(config, data, encoder, framework),
        metrics=_OF_A_STEP * schedule.steps + ood_steps + _OF_AN_EPOCH * config.epochs,
        tailness_values=config.epochs * data.num_train,
        pool_values=rounds * data.num_pool if config.sampler.uses_pool else 0,
        cluster_values=rounds * data.num_train,
        nearest_values=_nearest_values(config, data.num_train),
    )


def _nearest_values(config: PretrainConfig, num_train: int) -> int:
    rounds = len(config.round_epochs())
    return rounds * prod(config.rounds.nearest_shape(config.rounds.sample_budget, num_train)) if rounds else 0


def _checkpoints(config: PretrainConfig, num_train: int) -> int:
    beginning = Beginning.of(config, num_train)
    epochs = {config.epochs, *range(config.checkpoint_interval, config.epochs, config.checkpoint_interval)}
    epochs |= {epoch - 1 for epoch in config.round_epochs()} | ({beginning.epochs} if beginning else set())
    return len(epochs - {0})


def _checkpoint_bytes(config: PretrainConfig, data: RunData, encoder: EncoderShape, framework: FrameworkCost) -> int:
    """Of the whole state, and of the backbone beside it."""
    moments = moments_of(config)
    values = FLOAT * encoder.state + framework.state_bytes
    values += moments * FLOAT * (encoder.parameters + framework.trained)
    values += 5 * data.num_train  # tailness, and whether it was seen
    if config.sampler.picks:
        values += 8 * config.rounds.sample_budget
        if config.rounds.refreshes_candidates:
            values += HALF * data.num_pool * config.projection_dim
    tensors = encoder.tensors + framework.state_tensors + moments * encoder.trained_tensors
    backbone = FLOAT * encoder.backbone + _NAMED_BYTES * encoder.backbone_tensors
    return values + _TENSOR_BYTES * tensors + _CONFIG_BYTES + backbone
