"""Who is who in the tests of the API."""

import pytest
from pytest_django import Settings

from raffles.tests.api.acting import MANAGER


@pytest.fixture(autouse=True)
def callers(settings: Settings) -> None:
    """Set one manager, and proxies of our own."""
    settings.MANAGER_IPS = [MANAGER]
    settings.TRUSTED_PROXIES = ["10.0.0.0/8"]
