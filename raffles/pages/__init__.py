"""Pages for participants: translate a visit, call the domain, show the answer."""
