"""Samplers pick the OOD images that the next epochs train on. `kinds.py` lists them; a file each holds what it does."""
