"""Actions on the calendar: scheduling, setting rewards, entering, running what is due."""
