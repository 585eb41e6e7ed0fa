"""The training loop, top to bottom: COLT (Bai et al. 2023), or its baselines without OOD images."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from functools import partial
from time import perf_counter
from typing import Any

from torch import Tensor

from colt_core.augment import BatchAugmenter
from colt_core.config import PretrainConfig
from colt_core.distributed import Ranks, gather_views, sum_gradients
from colt_core.events import CheckpointReady, EpochDone, Event, Finished, RoundDone, StepDone, Stopped
from colt_core.samplers import sampler_for
from colt_core.seeding import generator
from colt_core.tailness import negative_tailness
from colt_core.training.batches import epoch_batches
from colt_core.training.device import Compute
from colt_core.training.divergence import TrainingDiverged
from colt_core.training.embed import Images
from colt_core.training.inputs import checked_data
from colt_core.training.objective import step_losses
from colt_core.training.optimizer import set_learning_rate
from colt_core.training.profile import Profile
from colt_core.training.readback import Readback
from colt_core.training.rounds import RoundBrokenOff, find_round
from colt_core.training.schedule import Schedule
from colt_core.training.state import TrainingState
from colt_core.training.views import batch_views


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
    through all events, which are the same in each, but that a checkpoint to go on from is the first's; losses and
    gradients are those of one process, up to rounding.

    Args:
        config: what to train.
        images: the ID training images, (N, 3, S, S) uint8, array, memory map or tensor. Labels play no part.
        pool: the OOD images, (M, 3, S, S) uint8; needed by every sampler but "none".
        resume_from: the `state` of a CheckpointReady event, or what `load_checkpoint` gives.
        should_stop: asked after every step and every sampling round, and often in a round, which is then done again
            by the run that goes on; once it says yes, the run yields CheckpointReady and Stopped, and ends. Of several
            processes, the first one's answer counts.

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
    config, framework = state.config, state.framework
    schedule = Schedule(config, len(images))
    round_epochs = config.round_epochs()
    sampler = sampler_for(config)
    augment = BatchAugmenter.of(config)
    profile, results = Profile(compute.device, state.spent), Readback(compute.reads_behind)
    seconds_before = state.spent.get("epoch", 0.0)
    yield compute.started(state.epoch, state.step)

    while state.epoch < config.epochs:
        epoch = state.epoch + 1
        epoch_began, seconds_before = perf_counter() - seconds_before, 0.0
        batches_done = state.step - schedule.steps_before(epoch)

        if sampler and epoch in round_epochs and state.rounds == round_epochs.index(epoch):
            try:
                with profile.phase("round"):
                    found = find_round(state, images, pool, sampler, augment, ranks, should_stop)
            except RoundBrokenOff:
                yield from _stop(state, profile, epoch_began)
                return
            state.rounds, state.selected = state.rounds + 1, found["selected"]
            yield RoundDone(state.rounds, epoch, state.step, **found, seconds=perf_counter() - epoch_began)
            if ranks.first_says(should_stop()):
                yield from _stop(state, profile, epoch_began)
                return

        framework.train()
        if batches_done == 0:
            framework.begin_epoch(epoch)
        position = (config.seed, epoch, schedule.steps_in(epoch), batches_done)
        batches = epoch_batches(images, pool, state.selected, config.batch_size, *position, ranks=ranks)
        for batch in profile.each("data", batches):
            step_began = perf_counter()
            step, learning_rate = state.step + 1, schedule.learning_rate(state.step + 1)
            with profile.phase("data"), compute.deterministic():
                views = batch_views(batch, framework, augment, generator(config.seed, "augment", step), compute, ranks)
            with profile.phase("forward_backward"), compute.deterministic():
                with compute.autocast():
                    z_2BD = gather_views(framework(views), len(batch.index), ranks)
                losses = step_losses(z_2BD, batch.is_ood, config)
                state.optimizer.zero_grad()
                losses.total.backward()  # type: ignore[no-untyped-call]
                sum_gradients(framework, ranks)
                set_learning_rate(state.optimizer, learning_rate)
                state.optimizer.step()
            sent = {"losses_3": losses.numbers()}

            # A short batch has fewer negatives, so its scores and losses are not comparable: the last ones are kept.
            # Further passes of an epoch (match_steps) add none either: one value a sample and epoch.
            if batch.first_pass and len(batch.index) == config.batch_size:
                with profile.phase("tailness"):
                    sent["raw_B"] = negative_tailness(
                        z_2BD.detach(),
                        config.temperature,
                        config.top_k,
                        batch.is_ood,
                        config.ood_in_negatives,
                        losses.probability,
                    )
                sent["loss_B"] = losses.per_sample.detach()

            state.step = step
            event = partial(
                StepDone,
                epoch=epoch,
                step=step,
                steps=schedule.steps,
                learning_rate=learning_rate,
            )
            results.send(sent, (batch, event), step_began)
            yield from _read(state, results.arrived())
            if ranks.first_says(should_stop()):
                yield from _read(state, results.arrived(everything=True))
                yield from _stop(state, profile, epoch_began)
                return

        yield from _read(state, results.arrived(everything=True))
        mean_loss = state.loss_sum / schedule.steps_in(epoch)
        state.epoch, state.loss_sum, state.spent = epoch, 0.0, {}
        yield EpochDone(
            epoch=epoch,
            step=state.step,
            loss=mean_loss,
            tailness=state.tailness.scores().numpy(),
            images=schedule.images(epoch),
            seconds=perf_counter() - epoch_began,
            profile=profile.take(),
        )
        if epoch % config.checkpoint_interval == 0 or epoch == config.epochs:
            yield CheckpointReady(state.epoch, state.step, state.snapshot())

    yield Finished(state.epoch, state.step)


def _read(state: TrainingState, arrived: Iterator[tuple[dict[str, Tensor], Any, float]]) -> Iterator[StepDone]:
    """Take the results of steps into the state, now that they are on the host."""
    for result, (batch, event), seconds in arrived:
        loss, contrastive, distribution = result["losses_3"].tolist()
        done: StepDone = event(
            loss=loss,
            contrastive_loss=contrastive,
            distribution_loss=None if math.isnan(distribution) else distribution,
            seconds=seconds,
        )
        if not math.isfinite(loss):
            raise TrainingDiverged(
                f"the loss is {loss} in epoch {done.epoch}, step {done.step}, at learning rate "
                f"{done.learning_rate:.4g}: try a lower learning_rate or a longer lr_warmup_epochs"
            )
        if "raw_B" in result:
            state.tailness.update(batch.index[~batch.is_ood], result["raw_B"][~batch.is_ood])
            state.framework.observe(batch.index, batch.is_ood, result["loss_B"])
        state.loss_sum += loss
        yield done


def _stop(state: TrainingState, profile: Profile, epoch_began: float) -> Iterator[Event]:
    state.spent = {**profile.take(), "epoch": perf_counter() - epoch_began}
    yield CheckpointReady(state.epoch, state.step, state.snapshot())
    yield Stopped(state.epoch, state.step)
