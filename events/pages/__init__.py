"""Pages of the calendar: what comes, taking part under a name, and who won."""
