"""Samplers pick the OOD images that the next epochs train on.

`kinds.py` lists them. Each has a file of its own.
"""
