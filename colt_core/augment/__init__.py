"""Augmentation of whole batches."""

from colt_core.augment.augmenter import BatchAugmenter
from colt_core.augment.normalize import normalize
from colt_core.augment.parameters import ViewParameters

__all__ = ["BatchAugmenter", "ViewParameters", "normalize"]
