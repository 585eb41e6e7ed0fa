"""The pictures of the guide, taken of a small run."""
