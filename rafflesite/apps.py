"""The site as an application: its checks, and its own admin in place of Django's."""

from django.apps import AppConfig
from django.contrib.admin import apps as admin_apps
from django.core.checks import Tags, register

from rafflesite import checks, documenting

__all__ = ["BackOfficeConfig", "RafflesiteConfig", "documenting"]


class BackOfficeConfig(admin_apps.AdminConfig):
    """Django's admin with our site; named in INSTALLED_APPS, since this app is another."""

    default = False
    default_site = "rafflesite.backoffice.BackOffice"


class RafflesiteConfig(AppConfig):
    """What holds whatever else is installed."""

    name = "rafflesite"

    def ready(self) -> None:
        """Register the checks; those on production only run with `check --deploy`."""
        for check in (
            checks.check_networks,
            checks.check_admin,
            checks.check_draws,
            checks.check_public_url,
        ):
            register(check, Tags.security)
        for check in (
            checks.check_secrets,
            checks.check_local_managers,
            checks.check_database,
            checks.check_cache,
        ):
            register(check, Tags.security, deploy=True)
