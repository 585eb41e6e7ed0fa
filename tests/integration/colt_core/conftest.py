"""Longer runs of the library. They share the fixtures of its unit tests."""

from tests.unit.colt_core.conftest import ranks_of

__all__ = ["ranks_of"]
