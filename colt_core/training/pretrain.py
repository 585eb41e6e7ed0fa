"""The training loop, top to bottom: COLT (Bai et al. 2023), or its baselines without OOD images."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from time import perf_counter

import numpy as np
import torch
from numpy.typing import NDArray

from colt_core.augment import BatchAugmenter
from colt_core.batch import Batch
from colt_core.config import PretrainConfig
from colt_core.distributed import Ranks, gather_outputs, sum_gradients
from colt_core.events import CheckpointReady, EpochDone, Event, Finished, RoundDone, StepDone, Stopped, Warned
from colt_core.models import Backbone
from colt_core.samplers.build import build_sampler
from colt_core.seeding import generator
from colt_core.snapshot import Snapshot
from colt_core.tailness import negative_tailness
from colt_core.training.batches import epoch_batches
from colt_core.training.beginning import Beginning
from colt_core.training.device import Compute
from colt_core.training.embed import Images
from colt_core.training.gradients import Gradients
from colt_core.training.inputs import checked_data
from colt_core.training.objective import step_losses
from colt_core.training.optimizer import set_learning_rate
from colt_core.training.profile import Profile
from colt_core.training.readback import Readback
from colt_core.training.rounds import RoundStopped, find_round
from colt_core.training.schedule import Schedule
from colt_core.training.state import TrainingState
from colt_core.training.step import Step
from colt_core.training.views import batch_views
from colt_core.training.vitals import spread

UInt8 = NDArray[np.uint8]


def pretrain(
    config: PretrainConfig,
    images: Images,
    pool: Images | None = None,
    *,
    resume_from: Snapshot | None = None,
    start_from: Snapshot | Backbone | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[Event]:
    """Train an encoder and yield an event for every step, epoch, round and checkpoint.

    Checkpoints come every `checkpoint_interval` epochs, before each sampling round and at the end.
    That of a round scores unseen images as the round scores the pool (`TailnessScorer`). Others can
    take over the one before the first round (`take_over`).

    On one machine a run is a function of (config, images, pool). Resumed at any step, it ends with
    bit-identical results. A resumed run does not repeat events from before the checkpoint. Events
    are defined in `colt_core/events.py`.

    With `num_processes` > 1 every process calls this inside `process_group`, with the same
    arguments, and must consume all events. Losses and gradients equal those of one process, up to
    rounding. All processes yield the same events. To resume, use a checkpoint that the first
    process yielded.

    Args:
        config: what to train.
        images: the ID training images, (N, 3, S, S) uint8, as array, memory map or tensor. Labels
            are not used.
        pool: the OOD images, (M, 3, S, S) uint8. A sampler that `uses_pool` needs them; others
            do not read them.
        resume_from: the `state` of a CheckpointReady event, or the result of `load_checkpoint`.
        start_from: the same, of another run, or a backbone. This is a new run with the weights of
            the backbone. The projection head is taken over too, if there is one and
            `projection_dim` is the same. Epochs, optimiser, learning rate, tailness and rounds
            begin from zero, and the data may be others. The first event after RunStarted is a
            CheckpointReady of step 0. The run can be resumed from it without the other run.
        should_stop: called after every step, often during a sampling round, and after it. Once it
            returns True, the run yields CheckpointReady and Stopped, and ends. A resumed run
            repeats an unfinished round. With several processes, the first one's answer counts.

    Raises:
        ValueError: at once, if the configuration cannot run on the data, or the process is not one
            of `num_processes`. Also if `resume_from` belongs to another run, `start_from` has
            another backbone, or both are given.
        DeviceMissing: at once, for device "cuda" without a CUDA device. It is a ValueError.
        RuntimeError: if another process has ended, or was given another checkpoint.
        TrainingDiverged: during the run, if the loss, a gradient, a weight or an embedding is not
            finite, or beyond reason (see `Vitals`).
    """
    if resume_from is not None and start_from is not None:
        raise ValueError("a resumed run has its weights already: give either resume_from or start_from")
    data = checked_data(config, images, pool)
    compute, ranks = Compute.of(config), Ranks.of(config)
    state = TrainingState.start(config, data.sizes, compute, ranks, start_from)
    if resume_from is not None:
        state.restore(resume_from)
    ranks.check_same(state.epoch, state.step, state.rounds)
    events = _run(state, data.images, data.pool, compute, ranks, should_stop)
    return events if start_from is None else _with_first_checkpoint(state, events)


def _with_first_checkpoint(state: TrainingState, events: Iterator[Event]) -> Iterator[Event]:
    yield next(events)  # RunStarted
    yield CheckpointReady(state.epoch, state.step, state.snapshot())
    yield from events


def _run(
    state: TrainingState,
    images: UInt8,
    pool: UInt8 | None,
    compute: Compute,
    ranks: Ranks,
    should_stop: Callable[[], bool],
) -> Iterator[Event]:
    config, framework = state.config, state.framework
    schedule = Schedule(config, len(images))
    round_epochs, beginning = config.round_epochs(), Beginning.of(config, len(images))
    sampler = build_sampler(config)
    augment, gradients = BatchAugmenter.of(config), Gradients(framework)
    profile, results = Profile(compute.device, state.spent), Readback(compute.reads_behind)
    seconds_before = state.spent.get("epoch", 0.0)
    yield compute.started(state.epoch, state.step)

    while state.epoch < config.epochs:
        epoch = state.epoch + 1
        epoch_began, seconds_before = perf_counter() - seconds_before, 0.0

        if sampler and epoch in round_epochs and state.rounds == round_epochs.index(epoch):
            try:
                with profile.phase("round"):
                    found = find_round(state, images, pool, sampler, augment, ranks, should_stop)
            except RoundStopped:
                yield from _stop(state, profile, epoch_began)
                return
            state.rounds, state.selected = state.rounds + 1, found["selected"]
            yield RoundDone(state.rounds, epoch, state.step, **found, seconds=perf_counter() - epoch_began)
            if ranks.broadcast_bool(should_stop()):
                yield from _stop(state, profile, epoch_began)
                return

        framework.train()
        if state.step == schedule.steps_before(epoch):
            framework.begin_epoch(epoch)
        for batch in profile.each("data", epoch_batches(images, pool, state, schedule, ranks)):
            results.send(_take_step(state, batch, schedule, augment, gradients, compute, ranks, profile))
            yield from _read(state, results.arrived(), schedule, gradients)
            if ranks.broadcast_bool(should_stop()):
                yield from _read(state, results.arrived(everything=True), schedule, gradients)
                yield from _stop(state, profile, epoch_began)
                return

        yield from _read(state, results.arrived(everything=True), schedule, gradients)
        mean_loss = state.loss_sum / schedule.steps_in(epoch)
        state.epoch, state.loss_sum, state.spent = epoch, 0.0, {}
        yield EpochDone(
            epoch=epoch,
            step=state.step,
            loss=mean_loss,
            tailness=state.tailness.scores().numpy(),
            images=schedule.images(epoch, len(state.selected)),
            seconds=perf_counter() - epoch_began,
            profile=profile.take(),
        )
        if (warning := state.vitals.end_epoch(epoch)) is not None:
            yield Warned(epoch, state.step, warning)
        ends_beginning = beginning is not None and epoch == beginning.epochs
        precedes_round = epoch + 1 in round_epochs
        if epoch % config.checkpoint_interval == 0 or epoch == config.epochs or ends_beginning or precedes_round:
            yield CheckpointReady(state.epoch, state.step, state.snapshot())

    yield Finished(state.epoch, state.step)


def _take_step(
    state: TrainingState,
    batch: Batch,
    schedule: Schedule,
    augment: BatchAugmenter,
    gradients: Gradients,
    compute: Compute,
    ranks: Ranks,
    profile: Profile,
) -> Step:
    """Take one optimiser step on L = L_CL + alpha * L_SCL, and score the samples' raw tailness."""
    config, framework, began = state.config, state.framework, perf_counter()
    number, temperature = state.step + 1, schedule.temperature(state.epoch + 1)
    learning_rate = schedule.learning_rate(number)
    with profile.phase("data"), compute.deterministic():
        views_2B3SS = batch_views(batch, framework, augment, generator(config.seed, "augment", number), compute, ranks)

    with profile.phase("forward_backward"), compute.deterministic():
        with compute.autocast():
            outputs = gather_outputs(framework(views_2B3SS), len(batch), ranks)
        contrastive = framework.loss(outputs, batch, temperature)
        if temperature != config.temperature:  # its softmax is not that of tailness and L_SCL
            contrastive = replace(contrastive, log_norm=None, probability=None)
        losses = step_losses(contrastive, outputs.z, batch.is_ood, config)
        state.optimizer.zero_grad()
        losses.total.backward()  # type: ignore[no-untyped-call]
        sum_gradients(framework, ranks)
        health = torch.cat([spread(outputs.z.detach()).reshape(1), gradients.norms()])
        set_learning_rate(state.optimizer, learning_rate)
        state.optimizer.step()
        framework.after_step(outputs, batch)

    # A short batch has fewer negatives, so its scores and losses are not comparable. Its samples
    # keep their last values. Further passes of an epoch and repeats of images do not count either:
    # a sample has one value an epoch.
    counts = batch.first_pass and len(batch) == config.batch_size
    raw_tailness_B = None
    if counts:
        with profile.phase("tailness"):
            raw_tailness_B = negative_tailness(
                outputs.z.detach(),
                config.temperature,
                config.top_k,
                batch.is_added,
                config.ood_in_negatives,
                contrastive.probability,
            )
    state.step = number
    return Step(
        epoch=state.epoch + 1,
        number=number,
        learning_rate=learning_rate,
        batch=batch,
        losses=losses.numbers(),
        health=health,
        raw_tailness=raw_tailness_B,
        per_sample_loss=contrastive.per_sample.detach() if counts else None,
        began=began,
    )


