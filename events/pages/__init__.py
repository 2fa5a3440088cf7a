"""Pages of events: coming draws, taking part under a name, and winners."""
