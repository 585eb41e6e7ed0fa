"""Who may call: tokens, the browser's session, and the wait after wrong tokens."""
