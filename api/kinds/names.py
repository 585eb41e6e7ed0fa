"""Types for the names of kinds in requests. The OpenAPI document lists the registered names."""

from __future__ import annotations

from colt_core.analyses.kinds import analyses
from colt_core.exporting.kinds import exports
from colt_core.frameworks.kinds import frameworks
from colt_core.kinds import name_of
from colt_core.probes.kinds import probes
from colt_core.samplers.kinds import samplers

FrameworkName = name_of(frameworks)
SamplerName = name_of(samplers)
ProbeName = name_of(probes)
AnalysisName = name_of(analyses)
ExportName = name_of(exports)
