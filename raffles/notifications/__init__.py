"""Telling: who is told what, by webhook, mail and the live stream; reads announcements."""
