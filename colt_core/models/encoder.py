"""Encoders: networks that turn images into embeddings."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import Tensor, nn

from colt_core.models.resnet import Backbone


class Encoder(nn.Module, ABC):
    """A backbone, and what of it counts as the embedding of an image."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone

    @abstractmethod
    def embed(self, images_B3SS: Tensor) -> Tensor:
        """Standardised images -> (B, D), L2-normalised, float32 also under autocast."""


class FeatureEncoder(Encoder):
    """Embeds by the backbone's features, L2-normalised. For a backbone without a projection head.

    Distances of features and of outputs of a projection head do not compare.
    """

    def embed(self, images_B3SS: Tensor) -> Tensor:
        """Images -> features (B, num_features), L2-normalised."""
        return nn.functional.normalize(self.backbone(images_B3SS).float(), dim=1)
