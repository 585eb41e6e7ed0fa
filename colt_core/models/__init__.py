"""Backbones, the projection head, and what makes embeddings of them."""

from colt_core.models.encoder import Encoder, FeatureEncoder
from colt_core.models.projection import ProjectionHead
from colt_core.models.resnet import Backbone

__all__ = ["Backbone", "Encoder", "FeatureEncoder", "ProjectionHead"]
