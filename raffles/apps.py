"""The raffles application."""

from importlib import import_module

from django.apps import AppConfig


class RafflesConfig(AppConfig):
    """Handing out, drawing, proving, announcing."""

    name = "raffles"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Registers the system checks; they read settings, so not before."""
        import_module("raffles.checks")
