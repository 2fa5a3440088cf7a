"""The site as an application: its checks, and its own admin in place of Django's."""

from importlib import import_module
from typing import Any

from django.apps import AppConfig, apps
from django.apps.registry import Apps
from django.contrib.admin import apps as admin_apps
from django.core.checks import Tags, register
from django.db.models import Model
from django.db.models.signals import post_migrate
from django.utils import timezone

from rafflesite import checks
from rafflesite.durability import check_durability
from rafflesite.roles import make_groups
from rafflesite.squashes import check_squashes


class BackOfficeConfig(admin_apps.AdminConfig):
    """Django's admin with our site; INSTALLED_APPS names it, since this app has two configs."""

    default = False
    default_site = "rafflesite.admin_site.BackOffice"


class AccountsOfficeConfig(BackOfficeConfig):
    """The same where django-allauth is installed."""

    default_site = "rafflesite.accounts.site.AccountsOffice"


class RafflesiteConfig(AppConfig):
    """The site: its system checks, and what follows `migrate`."""

    name = "rafflesite"

    def ready(self) -> None:
        """Register the checks; let `migrate` create the groups and announce the keys."""
        for check in (
            checks.check_networks,
            checks.check_admin,
            checks.check_witness,
            checks.check_accounts,
        ):
            register(check, Tags.security)
        for check in (
            checks.check_secrets,
            checks.check_state_dir,
            checks.check_state_beside_database,
            checks.check_local_managers,
            checks.check_proxies,
            checks.check_database,
            checks.check_cache,
            checks.check_mail,
        ):
            register(check, Tags.security, deploy=True)
        register(check_durability, Tags.database)
        register(check_squashes, Tags.database)
        # The last app with models: the permissions of all exist by then.
        last = apps.get_app_config("events")
        post_migrate.connect(make_groups, sender=last)
        post_migrate.connect(_announce_keys, sender=last, dispatch_uid="announce_keys")


def _announce_keys(*, apps: Apps = apps, **_: Any) -> None:
    """Announce the keys in the log before anything is signed, once its tables exist."""
    if _is_whole(apps):
        import_module("raffles.domain.lineage").begin()
        import_module("raffles.domain.log").announce_keys(timezone.now())


def _is_whole(then: Apps) -> bool:
    """Return whether the tables are this version's: `migrate` may be told to stop before."""
    made = then.all_models["raffles"]
    return all(
        (name := str(model._meta.model_name)) in made and _columns(made[name]) == _columns(model)
        for model in apps.get_app_config("raffles").get_models()
    )


def _columns(model: type[Model]) -> set[str | None]:
    return {field.column for field in model._meta.local_concrete_fields}
