"""Checks for damage: rows whose files differ from what was written, and files that no row names."""
