"""Probes: what a frozen backbone has learnt. Nothing is imported here, as `colt_core.probes.kinds` needs no torch."""
