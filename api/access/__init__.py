"""Who may call: tokens, the browser's session, and waiting after wrong ones."""
