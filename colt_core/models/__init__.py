"""Backbones and the projection head."""

from colt_core.models.projection import ProjectionHead
from colt_core.models.resnet import Backbone

__all__ = ["Backbone", "ProjectionHead"]
