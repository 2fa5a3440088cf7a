"""The events application: calendars over raffles."""

from importlib import import_module

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class EventsConfig(AppConfig):
    """Lucky draws that recur; every date's draw is a raffle."""

    name = "events"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Has the groups made once the permissions of all applications are there."""
        roles = import_module("events.roles")
        post_migrate.connect(roles.make_groups, sender=self)
