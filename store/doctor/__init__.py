"""Looking for damage: rows whose files are not what was written, and files that no row names."""
