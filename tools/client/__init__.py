"""Writes the parts of the Python client that follow from others."""
