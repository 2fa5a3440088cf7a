"""One module an act; each writes its change, its actor and its announcement in one transaction."""
