"""What workers measured of encoders, for the estimates of later jobs."""

from __future__ import annotations

import json

from sqlalchemy.orm import Session

from colt_core.config import PretrainConfig
from colt_core.cost.memory import Activations, Precision
from store.models import MeasuredActivations

_ENCODER = ("backbone", "width", "stem", "projection_dim")


def encoder_key(config: PretrainConfig, image_size: int, precision: Precision) -> str:
    """What the activations of a view depend on, as text."""
    of_encoder = {name: getattr(config, name) for name in _ENCODER}
    framework = {"framework": config.framework.kind, **config.framework.model_dump(mode="json")}
    return json.dumps({**of_encoder, **framework, "image_size": image_size, "precision": precision}, sort_keys=True)


def get(session: Session, key: str) -> Activations | None:
    """What was measured, if it was."""
    row = session.get(MeasuredActivations, key)
    return None if row is None else Activations(row.per_view, row.fixed, measured=True)


def put(session: Session, key: str, found: Activations) -> None:
    """Keep what was measured. A later measurement replaces it."""
    session.merge(MeasuredActivations(encoder=key, per_view=found.per_view, fixed=found.fixed))
