"""The site as an application: its checks."""

from django.apps import AppConfig
from django.core.checks import Tags, register

from rafflesite import checks, documenting

__all__ = ["RafflesiteConfig", "documenting"]


class RafflesiteConfig(AppConfig):
    """What holds whatever else is installed."""

    name = "rafflesite"

    def ready(self) -> None:
        """Register the checks; those on production only run with `check --deploy`."""
        for check in (checks.check_networks, checks.check_draws, checks.check_public_url):
            register(check, Tags.security)
        for check in (
            checks.check_secrets,
            checks.check_local_managers,
            checks.check_database,
            checks.check_cache,
        ):
            register(check, Tags.security, deploy=True)
