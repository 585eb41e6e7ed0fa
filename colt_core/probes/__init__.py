"""Probes: what a frozen backbone has learnt.

This file imports nothing, as `colt_core.probes.kinds` needs no torch.
"""
