"""System checks of what draws need."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from raffles.domain.beacon import check_relay
from raffles.domain.keys import signer


@register()
def check_relays(**_: Any) -> list[CheckMessage]:
    """Check E001: a relay that the beacon client cannot ask."""
    return [
        Error(
            f"DRAND_RELAYS holds an item that is not a relay: {fault}",
            hint="Write http(s)://host[:port][/path], separated by commas.",
            id="raffles.E001",
        )
        for relay in settings.DRAND_RELAYS
        if (fault := _fault(relay))
    ]


@register()
def check_beacon_can_be_asked(**_: Any) -> list[CheckMessage]:
    """Check E002: a beacon without any relay."""
    if settings.DRAW_ENTROPY != "drand" or settings.DRAND_RELAYS:
        return []
    return [
        Error(
            "DRAW_ENTROPY is drand, but DRAND_RELAYS is empty.",
            hint="Name at least one relay, better two of different operators.",
            id="raffles.E002",
        )
    ]


@register()
def check_cosigners(**_: Any) -> list[CheckMessage]:
    """A cosigner with a key of ours would be the operator's own word."""
    return [
        Error(
            f"COSIGNERS gives {cosigner.name} a key of RECEIPT_KEY.",
            hint="A cosigner is somebody else, with a key of their own.",
            id="raffles.E003",
        )
        for cosigner in settings.COSIGNERS
        if cosigner.key in signer().public_keys
    ]


def _fault(relay: str) -> str:
    try:
        check_relay(relay)
    except ValueError as error:
        return str(error)
    return ""
