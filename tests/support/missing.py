"""Things that a machine may lack."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def in_ci() -> bool:
    return os.environ.get("CI", "").lower() in {"1", "true", "yes"}


def cannot_run(reason: str) -> NoReturn:
    """Skip a test because this machine lacks something. It is listed at the end, and an error in
    CI."""
    if in_ci():
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)
