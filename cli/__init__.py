"""The `colt` command. It starts API and worker as separate processes and never imports them."""
