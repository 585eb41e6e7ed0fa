"""docs/method.md names what there is: every function is exported, every setting is a field."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path

import pytest

import colt_core
from colt_core.config import config_schema

PAGE = Path(__file__).parents[3] / "docs" / "method.md"
# `name`, `name(...)`, `module.name` in code quotes; what holds a blank, a slash or a sign is no
# name.
NAMES = re.findall(r"`([A-Za-z_][\w.]*)(?:\([^`]*\)|=[^`]*)?`", PAGE.read_text("utf-8"))
WORDS = {"colt_core", "none", "PretrainConfig"}


@pytest.mark.parametrize("name", sorted(set(NAMES) - WORDS))
def test_every_name_on_the_page_exists(name: str) -> None:
    module, _, attribute = name.rpartition(".")
    if module:
        assert hasattr(import_module(f"colt_core.{module}"), attribute)
    else:
        assert name in colt_core.__all__ or name in config_schema()["properties"]


def test_the_page_is_read() -> None:
    assert {"nt_xent", "negative_tailness", "MakSampler", "connectivity", "bcl_variant"} <= set(NAMES)
