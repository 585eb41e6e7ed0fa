"""Types of requests and answers that come from registries. They hold the kinds registered before this import."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

from pydantic import BaseModel, Field, GetCoreSchemaHandler, create_model
from pydantic_core import CoreSchema, core_schema

from colt_core.analyses.kinds import analyses
from colt_core.probes.kinds import probes
from colt_core.tagged import TaggedSettings, one_of


class _NameIn:
    """Annotates a string that is one of some names; the document lists them."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = list(names)

    def __get_pydantic_core_schema__(self, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.literal_schema(self._names)


ProbeKind = Annotated[str, _NameIn(probes)]
AnalysisKind = Annotated[str, _NameIn(analyses)]


class OfCheckpoint(BaseModel):
    """What every request for work on a checkpoint has."""

    checkpoint_id: str | None = Field(None, min_length=1, max_length=64, description="Default: the last.")


def requests_for(kinds: Iterable[type[TaggedSettings]]) -> Any:
    """The type of a request for one of these kinds: its settings and a checkpoint, told apart by `kind`.

    Of `FeatureMapConfig` there comes the model `NewFeatureMap`.
    """
    return one_of(
        create_model(
            f"New{kind.__name__.removesuffix('Config')}",
            __base__=(OfCheckpoint, kind),
            __doc__=kind.summary(),
            __module__=__name__,
        )
        for kind in kinds
    )
