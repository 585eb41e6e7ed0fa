"""Analyses of a pretrained encoder.

This file imports nothing, as `colt_core.analyses.kinds` needs no torch.
"""
