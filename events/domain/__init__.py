"""Acts of the calendar: scheduling, opening, taking part, running."""
