"""Alembic migrations. A new one is written by `python -m store.migrations "what changes"`, then
reviewed by hand."""
