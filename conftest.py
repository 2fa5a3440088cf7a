"""What every test starts from, whatever the environment or `.env` say."""

import pytest
from django.db import connection
from pytest_django import Settings

MANAGER = "123.123.123.123"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what only PostgreSQL can do where the database is another."""
    if connection.vendor == "postgresql":
        return
    for item in items:
        if item.get_closest_marker("postgres"):
            item.add_marker(pytest.mark.skip(reason="needs PostgreSQL (DATABASE_URL)"))


@pytest.fixture(autouse=True)
def site(settings: Settings) -> None:
    """Two managers, no proxies, no throttles, no HTTPS; cheap passwords and static files."""
    settings.MANAGER_IPS = [MANAGER, "127.0.0.2"]
    settings.TRUSTED_PROXIES = []
    settings.IPV6_PREFIX = 64
    settings.THROTTLE_ENTRY = settings.THROTTLE_VERIFY = settings.THROTTLE_LOGIN = ""
    settings.ADMIN_FOR_MANAGERS = False
    settings.DRAW_ENTROPY = "system"
    settings.PUBLIC_URL = "http://testserver"
    settings.SECURE_SSL_REDIRECT = False
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = False
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    # Otherwise every client looks through all static files before its first request.
    settings.WHITENOISE_AUTOREFRESH = True
