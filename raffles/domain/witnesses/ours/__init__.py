"""The witnesses of our own log: named in terms, asked, checked, and shown to people."""
