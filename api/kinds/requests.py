"""Requests for work on a checkpoint or backbone: the settings of a kind, and what it works on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel, Field, create_model

from colt_core.tagged import TaggedSettings, one_of


class OfCheckpoint(BaseModel):
    """What all requests for work on a checkpoint have."""

    checkpoint_id: str | None = Field(
        None, min_length=1, max_length=64, description="Default: the job's last checkpoint."
    )


class OfBackbone(BaseModel):
    """What all requests for work on a backbone have."""

    dataset_id: str = Field(
        min_length=1, max_length=64, description="Of any image size. A probe needs labels and a test part."
    )


def requests_for(kinds: Iterable[type[TaggedSettings]], of: type[BaseModel] = OfCheckpoint) -> Any:
    """The type of a request for one of these kinds, with `kind` as discriminator.

    The model made from `FeatureMapConfig` is called `NewFeatureMap`, or `NewFeatureMapOfBackbone`.
    """
    ending = "" if of is OfCheckpoint else of.__name__
    return one_of(
        create_model(
            f"New{kind.__name__.removesuffix('Config')}{ending}",
            __base__=(of, kind),
            __doc__=kind.summary(),
            __module__=__name__,
        )
        for kind in kinds
    )
