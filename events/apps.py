"""The events application: calendars of raffles."""

from django.apps import AppConfig


class EventsConfig(AppConfig):
    """Recurring lucky draws; each date's draw is a raffle."""

    name = "events"
    default_auto_field = "django.db.models.BigAutoField"
