"""What every test starts from, whatever the environment or `.env` says."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings as django_settings
from django.core.management.commands import flush
from django.db import connection
from django.db.backends.base.introspection import BaseDatabaseIntrospection
from django.db.backends.base.operations import BaseDatabaseOperations
from django.db.models.signals import post_migrate
from pytest_django import DjangoDbBlocker, Settings

MANAGER = "123.123.123.123"

# Tests have times of their own, and so has the log: its first statement comes with an act.
django_settings.CLOCK = "process"
post_migrate.disconnect(sender=apps.get_app_config("events"), dispatch_uid="announce_keys")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that use no database; skip those that need PostgreSQL where it is another."""
    for item in items:
        if not (item.get_closest_marker("django_db") or "db" in getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.once)
        if item.get_closest_marker("postgres") and connection.vendor != "postgresql":
            item.add_marker(pytest.mark.skip(reason="needs PostgreSQL (DATABASE_URL)"))


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> None:
    """Make commits return before they are on disk, in every process: no test pulls the plug."""
    with django_db_blocker.unblock():
        if connection.vendor == "postgresql":
            name = connection.ops.quote_name(str(connection.settings_dict["NAME"]))
            with connection.cursor() as cursor:
                cursor.execute(f"ALTER DATABASE {name} SET synchronous_commit TO off")
            connection.close()  # the setting applies to new connections


@pytest.fixture(scope="session", autouse=True)
def flushed_but_for_roles() -> Iterator[None]:
    """Keep permissions and groups when a test that commits ends: making them anew takes 0.1 s.

    And delete the few rows that there are: TRUNCATE makes the files of every table and index anew,
    which costs PostgreSQL 70 ms and the disk more.
    """
    kept = {"auth_group", "auth_group_permissions", "auth_permission", "django_content_type"}
    introspection = type(connection.introspection)
    every_table = introspection.django_table_names

    def without_kept(self: BaseDatabaseIntrospection, *args: Any, **options: Any) -> list[str]:
        return [name for name in every_table(self, *args, **options) if name not in kept]

    operations = type(connection.ops)
    flushed = operations.sql_flush

    def deleted(
        self: BaseDatabaseOperations, style: Any, tables: list[str], **options: Any
    ) -> list[str]:
        if connection.vendor != "postgresql" or options.get("reset_sequences"):
            return flushed(self, style, tables, **options)
        # The guards rest meanwhile. Keys are looked at in the end, but for that of a winner.
        in_order = sorted(map(self.quote_name, tables), key=lambda name: "raffles_ticket" in name)
        return [
            *(f"ALTER TABLE {name} DISABLE TRIGGER USER" for name in in_order),
            *(f"DELETE FROM {name}" for name in in_order),
            "SET CONSTRAINTS ALL IMMEDIATE",
            *(f"ALTER TABLE {name} ENABLE TRIGGER USER" for name in in_order),
        ]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(introspection, "django_table_names", without_kept)
        patch.setattr(operations, "sql_flush", deleted)
        patch.setattr(flush, "emit_post_migrate_signal", lambda *_, **__: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def limits_of_processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Give processes that tests start a folder for their state, and no limits by address."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STATE_DIR", str(tmp_path_factory.mktemp("state")))
        patch.setenv("STREAMS_PER_HOLDER", "0")
        patch.setenv("THROTTLE_FILES", "")
        yield


@pytest.fixture(autouse=True)
def site(settings: Settings, tmp_path: Path) -> None:
    """Set two managers, no proxies, throttles or HTTPS, and cheap passwords and static files."""
    settings.MANAGER_IPS = [MANAGER, "127.0.0.2"]
    settings.TRUSTED_PROXIES = []
    settings.IPV6_PREFIX = 64
    settings.THROTTLE_ENTRY = settings.THROTTLE_VERIFY = settings.THROTTLE_LOGIN = ""
    settings.THROTTLE_FILES = ""
    settings.STREAMS_PER_HOLDER = 0
    settings.STATE_DIR = tmp_path / "state"
    settings.ADMIN_FOR_MANAGERS = False
    settings.DRAW_ENTROPY = "system"
    settings.COSIGNERS, settings.TIMESTAMP_AUTHORITIES = [], []
    settings.EMBED_ORIGINS = []
    settings.SECOND_FACTOR = settings.OIDC_ISSUER = settings.OIDC_CLIENT_ID = ""
    settings.OIDC_CLIENT_SECRET, settings.OIDC_GROUPS = "", {}
    settings.PUBLIC_URL = "http://testserver"
    settings.SECURE_SSL_REDIRECT = False
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = False
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    # Otherwise every client would scan all static files before its first request.
    settings.WHITENOISE_AUTOREFRESH = True
