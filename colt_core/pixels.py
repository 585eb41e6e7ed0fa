"""How pixels are standardised before a network sees them. No torch here."""

from __future__ import annotations

Channels = tuple[float, float, float]  # red, green, blue

# ImageNet's values for every data set (released COLT code), in units of 0..1.
MEAN: Channels = (0.485, 0.456, 0.406)
STD: Channels = (0.229, 0.224, 0.225)
