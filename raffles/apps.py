"""The raffles application."""

from importlib import import_module
from typing import Any

from django.apps import AppConfig
from django.db import DEFAULT_DB_ALIAS
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.utils.translation import gettext_lazy as _

from raffles.domain import clock


class RafflesConfig(AppConfig):
    """Raffles: entering, drawing, proving, announcing."""

    name = "raffles"
    verbose_name = _("Raffles")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the system checks, which read settings and so cannot be imported before.

        And have each connection looked at when it opens.
        """
        import_module("raffles.checks")
        connection_created.connect(_look_at)


def _look_at(connection: BaseDatabaseWrapper, **_: Any) -> None:
    """Compare what a process relies on with a database that it has just connected to."""
    if connection.alias == DEFAULT_DB_ALIAS:
        clock.compare(connection)
        import_module("raffles.domain.lineage").look_when_opened()
