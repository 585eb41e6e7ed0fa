"""Contrastive frameworks that COLT plugs into.

`kinds.py` lists them. Each has a file of its own.
"""
