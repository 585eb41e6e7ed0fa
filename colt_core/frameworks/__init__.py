"""Contrastive frameworks that COLT plugs into."""

from colt_core.frameworks.bcl import BCL, BCLD, BCLI
from colt_core.frameworks.build import build_framework
from colt_core.frameworks.framework import Framework
from colt_core.frameworks.sdclr import SDCLR
from colt_core.frameworks.simclr import SimCLR

__all__ = ["BCL", "BCLD", "BCLI", "SDCLR", "Framework", "SimCLR", "build_framework"]
