"""What every HTTP face needs, and no model: callers, parsing, lists, problems, throttles."""
