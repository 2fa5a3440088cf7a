"""One module per action: it writes change, actor and announcement in one transaction."""
