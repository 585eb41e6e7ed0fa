"""Checks whether a pool can help a data set, before a run on both.

This file imports nothing, so that `colt_core.pools.kinds` loads without torch.
"""
