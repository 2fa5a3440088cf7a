"""The environment's keys, by the id that a row stores."""

from __future__ import annotations

from functools import lru_cache

from django.conf import settings
from django.utils.translation import gettext_noop as _

from raffles.fairness.receipts import Signer
from raffles.fairness.tickets import key_id
from raffles.web.outages import Unavailable


class KeyMissing(Unavailable):
    """The environment lacks a key that is needed, or begins with one that may no longer sign."""

    code = "unavailable"
    sentence = _("A key is missing here. Try again once whoever runs this has put it back.")

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self._what = what

    def for_operators(self) -> str:
        """Return which key, and of what."""
        return self._what


def current_key_id() -> str:
    """Return the id of the ticket key that new raffles use."""
    return key_id(settings.TICKET_KEYS[0])


def ticket_key(wanted: str) -> bytes:
    """Return the ticket key with that id. Raises KeyMissing if the environment lacks it."""
    if key := held_key(wanted):
        return key
    raise KeyMissing(f"TICKET_KEY no longer holds the key {wanted}, with which a raffle began")


def held_key(wanted: str) -> bytes | None:
    """Return the ticket key with that id, None without it: for what looks in many raffles."""
    return next((bytes(key) for key in settings.TICKET_KEYS if key_id(key) == wanted), None)


def signer() -> Signer:
    """Return the signer of receipts, seals and voids, which signs with the first of RECEIPT_KEY."""
    return _signer(tuple(settings.RECEIPT_SEEDS))


@lru_cache(maxsize=4)
def _signer(seeds: tuple[bytes, ...]) -> Signer:
    return Signer(seeds)
