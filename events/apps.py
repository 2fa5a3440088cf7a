"""The events application: calendars over raffles."""

from django.apps import AppConfig


class EventsConfig(AppConfig):
    """Lucky draws that recur; every date's draw is a raffle."""

    name = "events"
    default_auto_field = "django.db.models.BigAutoField"
