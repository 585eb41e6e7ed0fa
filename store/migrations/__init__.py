"""Alembic migrations. To add one, run `python -m store.migrations "what changes"` and review it."""
