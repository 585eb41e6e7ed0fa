"""Contrastive frameworks that COLT plugs into. `kinds.py` lists them; a file each holds what it does."""
