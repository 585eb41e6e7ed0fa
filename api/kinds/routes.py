"""The kinds that requests for jobs, evaluations, analyses and data can name."""

from __future__ import annotations

from functools import cache
from typing import get_args

from fastapi import APIRouter

from api.access.auth import Guarded
from api.kinds.schemas import AnalysisKind, FileEndings, Kind, Kinds, LayoutInfo, Preset, SamplerKind, Source
from colt_core.analyses.kinds import analyses
from colt_core.config import common_schema
from colt_core.data.layouts.kinds import dataset_endings, layouts, pool_endings
from colt_core.data.spec import SOURCES, TorchvisionName
from colt_core.frameworks.kinds import frameworks
from colt_core.presets import PRESET_TITLES, PRESETS
from colt_core.probes.kinds import probes
from colt_core.samplers.kinds import samplers

router = APIRouter(tags=["kinds"], route_class=Guarded)


@router.get("/kinds")
@cache  # kinds are registered before the first request, and schemas take 50 ms to make
def list_kinds() -> Kinds:
    """List frameworks, samplers, probes, analyses, presets and sources, with their settings."""
    return Kinds(
        frameworks=[Kind.of(settings) for settings in frameworks.values()],
        samplers=[SamplerKind.of(settings) for settings in samplers.values()],
        probes=[Kind.of(settings) for settings in probes.values()],
        analyses=[AnalysisKind.of(settings) for settings in analyses.values()],
        presets=[Preset(name=name, title=PRESET_TITLES[name], values=values) for name, values in PRESETS.items()],
        sources=[Source(kind=kind, title=title) for kind, title in SOURCES.items()],
        layouts=list(layouts),
        layout_details=[LayoutInfo.of(layout) for layout in layouts.values()],
        torchvision=list(get_args(TorchvisionName)),
        file_endings=FileEndings(dataset=list(dataset_endings()), ood_pool=list(pool_endings())),
        settings=common_schema(),
    )
