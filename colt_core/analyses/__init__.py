"""Analyses of a pretrained encoder. Nothing is imported here, as `colt_core.analyses.kinds` needs no torch."""
