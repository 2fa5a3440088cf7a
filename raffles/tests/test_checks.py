"""System checks of what draws need."""

from __future__ import annotations

import pytest
from django.conf import LazySettings
from django.core.checks import run_checks


def ids() -> list[str]:
    return [
        message.id or "" for message in run_checks() if (message.id or "").startswith("raffles")
    ]


@pytest.mark.parametrize(
    ("entropy", "relays", "found"),
    [
        ("drand", ["https://relay.example", "http://127.0.0.1:8080/drand"], []),
        ("system", [], []),
        ("drand", [], ["raffles.E002"]),
        ("system", ["ftp://relay.example", "relay.example"], ["raffles.E001", "raffles.E001"]),
    ],
)
def test_relays_must_be_addresses_and_there_when_needed(
    settings: LazySettings, entropy: str, relays: list[str], found: list[str]
) -> None:
    settings.DRAW_ENTROPY, settings.DRAND_RELAYS = entropy, relays
    assert ids() == found
