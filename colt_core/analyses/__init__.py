"""Analyses of a pretrained encoder.

This file imports nothing, so that `colt_core.analyses.kinds` loads without torch.
"""
