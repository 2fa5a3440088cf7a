"""Notify by webhook, mail and the live stream; everything here reads announcements."""
