"""Batched augmentation."""

from colt_core.augment.augmenter import BatchAugmenter
from colt_core.augment.normalize import normalize

__all__ = ["BatchAugmenter", "normalize"]
