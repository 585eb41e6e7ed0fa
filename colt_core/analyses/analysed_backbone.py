"""A backbone that no run trained, as analyses see it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from colt_core.analyses.analysed import Analysed
from colt_core.models import Backbone, Encoder, FeatureEncoder


@dataclass(frozen=True)
class AnalysedBackbone(Analysed):
    """A backbone and a data set. Its embeddings are its features, L2-normalised."""

    backbone: Backbone

    @cached_property
    def encoder(self) -> Encoder:
        """The backbone as it is, on its device."""
        return FeatureEncoder(self.backbone).eval()
