"""System checks of what draws need."""

from __future__ import annotations

import pytest
from django.conf import LazySettings
from django.core.checks import run_checks

from raffles.domain.keys import signer
from raffles.web.witness_lists import Cosigner


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


def test_a_cosigner_has_a_key_of_its_own(settings: LazySettings) -> None:
    url = "https://witness.example.org"
    settings.COSIGNERS = [Cosigner("one", "11" * 32, url)]
    assert ids() == []
    settings.COSIGNERS = [Cosigner("one", signer().public_key, url)]
    assert ids() == ["raffles.E003"]
