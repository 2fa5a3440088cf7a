"""Identities: who a ticket is for, as one text before its tag; its kind comes first.

The same person must always give the same text, so whatever makes or looks for a tag asks here.
"""

from __future__ import annotations

from raffles.fairness.tickets import fold
from raffles.web.callers import caller_at


def of_user(name: str) -> str:
    """Return the identity of a user, `user:` and the name as names are compared."""
    return f"user:{fold(name)}"


def of_entrant(holder: str) -> str:
    """Return the identity of a line of a list, `list:` and its identifier, compared likewise."""
    return f"list:{fold(holder)}"


def of_address(address: str) -> set[str]:
    """Return the identities that tickets of an address may have, such as `ip:203.0.113.7`.

    A ticket belongs to its holder, of IPv6 a network: `ip:2001:db8::/64`; where IPV6_PREFIX was 128
    once, to the address. Raises BadForwarding for what is no address.
    """
    caller = caller_at(address)
    return {f"ip:{caller.holder}", f"ip:{caller.address}"}
