"""Computes a sampling round during a run, with the current weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from colt_core.augment import BatchAugmenter
from colt_core.distributed import Ranks
from colt_core.embeddings import Embeddings
from colt_core.events import Float32, Int64
from colt_core.samplers.protocol import Sampler
from colt_core.samplers.round import RoundFields, sampling_round
from colt_core.training.broadcast import broadcast_indices, broadcast_round
from colt_core.training.embed import EachBlock, embed, have_unit_norm
from colt_core.training.measure import measure_pool
from colt_core.training.pool_embeddings import embed_pool
from colt_core.training.refresh import Float16, best_candidates, carried_forward, number_to_embed, refreshed_indices
from colt_core.training.state import TrainingState

UInt8 = NDArray[np.uint8]
Z = TypeVar("Z", bound=Embeddings)


class FoundRound(RoundFields):
    """The fields of a `RoundDone` event, except its place in the run and its duration."""

    ood_embedded: int  # pool images that went through the encoder
    repeats: bool  # whether the picks are training images


class RoundStopped(Exception):
    """The run was asked to stop during a round, which leaves the state unchanged."""


def find_round(
    state: TrainingState,
    images: UInt8,
    pool: UInt8 | None,
    sampler: Sampler,
    augment: BatchAugmenter,
    ranks: Ranks,
    should_stop: Callable[[], bool] = lambda: False,
) -> FoundRound:
    """Compute the next sampling round of a run; the result is the same on every rank.

    Without a pool, the sampler picks training images.

    With `pool_refresh: candidates` it reads and updates `state.known_pool`.

    Raises:
        RoundStopped: once `should_stop` returns True. The state is unchanged.
        TrainingDiverged: if an embedding is not finite.
        OSError: if the temporary folder has too little space for the embeddings of a large pool.
    """

    def check_stop() -> None:
        if ranks.broadcast_bool(should_stop()):
            raise RoundStopped

    config, number = state.config, state.rounds + 1
    id_z = embed(state.framework, images, precision=config.precision, ranks=ranks, each_block=check_stop)
    id_z = _checked_norms(id_z, state, ranks)
    if pool is None:
        return _without_pool(state, id_z, sampler, ranks)
    if state.known_pool is None:
        ood_z, embedded = _embedded(state, pool, None, ranks, check_stop), None
    else:
        ood_z, embedded = _embedded_in_part(state, state.known_pool, pool, id_z, ranks, check_stop)
    measures = None
    if sampler.needs_measures:
        measures = measure_pool(state.framework, images, pool, augment, config, ranks, check_stop)
    tailness = state.tailness.scores()

    def find() -> RoundFields:
        return sampling_round(id_z, ood_z, tailness, sampler, config, number, measures, embedded)

    found = broadcast_round(find, ranks, config, len(images), len(pool))
    in_part = config.rounds.refreshes_candidates and number_to_embed(len(pool), config.rounds.sample_budget) < len(pool)
    state.known_pool = ood_z.astype(np.float16) if in_part and number < len(config.round_epochs()) else None
    return FoundRound(**found, ood_embedded=len(pool) if embedded is None else len(embedded), repeats=False)


def _without_pool(state: TrainingState, id_z: Float32, sampler: Sampler, ranks: Ranks) -> FoundRound:
    config, tailness = state.config, state.tailness.scores()

    def find() -> RoundFields:
        return sampling_round(id_z, id_z[:0], tailness, sampler, config, state.rounds + 1)

    return FoundRound(**broadcast_round(find, ranks, config, len(id_z), 0), ood_embedded=0, repeats=True)


def _embedded_in_part(
    state: TrainingState, known: Float16, pool: UInt8, id_z: Float32, ranks: Ranks, check_stop: EachBlock
) -> tuple[Float32, Int64]:
    """The pool's embeddings on rank 0, and the ascending indices of those embedded now."""
    config = state.config
    first = refreshed_indices(len(pool), state.rounds + 1, config.seed)
    fresh = _embedded(state, pool, first, ranks, check_stop)
    ood_z = carried_forward(known, first, fresh) if ranks.rank == 0 else fresh
    count = number_to_embed(len(pool), config.rounds.sample_budget) - len(first)
    tailness_N = state.tailness.scores().numpy()
    candidates = broadcast_indices(lambda: best_candidates(ood_z, first, count, id_z, tailness_N, config), count, ranks)
    fresh = _embedded(state, pool, candidates, ranks, check_stop)
    if ranks.rank == 0:
        ood_z[candidates] = fresh
    return ood_z, np.union1d(first, candidates)


def _embedded(
    state: TrainingState, pool: UInt8, index_M: Int64 | None, ranks: Ranks, check_stop: EachBlock
) -> Embeddings:
    config = state.config
    framework, dim = state.framework, config.projection_dim
    z_MD = embed_pool(framework, framework.embed, pool, index_M, dim, config.precision, ranks, check_stop)
    return _checked_norms(z_MD, state, ranks)


def _checked_norms(z: Z, state: TrainingState, ranks: Ranks) -> Z:
    # In evaluation mode, running statistics may overflow although batch statistics still give a
    # loss.
    if not ranks.broadcast_bool(have_unit_norm(z)):
        raise state.vitals.diverged(
            f"the embeddings of sampling round {state.rounds + 1}, before epoch {state.epoch + 1}, "
            "are not finite, or too large"
        )
    return z
