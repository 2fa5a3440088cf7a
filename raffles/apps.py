"""The raffles application."""

from django.apps import AppConfig


class RafflesConfig(AppConfig):
    """Handing out, drawing, proving, announcing."""

    name = "raffles"
    default_auto_field = "django.db.models.BigAutoField"
