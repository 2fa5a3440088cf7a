"""A receiver of webhooks and a mail server that run while a test does."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from raffles.notifications import webhooks
from raffles.tests.notifications.mailserver import MailServer
from raffles.tests.notifications.receiver import Receiver
from raffles.tests.serving import free_port

PATIENCE = 0.6  # seconds in place of 15


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shorten the deadline, for tests that wait for it."""
    monkeypatch.setattr(webhooks, "TOTAL", PATIENCE)


@pytest.fixture
def server(settings: Settings) -> Iterator[MailServer]:
    controller = pytest.importorskip("aiosmtpd.controller")
    server = MailServer()
    port = free_port()
    running = controller.Controller(server, hostname="127.0.0.1", port=port)
    running.start()
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", port
    settings.EMAIL_TIMEOUT = 10
    settings.DEFAULT_FROM_EMAIL = "draws@example.org"
    settings.PUBLIC_URL = "https://draws.example.org"
    yield server
    running.stop()
