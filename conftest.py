"""What every test starts from, whatever the environment or `.env` says."""

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from uuid import uuid4

import pytest
from django.apps import apps
from django.conf import settings as django_settings
from django.core.management.commands import flush
from django.db import OperationalError, connection
from django.db.backends.base.introspection import BaseDatabaseIntrospection
from django.db.backends.base.operations import BaseDatabaseOperations
from django.db.models.signals import post_migrate
from django.test import override_settings
from pytest_django import DjangoDbBlocker, Settings

from raffles.domain import lineage

MANAGER = "123.123.123.123"

# Tests have times of their own, and so has the log: its first statement comes with an act.
django_settings.CLOCK = "process"
post_migrate.disconnect(sender=apps.get_app_config("events"), dispatch_uid="announce_keys")


# What people see: its queries are the domain's, whose own tests run on both databases.
FACES = re.compile(r"/(pages|accounts)/|/test_(admin|pages|posters|feeds|dashboard|chosen_lang)")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark tests that no database changes; skip those that need PostgreSQL where it is another."""
    for item in items:
        uses_it = item.get_closest_marker("django_db") or "db" in getattr(item, "fixturenames", ())
        if not uses_it or FACES.search(item.path.as_posix()):
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
                with suppress(OperationalError):  # it applies to new ones, also of a pooler
                    cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")
            connection.close()


@pytest.fixture
def unpooled(transactional_db: None) -> Iterator[None]:
    """Go past a pooler, for tests of what a session of PostgreSQL's own has: settings, an end."""
    if connection.vendor != "postgresql":
        yield
        return
    facts: dict[str, Any] = connection.settings_dict
    with connection.cursor() as cursor:
        cursor.execute("SELECT inet_server_port()")
        (port,) = cursor.fetchone()
    connection.close()
    with pytest.MonkeyPatch.context() as patch:
        if port not in (None, int(facts["PORT"] or 5432)):
            patch.setitem(facts, "PORT", port)
            with connection.cursor() as cursor:  # the pooler keeps some, which tests would count
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            connection.close()
        yield
        connection.close()


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

    every_sequence = introspection.sequence_list

    def without_theirs(self: BaseDatabaseIntrospection) -> list[dict[str, Any]]:
        return [each for each in every_sequence(self) if each["table"] not in kept]

    operations = type(connection.ops)
    flushed = operations.sql_flush

    def deleted(
        self: BaseDatabaseOperations, style: Any, tables: list[str], **options: Any
    ) -> list[str]:
        if connection.vendor != "postgresql":
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
        patch.setattr(introspection, "sequence_list", without_theirs)
        patch.setattr(operations, "sql_flush", deleted)
        patch.setattr(flush, "emit_post_migrate_signal", lambda *_, **__: None)
        yield


@pytest.fixture(scope="session", autouse=True)
def limits_of_processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Give processes that tests start a folder for their state, no limits and no wait."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STATE_DIR", str(tmp_path_factory.mktemp("state")))
        patch.setenv("STREAMS_PER_HOLDER", "0")
        patch.setenv("THROTTLE_FILES", "")
        patch.setenv("DRAIN_SECONDS", "0")  # nobody balances load between them
        yield


@pytest.fixture(scope="session", autouse=True)
def site() -> Iterator[None]:
    """Set two managers, no proxies, throttles or HTTPS, and cheap passwords and static files.

    Once and for all tests: to set and to reset each setting for each test takes milliseconds.
    """
    with override_settings(
        MANAGER_IPS=[MANAGER, "127.0.0.2"],
        TRUSTED_PROXIES=[],
        IPV6_PREFIX=64,
        **dict.fromkeys(("THROTTLE_ENTRY", "THROTTLE_VERIFY", "THROTTLE_LOGIN"), ""),
        THROTTLE_FILES="",
        STREAMS_PER_HOLDER=0,
        ADMIN_FOR_MANAGERS=False,
        DRAW_ENTROPY="system",
        COSIGNERS=[],
        TIMESTAMP_AUTHORITIES=[],
        EMBED_ORIGINS=[],
        SECOND_FACTOR="",
        **dict.fromkeys(("OIDC_ISSUER", "OIDC_CLIENT_ID", "OIDC_CLIENT_SECRET"), ""),
        OIDC_GROUPS={},
        PUBLIC_URL="http://testserver",
        SECURE_SSL_REDIRECT=False,
        SESSION_COOKIE_SECURE=False,
        CSRF_COOKIE_SECURE=False,
        PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],
        # Otherwise every client would scan all static files before its first request.
        WHITENOISE_AUTOREFRESH=True,
    ):
        yield


@pytest.fixture(autouse=True)
def state_dir(settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Set a folder of this test's own for what a machine remembers; it is not made yet."""
    settings.STATE_DIR = tmp_path_factory.getbasetemp() / "states" / uuid4().hex
    lineage.forget()  # each test begins as a process that has just started
