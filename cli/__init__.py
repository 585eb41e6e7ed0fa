"""The `colt` command. It starts API and worker as processes of their own and never imports them."""
