"""Response of `/kinds`."""

from __future__ import annotations

from typing import Any, Self

from pydantic import BaseModel, Field

from colt_core.analyses.kinds import AnalysisSettings
from colt_core.data.layouts.kinds import LayoutKind
from colt_core.kinds import Settings
from colt_core.samplers.kinds import SamplerSettings


class Kind(BaseModel):
    """One framework, sampler, probe or analysis."""

    kind: str = Field(description="Its name in requests.")
    title: str
    summary: str
    settings: dict[str, Any] = Field(description="JSON schema of its own settings, which not every kind reads.")

    @classmethod
    def of(cls, settings: type[Settings]) -> Self:
        """The kind of a settings class."""
        schema = settings.model_json_schema()
        schema.get("properties", {}).pop("kind", None)  # this model has a field for it
        return cls(
            kind=settings.kind,
            title=settings.title,
            summary=settings.summary(),
            settings=schema,
        )


class SamplerKind(Kind):
    uses_pool: bool = Field(description="Whether its jobs need an OOD pool. Others do not read one.")

    @classmethod
    def of(cls, settings: type[Settings]) -> Self:
        assert issubclass(settings, SamplerSettings)
        return cls(**dict(Kind.of(settings)), uses_pool=settings.uses_pool)


class AnalysisKind(Kind):
    needs_labels: bool = Field(description="Whether it is refused for images without labels.")
    of_backbones: bool = Field(description="Whether it can also be of a registered backbone.")

    @classmethod
    def of(cls, settings: type[Settings]) -> Self:
        assert issubclass(settings, AnalysisSettings)
        return cls(
            **dict(Kind.of(settings)),
            needs_labels=not settings.without_labels,
            of_backbones=settings.of_backbones,
        )


class Preset(BaseModel):
    """A named starting point for a job's settings."""

    name: str
    title: str
    values: dict[str, Any] = Field(description="The settings that the preset changes. All others have their defaults.")


class Source(BaseModel):
    """Where images can be registered from."""

    kind: str
    title: str


class LayoutInfo(BaseModel):
    """How images, labels and parts may be arranged in a folder, an archive or a file."""

    kind: str = Field(description="Its name in `layout`.")
    title: str
    summary: str
    dataset: bool = Field(description="Whether data sets can have it.")
    ood_pool: bool = Field(description="Whether pools can have it.")

    @classmethod
    def of(cls, kind: type[LayoutKind]) -> Self:
        """The layout of a registered kind."""
        return cls(
            kind=kind.kind, title=kind.title, summary=kind.summary(), dataset=kind.for_datasets, ood_pool=kind.for_pools
        )


class FileEndings(BaseModel):
    """File name endings that can be registered."""

    dataset: list[str]
    ood_pool: list[str]


class Kinds(BaseModel):
    """All names that requests can use, for forms and clients."""

    frameworks: list[Kind]
    samplers: list[SamplerKind]
    probes: list[Kind]
    analyses: list[AnalysisKind]
    presets: list[Preset]
    sources: list[Source]
    layouts: list[str] = Field(description="Names of the arrangements of images, in the order they are tried.")
    layout_details: list[LayoutInfo]
    torchvision: list[str] = Field(description="Data sets that torchvision knows by name.")
    file_endings: FileEndings
    settings: dict[str, Any] = Field(
        description="JSON schema of the settings that every job has, with any framework and sampler."
    )
