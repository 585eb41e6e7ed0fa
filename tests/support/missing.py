"""Things that a machine may lack."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def in_ci() -> bool:
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"}


def cannot_run(reason: str) -> NoReturn:
    """Give a test up for want of something on this machine: listed at the end, and in CI an error."""
    if in_ci():
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
