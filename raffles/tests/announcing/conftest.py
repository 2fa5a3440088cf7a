"""A receiver that runs while a test does, and may be reached by webhooks."""

from collections.abc import Iterator

import pytest
from pytest_django import Settings

from raffles.domain import webhooks

from .receiver import Receiver

PATIENCE = 0.6  # seconds in place of 15


@pytest.fixture
def receiver(settings: Settings) -> Iterator[Receiver]:
    settings.WEBHOOK_NETWORKS = ["127.0.0.0/8"]
    with Receiver() as receiver:
        yield receiver


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same deadline, sooner."""
    monkeypatch.setattr(webhooks, "TOTAL", PATIENCE)
