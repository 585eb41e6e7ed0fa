"""Types for the names of kinds in requests. The OpenAPI document lists the registered names."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, WithJsonSchema

from colt_core.analyses.kinds import analyses
from colt_core.frameworks.kinds import frameworks
from colt_core.kinds import Registry
from colt_core.probes.kinds import probes
from colt_core.refusals import unknown_kind
from colt_core.samplers.kinds import samplers


def name_of(registry: Registry[Any]) -> Any:
    """A type for the name of one of the registry's kinds."""

    def registered(kind: str) -> str:
        if kind not in registry:
            raise ValueError(unknown_kind(registry, kind))
        return kind

    return Annotated[str, AfterValidator(registered), WithJsonSchema({"type": "string", "enum": list(registry)})]


FrameworkName = name_of(frameworks)
SamplerName = name_of(samplers)
ProbeName = name_of(probes)
AnalysisName = name_of(analyses)
