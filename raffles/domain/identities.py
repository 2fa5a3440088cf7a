"""Identities: who a ticket is for, as one text before its tag; its kind comes first.

The same person must always give the same text, so whatever makes or looks for a tag asks here.
"""

from __future__ import annotations

import unicodedata

from raffles.web.callers import caller_at

_UNSEEN = dict.fromkeys((0x200C, 0x200D, *range(0xFE00, 0xFE10), *range(0xE0100, 0xE01F0)))


def of_user(name: str) -> str:
    """Return the identity of a user, `user:` and the name normalised.

    Names that differ only in case, in Unicode form or in invisible characters (joiners, variation
    selectors) give the same identity.
    """
    folded = unicodedata.normalize("NFKC", name.translate(_UNSEEN)).casefold()
    return f"user:{unicodedata.normalize('NFKC', folded)}"


def of_address(address: str) -> set[str]:
    """Return the identities that tickets of an address may have, such as `ip:203.0.113.7`.

    A ticket belongs to its holder, of IPv6 a network: `ip:2001:db8::/64`; where IPV6_PREFIX was 128
    once, to the address. Raises BadForwarding for what is no address.
    """
    caller = caller_at(address)
    return {f"ip:{caller.holder}", f"ip:{caller.address}"}
