"""The bundled experiments: one YAML file each in `templates/`."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field

from api.kinds.names import ProbeName

FOLDER = Path(__file__).parent / "templates"


class TemplateArm(BaseModel):
    """An arm of a template."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(description="`{sample_budget}` and the like are replaced by the arm's settings.")
    config: dict[str, Any]
    times: dict[str, float] = Field({}, description="Factors of settings, relative to those of the request.")
    train_on: Literal["balanced"] | None = Field(
        None, description="balanced: it trains on `balanced_dataset_ids`. Without them, it is left out."
    )


class Template(BaseModel):
    """A bundled experiment: what is compared, without data."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(description="Its name in requests.")
    title: str
    summary: str
    evaluations: list[ProbeName]
    arms: list[TemplateArm] = Field(description="The first is the baseline.")


@cache
def templates() -> dict[str, Template]:
    """All of them by name."""
    return {path.stem: _read(path) for path in sorted(FOLDER.glob("*.yaml"))}


def _read(path: Path) -> Template:
    return Template.model_validate({"name": path.stem} | yaml.safe_load(path.read_text("utf-8")))
