"""The raffles application."""

from importlib import import_module

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class RafflesConfig(AppConfig):
    """Raffles: entering, drawing, proving, announcing."""

    name = "raffles"
    verbose_name = _("Raffles")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks, which read settings and so cannot be imported before."""
        import_module("raffles.checks")