def _read(
    state: TrainingState, arrived: Iterator[Step], schedule: Schedule, gradients: Gradients
) -> Iterator[StepDone]:
    """Add results of steps to the state, now that they are on the host."""
    for step in arrived:
        loss, contrastive, distribution = step.losses.tolist()
        state.vitals.observe(step, gradients.names(), state.framework.constant_loss(len(step.batch)))
        batch = step.batch
        if step.raw_tailness is not None:
            state.tailness.update(batch.index[~batch.is_added], step.raw_tailness[~batch.is_added])
        if step.per_sample_loss is not None:
            once_B = slice(None) if batch.is_repeat is None else ~batch.is_repeat
            state.framework.observe(batch.index[once_B], batch.is_ood[once_B], step.per_sample_loss[once_B])
        state.loss_sum += loss
        yield StepDone(
            epoch=step.epoch,
            step=step.number,
            steps=schedule.steps,
            loss=loss,
            contrastive_loss=contrastive,
            distribution_loss=None if math.isnan(distribution) else distribution,
            learning_rate=step.learning_rate,
            seconds=step.seconds,
        )


def _stop(state: TrainingState, profile: Profile, epoch_began: float) -> Iterator[Event]:
    state.spent = {**profile.take(), "epoch": perf_counter() - epoch_began}
    yield CheckpointReady(state.epoch, state.step, state.snapshot())
    yield Stopped(state.epoch, state.step)
