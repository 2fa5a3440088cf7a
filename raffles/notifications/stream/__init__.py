"""The live stream of announcements: server-sent events, read from the database.

A client is a position in the total order of announcements. Whatever wakes it, it gets what the
database holds after that position; so nothing is lost, duplicated or out of order.
"""
