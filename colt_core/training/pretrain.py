"""The training loop, top to bottom: COLT (Bai et al. 2023), or its baselines without OOD images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from time import perf_counter
from typing import Any

import torch
from torch import Tensor

from colt_core.augment import BatchAugmenter
from colt_core.config import PretrainConfig
from colt_core.distributed import Ranks, gather_views, sum_gradients
from colt_core.distributed.round import first_finds
from colt_core.events import CheckpointReady, EpochDone, Event, Finished, RoundDone, StepDone, Stopped
from colt_core.losses import distribution_contrastive, log_norm, nt_xent
from colt_core.samplers import RoundFields, Sampler, sampler_for, sampling_round
from colt_core.seeding import generator
from colt_core.tailness import negative_tailness
from colt_core.training.batches import epoch_batches
from colt_core.training.device import Compute
from colt_core.training.embed import Images, are_directions, embed
from colt_core.training.inputs import checked_data
from colt_core.training.measure import measure_pool
from colt_core.training.optimizer import set_learning_rate
from colt_core.training.schedule import Schedule
from colt_core.training.state import TrainingState
from colt_core.training.views import batch_views


class TrainingDiverged(RuntimeError):
    """The loss is not finite, and the weights are still those before the step; or a round's embeddings are not."""


def pretrain(
    config: PretrainConfig,
    images: Images,
    pool: Images | None = None,
    *,
    resume_from: dict[str, Any] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[Event]:
    """Train an encoder, and yield an event (colt_core/events.py) for every step, epoch, round and checkpoint.

    A run is a function of (config, images, pool) on one machine: resumed at any step, it ends bit for bit where it
    would have ended. A resumed run yields nothing of what the checkpoint has behind it.

    With `num_processes` > 1 every process calls this inside of `process_group`, with the same arguments, and goes
    through all events, which are the same in each; losses and gradients are those of one process, up to rounding.

    Args:
        config: what to train.
        images: the ID training images, (N, 3, S, S) uint8, array, memory map or tensor. Labels play no part.
        pool: the OOD images, (M, 3, S, S) uint8; needed by every sampler but "none".
        resume_from: the `state` of a CheckpointReady event, or what `load_checkpoint` gives.
        should_stop: asked after every step and every sampling round; once it says yes, the run yields
            CheckpointReady and Stopped, and ends. Of several processes, the first one's answer counts.

    Raises:
        ValueError: at once, if the configuration cannot run on the data, `resume_from` is of another run, or the
            process is not one of `num_processes`.
        RuntimeError: if another process has ended, or was given another checkpoint.
        TrainingDiverged: while running, if the loss or an embedding is not finite.
    """
    train_images, pool_images, data = checked_data(config, images, pool)
    compute, ranks = Compute.of(config), Ranks.of(config)
    state = TrainingState.start(config, data, compute, ranks)
    if resume_from is not None:
        state.restore(resume_from)
    ranks.check_same(state.epoch, state.step, state.rounds)
    return _run(state, train_images, pool_images, compute, ranks, should_stop)


def _run(
    state: TrainingState, images: Any, pool: Any, compute: Compute, ranks: Ranks, should_stop: Callable[[], bool]
) -> Iterator[Event]:
    config, framework, tailness = state.config, state.framework, state.tailness
    schedule = Schedule(config, len(images))
    round_epochs = config.round_epochs()
    sampler = sampler_for(config)
    augment = BatchAugmenter.of(config)

    while state.epoch < config.epochs:
        epoch = state.epoch + 1
        epoch_began = perf_counter()
        batches_done = state.step - schedule.steps_before(epoch)

        if sampler and epoch in round_epochs and state.rounds == round_epochs.index(epoch):
            found = _find_round(state, images, pool, sampler, augment, ranks)
            state.rounds, state.selected = state.rounds + 1, found["selected"]
            yield RoundDone(state.rounds, epoch, state.step, **found, seconds=perf_counter() - epoch_began)
            if ranks.first_says(should_stop()):
                yield from _stop(state)
                return

        framework.train()
        if batches_done == 0:
            framework.begin_epoch(epoch)
        position = (config.seed, epoch, schedule.steps_in(epoch), batches_done)
        for batch in epoch_batches(images, pool, state.selected, config.batch_size, *position, ranks=ranks):
            step_began = perf_counter()
            step, learning_rate = state.step + 1, schedule.learning_rate(state.step + 1)
            with compute.deterministic(), compute.autocast():
                views = batch_views(batch, framework, augment, generator(config.seed, "augment", step), compute, ranks)
                z_2BD = gather_views(framework(views), len(batch.index), ranks)
            contrastive, per_sample_B, distribution = _losses(z_2BD, batch.is_ood, config)
            loss = contrastive if distribution is None else contrastive + config.distribution_loss_weight * distribution
            if not torch.isfinite(loss):
                raise TrainingDiverged(
                    f"the loss is {loss.item()} in epoch {epoch}, step {step}, at learning rate {learning_rate:.4g}: "
                    "try a lower learning_rate or a longer lr_warmup_epochs"
                )
            state.optimizer.zero_grad()
            with compute.deterministic():
                loss.backward()  # type: ignore[no-untyped-call]
            sum_gradients(framework, ranks)
            set_learning_rate(state.optimizer, learning_rate)
            state.optimizer.step()

            # A short batch has fewer negatives, so its scores and losses are not comparable: the last ones are kept.
            # Further passes of an epoch (match_steps) add none either: one value a sample and epoch.
            if batch.first_pass and len(batch.index) == config.batch_size:
                raw_B = negative_tailness(
                    z_2BD.detach(), config.temperature, config.top_k, batch.is_ood, config.ood_in_negatives
                )
                tailness.update(batch.index[~batch.is_ood], raw_B.cpu()[~batch.is_ood])
                framework.observe(batch.index, batch.is_ood, per_sample_B.detach())

            state.step, state.loss_sum = step, state.loss_sum + loss.item()
            yield StepDone(
                epoch=epoch,
                step=step,
                steps=schedule.steps,
                loss=loss.item(),
                contrastive_loss=contrastive.item(),
                distribution_loss=None if distribution is None else distribution.item(),
                learning_rate=learning_rate,
                seconds=perf_counter() - step_began,
            )
            if ranks.first_says(should_stop()):
                yield from _stop(state)
                return

        mean_loss = state.loss_sum / schedule.steps_in(epoch)
        state.epoch, state.loss_sum = epoch, 0.0
        yield EpochDone(
            epoch=epoch,
            step=state.step,
            loss=mean_loss,
            tailness=tailness.scores().numpy(),
            images=schedule.images(epoch),
            seconds=perf_counter() - epoch_began,
        )
        if epoch % config.checkpoint_interval == 0 or epoch == config.epochs:
            yield CheckpointReady(state.epoch, state.step, state.snapshot())

    yield Finished(state.epoch, state.step)


def _find_round(
    state: TrainingState, images: Any, pool: Any, sampler: Sampler, augment: BatchAugmenter, ranks: Ranks
) -> RoundFields:
    """Embed everything with the weights as they are, and find the next sampling round."""
    config, framework, number = state.config, state.framework, state.rounds + 1
    id_z, ood_z = (embed(framework, part, precision=config.precision, ranks=ranks) for part in (images, pool))
    # Running statistics may overflow in evaluation mode while batch statistics still give a loss.
    if not (are_directions(id_z) and are_directions(ood_z)):
        raise TrainingDiverged(
            f"the embeddings before epoch {state.epoch + 1}, which sampling round {number} is to compare, are not "
            "finite, or too large: try a lower learning_rate or a longer lr_warmup_epochs"
        )
    measures = measure_pool(framework, images, pool, augment, config, ranks) if sampler.needs_measures else None
    find = partial(sampling_round, id_z, ood_z, state.tailness.scores(), sampler, config, number, measures)
    return first_finds(find, ranks, config, len(images), len(pool))


def _stop(state: TrainingState) -> Iterator[Event]:
    yield CheckpointReady(state.epoch, state.step, state.snapshot())
    yield Stopped(state.epoch, state.step)


def _losses(z_2BD: Tensor, is_ood_B: Tensor, config: PretrainConfig) -> tuple[Tensor, Tensor, Tensor | None]:
    """L_CL and each sample's own, and L_SCL (not weighted yet) where the batch holds OOD samples and alpha is not 0."""
    norm_2B = log_norm(z_2BD, config.temperature)
    contrastive, per_sample_B = nt_xent(z_2BD, config.temperature, norm_2B)
    if config.distribution_loss_weight == 0 or not is_ood_B.any():
        return contrastive, per_sample_B, None
    distribution = distribution_contrastive(
        z_2BD, is_ood_B, config.temperature, config.distribution_denominator, norm_2B
    )
    return contrastive, per_sample_B, distribution
