"""Finding a sampling round in the middle of a run: everything embedded with the weights as they are."""

from __future__ import annotations

from functools import partial
from typing import Any

from colt_core.augment import BatchAugmenter
from colt_core.distributed import Ranks
from colt_core.distributed.round import first_finds
from colt_core.samplers import RoundFields, Sampler, sampling_round
from colt_core.training.divergence import TrainingDiverged
from colt_core.training.embed import are_directions, embed
from colt_core.training.measure import measure_pool
from colt_core.training.pool_embeddings import embed_pool
from colt_core.training.refresh import KnownPool, images_to_embed, next_candidates, with_the_others
from colt_core.training.state import TrainingState


class FoundRound(RoundFields):
    """What a `RoundDone` event takes beside its place in the run and its duration."""

    ood_embedded: int  # pool images that went through the encoder


def find_round(
    state: TrainingState, images: Any, pool: Any, sampler: Sampler, augment: BatchAugmenter, ranks: Ranks
) -> FoundRound:
    """The next sampling round of a run, the same on every rank.

    With `pool_refresh: candidates` it embeds, and picks from, what `state.known_pool` says, and brings that up to date.

    Raises:
        TrainingDiverged: if an embedding is not finite.
        OSError: if the temporary folder has no room for the embeddings of a large pool.
    """
    config, framework, known, number = state.config, state.framework, state.known_pool, state.rounds + 1
    index_M = None if known is None else images_to_embed(known, config, number)
    embedded = len(pool) if index_M is None else len(index_M)
    id_z = embed(framework, images, precision=config.precision, ranks=ranks)
    ood_z = embed_pool(framework, pool, index_M, config.projection_dim, config.precision, ranks)
    # Running statistics may overflow in evaluation mode while batch statistics still give a loss.
    if not ranks.first_says(are_directions(id_z) and are_directions(ood_z)):
        raise TrainingDiverged(
            f"the embeddings before epoch {state.epoch + 1}, which sampling round {number} is to compare, are not "
            "finite, or too large: try a lower learning_rate or a longer lr_warmup_epochs"
        )
    measures = measure_pool(framework, images, pool, augment, config, ranks) if sampler.needs_measures else None
    find = partial(sampling_round, id_z, ood_z, state.tailness.scores(), sampler, config, number, measures)
    found = first_finds(find, ranks, config, len(images), embedded)
    if config.pool_refresh == "candidates":
        candidates = next_candidates(found, id_z, ood_z, ranks)
        found = with_the_others(known, index_M, found)
        state.known_pool = KnownPool.after(found, candidates if index_M is None else index_M[candidates])
    return FoundRound(**found, ood_embedded=embedded)
