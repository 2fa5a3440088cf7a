"""What every test starts from, whatever the environment or `.env` say."""

import pytest
from django.core.cache import cache
from pytest_django import Settings

MANAGER = "123.123.123.123"


@pytest.fixture(autouse=True)
def site(settings: Settings) -> None:
    """Two managers, no proxies, no throttles, no HTTPS; cheap passwords and static files."""
    settings.MANAGER_IPS = [MANAGER, "127.0.0.2"]
    settings.TRUSTED_PROXIES = []
    settings.IPV6_PREFIX = 128
    settings.THROTTLE_ENTRY = settings.THROTTLE_VERIFY = ""
    settings.DRAW_ENTROPY = "system"
    settings.PUBLIC_URL = "http://testserver"
    settings.SECURE_SSL_REDIRECT = False
    settings.SESSION_COOKIE_SECURE = settings.CSRF_COOKIE_SECURE = False
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    # Otherwise every client looks through all static files before its first request.
    settings.WHITENOISE_AUTOREFRESH = True
    cache.clear()
