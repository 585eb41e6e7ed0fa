"""Measures what the activations of a job's encoder take, for the estimates of later jobs."""

from __future__ import annotations

import logging

from colt_core.config import PretrainConfig
from store.database import reading
from store.repositories import activations
from worker.patience import retry_transaction

log = logging.getLogger("worker")


def measure_once(config: PretrainConfig, image_size: int) -> None:
    """Measure the encoder in the run's precision, unless a worker has. That takes moments.

    A measurement that fails is left to a later job, since the job does not need it.

    Args:
        config: of the job.
        image_size: the side of its images in pixels.
    """
    from colt_core.cost.dry_run import measured_activations  # torch
    from colt_core.training.device import Compute

    try:
        key = activations.encoder_key(config, image_size, "bf16" if Compute.of(config).bf16 else "fp32")
        with reading() as session:
            if activations.get(session, key) is not None:
                return
        found = measured_activations(config, image_size)
        retry_transaction(lambda session: activations.put(session, key, found))
    except Exception:
        log.warning("the activations of this encoder could not be measured", exc_info=True)
