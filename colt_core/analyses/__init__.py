"""Analyses of a pretrained encoder. Nothing is imported here, as `colt_core.analyses.config` needs no torch."""
