"""Longer runs of the library. They share the fixtures of its unit tests."""

from tests.unit.colt_core.conftest import _one_thread, ranks_of

__all__ = ["_one_thread", "ranks_of"]
