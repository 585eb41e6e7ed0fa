"""What a run and a registration will need, before they begin. Only `dry_run` imports torch."""
