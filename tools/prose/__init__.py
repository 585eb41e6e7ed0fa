"""Checks how prose reads; see `__main__.py`."""
