"""One module an action: each writes change, actor and announcement in one transaction."""
