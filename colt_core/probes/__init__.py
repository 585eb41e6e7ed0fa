"""Probes: tests of what a frozen backbone has learnt.

This file imports nothing, so that `colt_core.probes.kinds` loads without torch.
"""
