"""The site as an application: its checks, and its own admin in place of Django's."""

from django.apps import AppConfig, apps
from django.contrib.admin import apps as admin_apps
from django.core.checks import Tags, register
from django.db.models.signals import post_migrate

from rafflesite import checks
from rafflesite.roles import make_groups


class BackOfficeConfig(admin_apps.AdminConfig):
    """Django's admin with our site; named in INSTALLED_APPS, since this app is another."""

    default = False
    default_site = "rafflesite.admin_site.BackOffice"


class RafflesiteConfig(AppConfig):
    """What holds whatever else is installed."""

    name = "rafflesite"

    def ready(self) -> None:
        """Register the checks, and have `migrate` make the groups."""
        for check in (
            checks.check_networks,
            checks.check_admin,
            checks.check_draws,
            checks.check_public_url,
        ):
            register(check, Tags.security)
        for check in (
            checks.check_secrets,
            checks.check_state_dir,
            checks.check_local_managers,
            checks.check_proxies,
            checks.check_database,
            checks.check_cache,
        ):
            register(check, Tags.security, deploy=True)
        # The last with models: the permissions of all are there by then.
        post_migrate.connect(make_groups, sender=apps.get_app_config("events"))
