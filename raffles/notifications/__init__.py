"""Notifications by webhook, mail and the live stream; all of them read announcements."""
