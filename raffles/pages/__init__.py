"""Pages for participants: they translate a visit into calls of the domain, and show the answer."""
