"""Experiments as protocol files: each `.yaml` here says beforehand what is compared on which
data."""
