"""The environment's keys, by the id that a row stores."""

from __future__ import annotations

from functools import lru_cache

from django.conf import settings

from raffles.fairness.receipts import Signer
from raffles.fairness.tickets import key_id


class KeyMissing(Exception):
    """The environment lacks a key that is needed, or begins with one that may no longer sign."""


def current_key_id() -> str:
    """Return the id of the ticket key that new raffles use."""
    return key_id(settings.TICKET_KEYS[0])


def ticket_key(wanted: str) -> bytes:
    """Return the ticket key with that id. Raises KeyMissing if the environment lacks it."""
    for key in settings.TICKET_KEYS:
        if key_id(key) == wanted:
            return bytes(key)
    raise KeyMissing(f"TICKET_KEY no longer holds the key {wanted} of a raffle under way")


def signer() -> Signer:
    """Return the signer of receipts, seals and voids, which signs with the first of RECEIPT_KEY."""
    return _signer(tuple(settings.RECEIPT_SEEDS))


@lru_cache(maxsize=4)
def _signer(seeds: tuple[bytes, ...]) -> Signer:
    return Signer(seeds)
