"""The version of this package, which is that of `pyproject.toml` beside it."""

VERSION = "0.1.0"
