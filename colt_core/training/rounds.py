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
from colt_core.training.state import TrainingState


class FoundRound(RoundFields):
    """What a `RoundDone` event takes beside its place in the run and its duration."""

    ood_embedded: int  # pool images that went through the encoder


def find_round(
    state: TrainingState, images: Any, pool: Any, sampler: Sampler, augment: BatchAugmenter, ranks: Ranks
) -> FoundRound:
    """The next sampling round of a run, the same on every rank.

    Raises:
        TrainingDiverged: if an embedding is not finite.
    """
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
    return FoundRound(**first_finds(find, ranks, config, len(images), len(pool)), ood_embedded=len(pool))
